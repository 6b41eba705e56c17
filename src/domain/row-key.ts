import { limits } from './limits.ts'
import { murmur3, shareOf } from './murmur3.ts'

/** Stands between the values of a row key, so that (`a`, `bc`) and (`ab`, `c`) differ; no value may hold it. */
const separator = '\0'

const encoder = new TextEncoder()

/**
 * What keeps a claim's or column's value out of a row key, as a sentence that goes on after the value's name, or null.
 * Strings stay as they are, without normalisation; integers count in canonical decimal, so that 42 and "42" are one row.
 */
export function rowKeyValueFault(value: unknown): string | null {
  if (typeof value === 'bigint') return null
  if (typeof value === 'number') return numberFault(value)
  if (typeof value !== 'string') return `is ${kindOf(value)}, but must be a string or an integer`
  if (value === '') return 'is empty, but must have at least one character'
  if (value.includes(separator))
    return 'holds a NUL character (U+0000), which separates the values of a row key; leave it out'
  if (!value.isWellFormed())
    return 'holds half of a surrogate pair, which UTF-8 cannot express; it must be well-formed Unicode'
  return null
}

/** The text that a claim's or column's value gives to the row key; null: `rowKeyValueFault` says why it can't. */
export function rowKeyValue(value: unknown): string | null {
  return rowKeyValueFault(value) === null ? String(value) : null
}

/** The row key of values, in the model's declared order, each a text that `rowKeyValue` gave. */
export function joinRowKey(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join(separator)
}

/** The values that a row key was made of. */
export function splitRowKey(rowKey: string): readonly string[] {
  return rowKey.split(separator)
}

/** What is wrong with a row key as a whole, as a sentence that goes on after its name, or null. */
export function rowKeyFault(rowKey: string): string | null {
  // The field with the empty name holds the generation's token, and must never answer for a row.
  if (rowKey === '') return 'is empty, but must have at least one value'
  // A UTF-16 unit takes three bytes at most: nearly every row key is let through without being encoded.
  if (rowKey.length * 3 <= limits.rowKeyBytesMax) return null
  const bytes = encoder.encode(rowKey).length
  if (bytes <= limits.rowKeyBytesMax) return null
  return `has ${bytes} bytes of UTF-8, but may have ${limits.rowKeyBytesMax} at most`
}

/** The bucket of a row, 0 to buckets − 1: which of the table's hashes holds it. */
export function bucketOf(rowKey: string, buckets: number): number {
  return bucketOfHash(murmur3(rowKey), buckets)
}

/** The same by the row key's hash, for whoever hashed it before. */
export function bucketOfHash(hash: number, buckets: number): number {
  return shareOf(hash, buckets)
}

/** How many buckets a table of so many rows gets; an empty one still gets one, to hold its token. */
export function bucketCount(rows: number): number {
  return Math.max(1, Math.ceil(rows / limits.rowsPerBucket))
}

function numberFault(value: number): string | null {
  if (Number.isSafeInteger(value)) return null
  if (!Number.isFinite(value)) return `is ${value}, but must be an integer`
  if (!Number.isInteger(value)) return `is ${value}, which has a fraction, but must be an integer`
  return `is ${value}, beyond ±${Number.MAX_SAFE_INTEGER}, where numbers lose digits; write it as a string`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'undefined' ? 'missing' : `a ${typeof value}`
}
