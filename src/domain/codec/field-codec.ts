/** What every field of a record compiles to. Fields don't know their names: see `within` in codec-error.ts. */
import type { BitReader, BitWriter } from './bits.ts'
import { CodecError, type CodecErrorCode } from './codec-error.ts'

export interface FieldCodec {
  /** What the field takes, for messages: `a whole number from 0 to 10`. */
  readonly fits: string
  /** Worst case. */
  readonly bitsMax: number
  /** Worst case of values in one field, itself included, those of 0 bits too. */
  readonly valuesMax: number
  /** @throws {CodecError} */
  write(writer: BitWriter, value: unknown): void
  /** The value as JSON would hold it; `absent` where there is none. @throws {CodecError} */
  read(reader: BitReader): unknown
  /** The value as JSON text; `absentJson` where there is none. @throws {CodecError} */
  json(reader: BitReader): string
}

export const absent = undefined
/** No JSON text is empty. */
export const absentJson = ''

/** Packed bits that stand for no value of their field. */
export function unreadable(code: CodecErrorCode, found: string, fits: string): CodecError {
  return new CodecError(code, `the bits hold ${found}; what fits is ${fits}`)
}

/**
 * A field's codec with what `optional` and `default` add to it:
 *
 *     optional: true   1 presence bit, then the value's bits; or 0, and nothing more
 *     default: V       a missing value is packed as V, so it never is absent
 */
export function withAbsence(
  codec: FieldCodec,
  { optional = false, default: standIn }: { optional?: boolean | undefined; default?: unknown },
): FieldCodec {
  const { fits, valuesMax } = codec
  const writeMissing = optional
    ? (writer: BitWriter) => writer.write(0, 1)
    : () => {
        throw new CodecError('value-missing', `is missing; what fits is ${fits}`)
      }
  const write = (writer: BitWriter, value: unknown) => {
    const given = value ?? standIn
    if (given === undefined) return writeMissing(writer)
    if (optional) writer.write(1, 1)
    codec.write(writer, given)
  }
  if (!optional) return { fits, bitsMax: codec.bitsMax, valuesMax, write, read: codec.read, json: codec.json }
  return {
    fits,
    bitsMax: codec.bitsMax + 1,
    valuesMax,
    write,
    read: (reader) => (reader.read(1) === 0 ? absent : codec.read(reader)),
    json: (reader) => (reader.read(1) === 0 ? absentJson : codec.json(reader)),
  }
}
