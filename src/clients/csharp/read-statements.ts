/** Statements that read fields from `bits`, a BitReader of templates/csharp/packed-reader.cs. */
import type { ClientType } from '../client-model.ts'
import { newArray, perOne, ticks } from './literal.ts'
import {
  type CsharpMember,
  type CsharpNamedType,
  type CsharpValue,
  fitsDateTime,
  fitsInt,
} from './named-record.ts'
import { block, stringLiteral } from './text.ts'

/** Widest number that the reader's 32 bits hold, wherever it begins. */
const numberBitsMax = 25

export function readMembers(members: readonly CsharpMember[], target: string): string[] {
  return members.flatMap(({ property, value }) => readMember(value, `${target}.${property}`))
}

/** One for each struct, since its class may be nested in several lists. */
export function readerMethod(type: Extract<CsharpNamedType, { kind: 'struct' }>): string[] {
  const { typeName, members } = type
  return block(`private static ${typeName} Read${typeName}(ref BitReader bits)`, [
    `var value = new ${typeName}();`,
    ...readMembers(members, 'value'),
    'return value;',
  ])
}

function readMember(value: CsharpValue, target: string): string[] {
  if (!value.value.optional) return readInto(value, target, 1)
  return block(`if (bits.Bit(${stringLiteral(value.path)}))`, readInto(value, target, 1))
}

/** @param depth of lists around it, so that their variables differ */
function readInto(value: CsharpValue, target: string, depth: number): string[] {
  const { type } = value.value
  if (type.kind === 'list') return readList(value, type, target, depth)
  if (type.kind === 'enum' && type.unknown === null) return readSparseEnum(value, type, target)
  return [`${target} = ${expression(value)};`]
}

function readList(
  { item, path }: CsharpValue,
  { countBits, maxItems }: Extract<ClientType, { kind: 'list' }>,
  target: string,
  depth: number,
): string[] {
  const [items, index] = [`items${depth}`, `index${depth}`]
  const length = `bits.Length(${countBits}, ${maxItems}, ${stringLiteral(path)})`
  // In braces of its own: the next list has the same names.
  return [
    '{',
    `    var ${items} = ${newArray(item!.typeName, length)};`,
    ...block(
      `for (int ${index} = 0; ${index} < ${items}.Length; ${index}++)`,
      readInto(item!, `${items}[${index}]`, depth + 1),
    ).map((line) => `    ${line}`),
    `    ${target} = ${items};`,
    '}',
  ]
}

/** An optional enum without a default: a newer schema's value leaves it absent. */
function readSparseEnum(
  { path, typeName }: CsharpValue,
  { bits, values, room }: Extract<ClientType, { kind: 'enum' }>,
  target: string,
): string[] {
  if (room === values.length)
    return [`${target} = (${typeName})bits.Index(${bits}, ${room}, ${room}, 0, ${stringLiteral(path)});`]
  return [
    '{',
    `    int index = bits.Index(${bits}, ${values.length}, ${room}, -1, ${stringLiteral(path)});`,
    `    if (index >= 0) ${target} = (${typeName})index;`,
    '}',
  ]
}

function expression({ value: { type }, path, typeName, named }: CsharpValue): string {
  const field = stringLiteral(path)
  switch (type.kind) {
    case 'bool':
      return `bits.Bit(${field})`
    case 'integer':
      return integerExpression(type, field)
    case 'fixed':
      return fixedExpression(type, field)
    case 'enum':
      return `(${typeName})bits.Index(${type.bits}, ${type.values.length}, ${type.room}, ${type.unknown}, ${field})`
    case 'timestamp':
      return fitsDateTime(type)
        ? `bits.Instant(${type.bits}, ${ticks(type.fromMs)}, ${ticks(type.resolutionMs, 0n)}, ${field})`
        : `${type.fromMs}L + ${type.resolutionMs}L * bits.ReadLong(${type.bits}, ${field})`
    case 'string':
      return `bits.Text(${type.lengthBits}, ${type.maxBytes}, ${field})`
    case 'bytes':
      return `bits.Bytes(${type.lengthBits}, ${type.maxBytes}, ${field})`
    case 'struct':
      return `Read${named!.typeName}(ref bits)`
    case 'list':
      throw new Error('a list is read by statements')
  }
}

/** A whole number of so many bits, `int` where the reader has it in 32, else `long`. */
function numberExpression(bits: number, max: number, field: string): string {
  return bits <= numberBitsMax
    ? `bits.Number(${bits}, ${max}, ${field})`
    : `bits.LongNumber(${bits}, ${max}L, ${field})`
}

function integerExpression(type: Extract<ClientType, { kind: 'integer' }>, field: string): string {
  const { bits, min, max } = type
  const number = numberExpression(bits, max - min, field)
  const offset = min === 0 ? '' : fitsInt(type) ? `${min} + ` : `${min}L + `
  const sum = `${offset}${number}`
  return fitsInt(type) && bits > numberBitsMax ? `(int)(${sum})` : sum
}

/** Whole units, of which the division makes the double that is nearest to the decimal. */
function fixedExpression(type: Extract<ClientType, { kind: 'fixed' }>, field: string): string {
  const { bits, steps, minUnits, stepUnits, unitsPerOne } = type
  const number = numberExpression(bits, steps, field)
  const scaled = stepUnits === 1 ? number : `${stepUnits}L * ${number}`
  const units = minUnits === 0 ? scaled : `(${minUnits}L + ${scaled})`
  return `${units}${perOne(unitsPerOne)}`
}
