import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'
import { readBits } from './read-bits.ts'

/** How many bytes or items follow: at most `max`. */
export function readLength(bits: Bits, width: number, max: number, field: string): number {
  const length = readBits(bits, width, field)
  if (length > max) throw new DecodeError('length-range', field)
  return length
}
