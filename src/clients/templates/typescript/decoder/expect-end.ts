import type { Bits } from './bits.ts'
import { DecodeError } from './decode-error.ts'
import { readBits } from './read-bits.ts'

/** Nothing may follow but zero bits to the end of the byte. */
export function expectEnd(bits: Bits): void {
  const rest = bits.end - bits.at
  if (rest >= 8) throw new DecodeError('packed-trailing', '')
  if (rest > 0 && readBits(bits, rest, '') !== 0) throw new DecodeError('padding-nonzero', '')
}
