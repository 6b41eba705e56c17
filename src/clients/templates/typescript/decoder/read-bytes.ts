import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'

/** The next `length` bytes, from whatever bit on, as a copy. */
export function readBytes(bits: Bits, length: number, field: string): Uint8Array {
  const end = bits.at + length * 8
  if (end > bits.end) throw new DecodeError('packed-truncated', field)
  const source = bits.bytes
  const first = bits.at >>> 3
  const shift = bits.at & 7
  bits.at = end
  const bytes = new Uint8Array(length)
  if (shift === 0) bytes.set(source.subarray(first, first + length))
  else
    for (let index = 0; index < length; index++)
      bytes[index] = (source[first + index]! << shift) | (source[first + index + 1]! >>> (8 - shift))
  return bytes
}
