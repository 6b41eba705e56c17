/**
 * The part of a decoder that reads fields: one line of straight code for each, and a function for each list and struct.
 * Locals are called `$` and the field's name, which no field's name begins with, nor a word of the language.
 */
import type { ClientMember, ClientType, ClientValue } from '../client-model.ts'
import { isInherited, literal, quoted, withoutPrototype } from './literals.ts'
import { type TypeNames, typeText, valuesName } from './type-names.ts'

export interface ReadMembers {
  /** Lines of a function's body that read the members into locals, in the order of their bits. */
  readonly lines: readonly string[]
  /** Lines that return them as one object. */
  readonly returns: readonly string[]
}

/** @param typeName of the object; @param path of the object in the record, empty for the record itself */
export function readMembers(
  members: readonly ClientMember[],
  typeName: string,
  path: string,
  names: TypeNames,
): ReadMembers {
  const lines = members.map(({ name, since, value }) => {
    const type = typeText(value.type, names)
    const read = readValue(value, path === '' ? name : `${path}.${name}`, names)
    const standIn = value.standIn === undefined ? 'undefined' : literal(value.type, value.standIn)
    const text = since === 1 ? read : `bits.revision < ${since} ? ${standIn} : ${read}`
    return `const $${name}: ${value.optional ? `${type} | undefined` : type} = ${text}`
  })
  const there = members.filter(({ value }) => !value.optional).map(({ name }) => `${name}: $${name}`)
  const object = there.length === 0 ? '{}' : `{ ${there.join(', ')} }`
  const optional = members.filter(({ value }) => value.optional)
  if (optional.length === 0) return { lines, returns: [`return ${object}`] }
  const all = optional.some(({ name }) => isInherited(name)) ? withoutPrototype(object) : object
  const mutable = `{ -readonly [Name in keyof ${typeName}]: ${typeName}[Name] }`
  return {
    lines,
    returns: [
      `const all: ${mutable} = ${all}`,
      ...optional.map(({ name }) => `if ($${name} !== undefined) all.${name} = $${name}`),
      'return all',
    ],
  }
}

/** The readers of all lists and structs in these fields, as functions. */
export function readerFunctions(
  members: readonly ClientMember[],
  path: string,
  names: TypeNames,
): readonly string[] {
  return members.flatMap(({ name, value }) => readersOf(value, path === '' ? name : `${path}.${name}`, names))
}

function readersOf({ type }: ClientValue, path: string, names: TypeNames): readonly string[] {
  if (type.kind === 'list') {
    const itemType = typeText(type.item.type, names)
    const item = itemType.startsWith('readonly ') ? `(${itemType})` : itemType
    const text = [
      `function read${names.of(type)}(bits: Bits): ${item}[] {`,
      `  const count = ${readLength(type.countBits, type.maxItems, path)}`,
      `  const items: ${item}[] = []`,
      `  while (items.length < count) items.push(${readValue(type.item, path, names)})`,
      '  return items',
      '}',
    ]
    return [text.join('\n'), ...readersOf(type.item, path, names)]
  }
  if (type.kind === 'struct') {
    const name = names.of(type)
    const { lines, returns } = readMembers(type.members, name, path, names)
    const text = [`function read${name}(bits: Bits): ${name} {`, ...indented([...lines, ...returns]), '}']
    return [text.join('\n'), ...readerFunctions(type.members, path, names)]
  }
  return []
}

export function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

/** An expression that reads a value's bits, the presence bit included. */
function readValue({ type, optional }: ClientValue, path: string, names: TypeNames): string {
  const read = readType(type, path, names)
  return optional ? `readBits(bits, 1, ${quoted(path)}) === 0 ? undefined : ${read}` : read
}

function readType(type: ClientType, path: string, names: TypeNames): string {
  switch (type.kind) {
    case 'bool':
      return `readBits(bits, 1, ${quoted(path)}) === 1`
    case 'integer':
      return sum(readUpTo(type.bits, type.max - type.min, path), type.min)
    case 'fixed':
      return readFixed(type, path)
    case 'enum':
      return readEnum(type, path, names)
    case 'timestamp': {
      const count = product(readUpTo(type.bits, 2 ** type.bits - 1, path), type.resolutionMs)
      return `new Date(${sum(count, type.fromMs)})`
    }
    case 'string':
    case 'bytes': {
      const length = readLength(type.lengthBits, type.maxBytes, path)
      return `${type.kind === 'string' ? 'readText' : 'readBytes'}(bits, ${length}, ${quoted(path)})`
    }
    case 'list':
    case 'struct':
      return `read${names.of(type)}(bits)`
  }
}

function readFixed(type: Extract<ClientType, { kind: 'fixed' }>, path: string): string {
  const units = sum(product(readUpTo(type.bits, type.steps, path), type.stepUnits), type.minUnits)
  if (type.unitsPerOne === 1) return units
  const isSingle = type.stepUnits === 1 && type.minUnits === 0
  return `${isSingle ? units : `(${units})`} / ${type.unitsPerOne}`
}

function readEnum(type: Extract<ClientType, { kind: 'enum' }>, path: string, names: TypeNames): string {
  const { values, room, unknown } = type
  const value = `${valuesName(names.of(type))}[${readUpTo(type.bits, room - 1, path)}]`
  if (room === values.length) return `${value}!`
  return unknown === null ? value : `${value} ?? ${quoted(values[unknown]!)}`
}

/** Bits that may hold too much are looked at; a field of no bits is 0. */
function readUpTo(bits: number, max: number, path: string): string {
  if (bits === 0) return '0'
  if (max === 2 ** bits - 1) return `readBits(bits, ${bits}, ${quoted(path)})`
  return `readUpTo(bits, ${bits}, ${max}, ${quoted(path)})`
}

function readLength(bits: number, max: number, path: string): string {
  if (max === 2 ** bits - 1) return `readBits(bits, ${bits}, ${quoted(path)})`
  return `readLength(bits, ${bits}, ${max}, ${quoted(path)})`
}

function product(factor: string, by: number): string {
  return by === 1 ? factor : `${factor} * ${by}`
}

function sum(term: string, more: number): string {
  if (more === 0) return term
  return more < 0 ? `${term} - ${-more}` : `${term} + ${more}`
}
