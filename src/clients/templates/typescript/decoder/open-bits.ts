import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'

export function openBits(bytes: Uint8Array): Bits {
  const revision = bytes[0]
  if (revision === undefined) throw new DecodeError('packed-empty', '')
  if (revision === 0) throw new DecodeError('revision-zero', '')
  return { bytes, revision, end: bytes.length * 8, at: 8 }
}
