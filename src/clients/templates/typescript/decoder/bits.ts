/** A packed record while it is read: bits, most significant first, without any alignment. */
export interface Bits {
  readonly bytes: Uint8Array
  /** Byte 0: of the schema that the record was packed by. */
  readonly revision: number
  /** How many bits there are, and which one is next. */
  readonly end: number
  at: number
}
