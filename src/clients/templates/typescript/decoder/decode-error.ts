/** Why bytes aren't a record of this model: a closed list. */
export type DecodeErrorCode =
  | 'packed-empty'
  /** Byte 0 is 0, which is no revision. */
  | 'revision-zero'
  /** The bytes end inside a field. */
  | 'packed-truncated'
  /** Bytes are left over after the last field. */
  | 'packed-trailing'
  /** The bits between the last field and the end of its byte aren't zero. */
  | 'padding-nonzero'
  /** Bits that stand for no value of their field. */
  | 'bits-range'
  /** More bytes, or more items, than the field can have. */
  | 'length-range'
  | 'utf8-invalid'

/** What a decoder throws, whatever the bytes are. */
export class DecodeError extends Error {
  readonly code: DecodeErrorCode
  /** Path from the record, e.g. `home.x`, without the places in lists; empty where the record as a whole is at fault. */
  readonly field: string

  constructor(code: DecodeErrorCode, field: string) {
    super(field === '' ? code : `${field}: ${code}`)
    this.name = 'DecodeError'
    this.code = code
    this.field = field
  }
}
