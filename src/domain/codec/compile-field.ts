import { type FieldCodec, withAbsence } from './field-codec.ts'
import { listCodec, memberOf, structCodec } from './nested-codecs.ts'
import type { RecordField } from './record-field.ts'
import { boolCodec, enumCodec, fixedCodec, intCodec, uintCodec } from './scalar-codecs.ts'
import { bytesCodec, stringCodec, timestampCodec } from './text-codecs.ts'

/** The codec of a field that `fieldFaults` has nothing against. */
export function compileField(field: RecordField): FieldCodec {
  return withAbsence(compileValue(field), field)
}

/** The same without the presence bit and the stand-in for a missing value. */
export function compileValue(field: RecordField): FieldCodec {
  switch (field.type) {
    case 'bool':
      return boolCodec(field)
    case 'uint':
      return uintCodec(field)
    case 'int':
      return intCodec(field)
    case 'fixed':
      return fixedCodec(field)
    case 'enum':
      return enumCodec(field)
    case 'timestamp':
      return timestampCodec(field)
    case 'string':
      return stringCodec(field)
    case 'bytes':
      return bytesCodec(field)
    case 'list':
      return listCodec(compileField(field.items), field.maxItems)
    case 'struct':
      return structCodec(
        Object.entries(field.fields).map(([name, inner]) => memberOf(name, compileField(inner))),
      )
  }
}
