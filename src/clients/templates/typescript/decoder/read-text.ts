import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'
import { readBytes } from './read-bytes.ts'

// ignoreBOM keeps a leading U+FEFF, which is part of the text; fatal refuses what isn't UTF-8.
const utf8 = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The next `length` bytes as text. */
export function readText(bits: Bits, length: number, field: string): string {
  const bytes = readBytes(bits, length, field)
  try {
    return utf8.decode(bytes)
  } catch {
    throw new DecodeError('utf8-invalid', field)
  }
}
