/** Why a record couldn't be packed (the first group) or packed bytes couldn't be read (the second): a closed list. */
export type CodecErrorCode =
  /** The record has a key that its schema doesn't. */
  | 'field-unknown'
  /** No value, no default, not optional. */
  | 'value-missing'
  /** The value is of another kind than the field: text for a number, 1.5 for a whole number, half a surrogate pair. */
  | 'value-type'
  /** The right kind of value, but below the least or above the greatest. */
  | 'value-range'
  /** Text that isn't among an enum's values. */
  | 'value-unknown'
  /** More bytes than `maxBytes`, more items than `maxItems`. */
  | 'value-too-long'
  | 'packed-empty'
  /** Byte 0 is 0, which is no revision. */
  | 'revision-zero'
  /** The bytes end inside a field. */
  | 'packed-truncated'
  /** Bytes are left over after the last field of a known revision. */
  | 'packed-trailing'
  /** The bits between the last field and the end of its byte aren't zero. */
  | 'padding-nonzero'
  /** A bit pattern that stands for no value of its field. */
  | 'bits-range'
  /** A byte length above `maxBytes`, an item count above `maxItems`. */
  | 'length-range'
  | 'utf8-invalid'

/** A value that doesn't fit its field, or packed bytes that aren't a record of this schema. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
  readonly code: CodecErrorCode
  /** Path from the record, e.g. `scores[2]` or `home.x`; empty where the record as a whole is at fault. */
  readonly field: string
  /** What is wrong and what would be right, without the path. */
  readonly problem: string
  /** The value at fault as it was given, where there is one. */
  readonly value: unknown

  constructor(code: CodecErrorCode, problem: string, value?: unknown, field = '') {
    super(field === '' ? problem : `${field}: ${problem}`)
    this.code = code
    this.field = field
    this.problem = problem
    this.value = value
  }
}

/**
 * Puts a path's next outer part, `name` or `[index]`, before the field of a passing CodecError. Fields don't know
 * where they stand, so that a path costs nothing until something is wrong. Other errors pass unchanged.
 */
export function within(part: string, error: unknown): unknown {
  if (!(error instanceof CodecError)) return error
  return new CodecError(error.code, error.problem, error.value, joinField(part, error.field))
}

/** `a` and `b` → `a.b`; `a` and `[2]` → `a[2]`. */
export function joinField(outer: string, inner: string): string {
  return inner === '' || inner.startsWith('[') ? outer + inner : `${outer}.${inner}`
}

/** A given value that a field refuses. `fits` says what it takes, e.g. `a whole number from 0 to 10`. */
export function refused(
  code: CodecErrorCode,
  value: unknown,
  fits: string,
  what = "doesn't fit",
): CodecError {
  return new CodecError(code, `${shown(value)} ${what}; what fits is ${fits}`, value)
}

const shownCharactersMax = 60

/** A value for a message: short, and safe for anything (JSON.stringify throws on cycles, depth and bigint). */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > shownCharactersMax
      ? `${JSON.stringify(value.slice(0, shownCharactersMax))}… (${value.length} characters)`
      : JSON.stringify(value)
  }
  if (typeof value === 'bigint') return shortened(`${value}n`)
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'function') return 'a function'
  return Object.is(value, -0) ? '-0' : shortened(String(value))
}

function shortened(text: string): string {
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text
}
