/** Functions that read structs from bits, field by field, in the order of their bits. */
import type { CppEnum, CppList, CppMember, CppStruct, CppValue } from './cpp-model.ts'
import { doubleLiteral, integerLiteral } from './literals.ts'
import { expressionOf } from './value-expressions.ts'

export function structReader({ name, members }: CppStruct): string {
  return functionText(`inline bool read_members(BitReader& reader, ${name}& value)`, [
    ...members.flatMap((member) => readMember(member, 'value')),
    'return true;',
  ])
}

export function recordReader(members: readonly CppMember[]): string {
  return functionText('inline bool read_record(BitReader& reader, Record& record)', [
    'unsigned revision = 0;',
    'if (!reader.read_revision(revision)) return false;',
    ...members.flatMap((member) => (member.since === 1 ? readMember(member, 'record') : readLater(member))),
    '// What a newer schema has put behind the fields that are known here is ignored.',
    'return revision > schema_revision || reader.read_end();',
  ])
}

function functionText(head: string, lines: readonly string[]): string {
  return `${[`${head} {`, ...indented(lines), '}'].join('\n')}\n`
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

/** Records of former revisions don't have its bits. */
function readLater(member: CppMember): string[] {
  const { name, since, value } = member
  const read = [`if (revision >= ${since}) {`, ...indented(readMember(member, 'record'))]
  if (value.standIn === undefined) return [...read, '}']
  return [...read, '} else {', `  record.${name} = ${expressionOf(value, value.standIn)};`, '}']
}

function readMember({ name, value }: CppMember, owner: string): string[] {
  const target = `${owner}.${name}`
  if (!value.optional) return readValue(value, target, 1)
  const present = `if (!reader.read_present("${value.path}", ${target})) return false;`
  const { type } = value
  if (type.kind === 'enum' && type.unknown === null) {
    const read = `reader.read_enum(${enumBits(value.path, type)}, std::nullopt, ${target})`
    return [present, `if (${target} && !${read}) return false;`]
  }
  const inner = readValue(value, `*${target}`, 1)
  return [present, `if (${target}) {`, ...indented(inner), '}']
}

/** @param depth of lists in one another, the outermost at 1 */
function readValue(value: CppValue, target: string, depth: number): string[] {
  if (value.type.kind === 'list') return readList(value, value.type, target, depth)
  return [`if (!${readCall(value, target)}) return false;`]
}

function readList({ path, typeName }: CppValue, list: CppList, target: string, depth: number): string[] {
  const [items, count, item] = ['items', 'count', 'item'].map((name) => (depth === 1 ? name : name + depth))
  const moved = ['bool', 'integer', 'fixed', 'enum', 'timestamp'].includes(list.item.type.kind)
    ? item!
    : `std::move(${item})`
  const body = [
    `${typeName}& ${items} = ${target};`,
    `std::size_t ${count} = 0;`,
    `if (!reader.read_length("${path}", ${list.countBits}, ${list.maxItems}, ${count})) return false;`,
    `${items}.reserve(${count});`,
    `while (${items}.size() < ${count}) {`,
    ...indented([
      `${list.item.typeName} ${item}{};`,
      ...readValue(list.item, item!, depth + 1),
      `${items}.push_back(${moved});`,
    ]),
    '}',
  ]
  return ['{', ...indented(body), '}']
}

function readCall({ path, type }: CppValue, target: string): string {
  switch (type.kind) {
    case 'bool':
      return `reader.read_bool("${path}", ${target})`
    case 'integer': {
      const [offsetMax, least] = [type.max - type.min, type.min].map(integerLiteral)
      return `reader.read_integer("${path}", ${type.bits}, ${offsetMax}, ${least}, ${target})`
    }
    case 'fixed': {
      const { bits, steps, minUnits, stepUnits, unitsPerOne } = type
      const grid = [steps, minUnits, stepUnits].map(integerLiteral).join(', ')
      return `reader.read_fixed("${path}", ${bits}, ${grid}, ${doubleLiteral(unitsPerOne)}, ${target})`
    }
    case 'enum': {
      // Without room no value is unknown, and any stands in for none.
      const unknown = `${type.name}::${type.enumerators[type.unknown ?? 0]}`
      return `reader.read_enum(${enumBits(path, type)}, ${unknown}, ${target})`
    }
    case 'timestamp': {
      const grid = [type.fromMs, type.resolutionMs].map(integerLiteral).join(', ')
      return `reader.read_timestamp("${path}", ${type.bits}, ${grid}, ${target})`
    }
    case 'string':
      return `reader.read_string("${path}", ${type.lengthBits}, ${type.maxBytes}, ${target})`
    case 'bytes':
      return `reader.read_bytes("${path}", ${type.lengthBits}, ${type.maxBytes}, ${target})`
    case 'list':
      throw new Error('lists are read item by item')
    case 'struct':
      return `read_members(reader, ${target})`
  }
}

function enumBits(path: string, { bits, values, room }: CppEnum): string {
  return `"${path}", ${bits}, ${values.length}, ${room}`
}
