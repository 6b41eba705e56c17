/** C# that writes a generated record as JSON, under the schema's names: one class a model, in the model's namespace. */
import type { ClientModel, ClientType } from '../../../src/clients/client-model.ts'
import {
  type CsharpMember,
  type CsharpRecord,
  type CsharpValue,
  fitsDateTime,
  isReference,
  nameRecord,
} from '../../../src/clients/csharp/named-record.ts'
import { block } from '../../../src/clients/csharp/text.ts'

/** `Answer` of the class `RunnerAnswers` in that namespace. */
export function answersFile(model: ClientModel, namespace: string): string {
  const record = nameRecord(model)
  const writers = [
    writerMethod(record.typeName, record.members),
    ...record.types.flatMap((type) =>
      type.kind === 'struct' ? [writerMethod(type.typeName, type.members)] : [],
    ),
  ]
  const methods = [answerMethod(record), ...writers].flat()
  return block(`namespace ${namespace}`, block('internal static class RunnerAnswers', methods)).join('\n')
}

function answerMethod({ prefix, typeName }: CsharpRecord): string[] {
  return block('internal static string Answer(string asked)', [
    'var json = new global::RecgateTests.JsonText();',
    `${typeName} record;`,
    `${prefix}DecodeError error;`,
    'if (asked == "default")',
    '{',
    `    record = ${prefix}Decoder.DefaultRecord();`,
    `    if ((record == null) == ${prefix}Decoder.HasDefaultRecord) return "HasDefaultRecord is wrong";`,
    '    if (record == null) return "none";',
    '}',
    'else',
    '{',
    '    var framed = global::RecgateTests.FramedBytes.Of(asked);',
    '    var before = (byte[])framed.Clone();',
    '    int frame = global::RecgateTests.FramedBytes.Frame;',
    `    bool good = ${prefix}Decoder.TryDecode(framed, frame, framed.Length - 2 * frame, out record, out error);`,
    '    if (global::System.Convert.ToBase64String(framed) != global::System.Convert.ToBase64String(before)) return "bytes were written";',
    '    if (good != (record != null) || good != (error.CodeText == "")) return "result, record and error contradict each other";',
    '    if (!good) return ("error " + error.CodeText + " " + error.Field).TrimEnd();',
    '}',
    'Write(json, record);',
    'return json.ToString();',
  ])
}

function writerMethod(typeName: string, members: readonly CsharpMember[]): string[] {
  return block(`internal static void Write(global::RecgateTests.JsonText json, ${typeName} record)`, [
    "json.Open('{');",
    ...members.flatMap((member) => writeMember(member)),
    "json.Close('}');",
  ])
}

function writeMember({ member, property, value }: CsharpMember): string[] {
  const read = `record.${property}`
  const name = `json.Name("${member.name}");`
  if (!value.value.optional) return [name, ...writeValue(value, read, 1)]
  const there = isReference(value) ? read : `${read}.Value`
  return block(`if (${read} != null)`, [name, ...writeValue(value, there, 1)])
}

function writeValue(value: CsharpValue, read: string, depth: number): string[] {
  const { type } = value.value
  switch (type.kind) {
    case 'enum':
      return [`json.Write(${read}.Text());`]
    case 'struct':
      return [`Write(json, ${read});`]
    case 'timestamp':
      return [
        fitsDateTime(type)
          ? `json.Write(${read}, ${hasFraction(type)});`
          : `json.WriteUnixMs(${read}, ${hasFraction(type)});`,
      ]
    case 'list':
      return [
        "json.Open('[');",
        ...block(`foreach (${value.item!.typeName} item${depth} in ${read})`, [
          'json.Next();',
          ...writeValue(value.item!, `item${depth}`, depth + 1),
        ]),
        "json.Close(']');",
      ]
    default:
      return [`json.Write(${read});`]
  }
}

function hasFraction({ fromMs, resolutionMs }: Extract<ClientType, { kind: 'timestamp' }>): boolean {
  return fromMs % 1000 !== 0 || resolutionMs % 1000 !== 0
}
