import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'
import { readBits } from './read-bits.ts'

/** The next bits, which hold at most `max`. */
export function readUpTo(bits: Bits, width: number, max: number, field: string): number {
  const value = readBits(bits, width, field)
  if (value > max) throw new DecodeError('bits-range', field)
  return value
}
