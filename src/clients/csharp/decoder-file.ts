/** The decoder's file: the record's types, the decoder itself, and the default record. */
import type { ClientModel } from '../client-model.ts'
import { memberComment } from './doc-comment.ts'
import { literal, objectLiteral } from './literal.ts'
import { type CsharpMember, type CsharpNamedType, type CsharpRecord, propertyType } from './named-record.ts'
import { readerMethod, readMembers } from './read-statements.ts'
import { block, commentText, separated, stringLiteral, summary } from './text.ts'

/** Without the runtime that stands behind it. */
export function decoderFile(model: ClientModel, record: CsharpRecord, namespace: string): string {
  const whose = `the model ${model.modelId} of ${model.tenantId}`
  const types = [
    [...summary(`What ${whose} recommends.`), ...recordClass(record.typeName, record.members)],
    ...record.types.map((type) => [...summary(typeSummary(type)), ...namedType(type)]),
    ...textsClass(record),
    decoderClass(model, record),
  ]
  return `${block(`namespace ${namespace}`, separated(types)).join('\n')}\n`
}

function recordClass(typeName: string, members: readonly CsharpMember[]): string[] {
  const properties = members.map(({ member, property, value }) => [
    ...memberComment(member),
    `public ${propertyType(value)} ${property} { get; set; }`,
  ])
  return block(`public sealed class ${typeName}`, separated(properties))
}

function typeSummary({ kind, path }: CsharpNamedType): string {
  return kind === 'struct' ? `The fields of <c>${path}</c>.` : `Values of <c>${path}</c>.`
}

function namedType(type: CsharpNamedType): string[] {
  if (type.kind === 'struct') return recordClass(type.typeName, type.members)
  const { names, values } = type
  const members = names.flatMap((name, index) => [
    ...summary(`<c>${commentText(values[index]!)}</c>`),
    `${name} = ${index}${index === names.length - 1 ? '' : ','}`,
  ])
  return block(`public enum ${type.typeName}`, members)
}

/** Enum values as the schema has them, for logs: an enum's own ToString knows only C#'s spelling. */
function textsClass({ prefix, types }: CsharpRecord): string[][] {
  const enums = types.filter((type) => type.kind === 'enum')
  if (enums.length === 0) return []
  const methods = enums.map(({ typeName, values }) => [
    `private static readonly string[] Of${typeName} =`,
    '{',
    ...values.map((value) => `    ${stringLiteral(value)},`),
    '};',
    '',
    ...summary("The schema's own text of a value."),
    ...block(`public static string Text(this ${typeName} value)`, [`return Of${typeName}[(int)value];`]),
  ])
  return [block(`public static class ${prefix}Texts`, separated(methods))]
}

function decoderClass(model: ClientModel, record: CsharpRecord): string[] {
  const methods = [
    [
      ...summary('The newest schema revision that this decoder knows; of later ones it reads what it knows.'),
      `public const int Revision = ${model.revision};`,
    ],
    [
      ...summary('Whether the model has a default record.'),
      ...block('public static bool HasDefaultRecord', [`get { return ${model.defaultRecord !== null}; }`]),
    ],
    defaultRecordMethod(model, record),
    ...publicMethods(record),
    recordMethod(model, record),
    ...record.types.flatMap((type) => (type.kind === 'struct' ? [readerMethod(type)] : [])),
  ]
  return [
    ...summary('Packed bytes to records, without reflection, and without any garbage but the record.'),
    ...block(`public static class ${record.prefix}Decoder`, separated(methods)),
  ]
}

function defaultRecordMethod({ defaultRecord }: ClientModel, { typeName, members }: CsharpRecord): string[] {
  const value = defaultRecord === null ? 'null' : objectLiteral(typeName, members, defaultRecord)
  return [
    ...summary(
      defaultRecord === null
        ? 'Null: the model has none.'
        : 'What stands in when nothing else can, as it was when this file was generated; a new one each time.',
    ),
    ...block(`public static ${typeName} DefaultRecord()`, [`return ${value};`]),
  ]
}

function publicMethods({ prefix, typeName }: CsharpRecord): string[][] {
  const range = 'byte[] bytes, int offset, int count'
  const results = `out ${typeName} record, out ${prefix}DecodeError error`
  return [
    [
      ...summary(
        'One packed record and nothing else; where it is none, the record is null. Never throws for bytes.',
      ),
      ...block(`public static bool TryDecode(${range}, ${results})`, [
        'var bits = new BitReader(bytes, offset, count);',
        'int revision = bits.Revision();',
        'record = revision == 0 ? null : ReadRecord(ref bits, revision);',
        // What a newer schema put behind the fields known here is none of this one's business.
        'if (revision <= Revision) bits.ExpectEnd();',
        'error = bits.Error;',
        `if (error.Code == ${prefix}DecodeErrorCode.None) return true;`,
        'record = null;',
        'return false;',
      ]),
    ],
    [
      ...summary('The same of a whole array.'),
      ...block(`public static bool TryDecode(byte[] bytes, ${results})`, [
        'return TryDecode(bytes, 0, bytes == null ? 0 : bytes.Length, out record, out error);',
      ]),
    ],
    [
      ...summary(`The record. Throws a ${prefix}DecodeException where the bytes are none.`),
      ...block(`public static ${typeName} Decode(${range})`, [
        `${typeName} record;`,
        `${prefix}DecodeError error;`,
        'if (TryDecode(bytes, offset, count, out record, out error)) return record;',
        `throw new ${prefix}DecodeException(error);`,
      ]),
    ],
    [
      ...summary('The same of a whole array.'),
      ...block(`public static ${typeName} Decode(byte[] bytes)`, [
        'return Decode(bytes, 0, bytes == null ? 0 : bytes.Length);',
      ]),
    ],
  ]
}

/** Fields that a record is too old for aren't in its bits: their stand-ins are set, or nothing is. */
function recordMethod(model: ClientModel, { typeName, members }: CsharpRecord): string[] {
  const first = members.filter(({ member }) => member.since === 1)
  const later = members.filter(({ member }) => member.since > 1)
  const lines = [`var record = new ${typeName}();`, ...readMembers(first, 'record')]
  for (const since of new Set(later.map(({ member }) => member.since))) {
    const added = later.filter(({ member }) => member.since === since)
    const instead = added
      .filter(({ member }) => member.value.standIn !== undefined)
      .map(({ member, property, value }) => `record.${property} = ${literal(value, member.value.standIn)};`)
    lines.push(...block(`if (revision >= ${since})`, readMembers(added, 'record')))
    if (instead.length > 0) lines.push(...block('else', instead))
  }
  const head = `private static ${typeName} ReadRecord(ref BitReader bits, int revision)`
  return [
    ...summary(`Fields in the order of their bits, of every revision up to ${model.revision}.`),
    ...block(head, [...lines, 'return record;']),
  ]
}
