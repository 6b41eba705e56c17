import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'

/** The next `width` bits, 1 to 53, as a whole number. */
export function readBits(bits: Bits, width: number, field: string): number {
  // Bit operators hold 32 bits: 24 of them touch at most 4 bytes, whatever bit they start at.
  if (width > 24) return readBits(bits, width - 24, field) * 16_777_216 + readBits(bits, 24, field)
  const end = bits.at + width
  if (end > bits.end) throw new DecodeError('packed-truncated', field)
  const { bytes } = bits
  const last = (end - 1) >>> 3
  let index = bits.at >>> 3
  let value = bytes[index]!
  while (index < last) value = (value << 8) | bytes[++index]!
  bits.at = end
  return (value >>> (-end & 7)) & (0xffffff >>> (24 - width))
}
