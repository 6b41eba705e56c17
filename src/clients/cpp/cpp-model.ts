/** A client's model with a C++ name and type for everything in it. */
import type { ClientMember, ClientModel, ClientType, ClientValue } from '../client-model.ts'
import { pascalCase, Scope, typesTaken, wordOf } from './identifiers.ts'

type TypeOf<Kind extends ClientType['kind']> = Extract<ClientType, { readonly kind: Kind }>

export interface CppModel {
  readonly members: readonly CppMember[]
  /** Every enum and struct, the ones before those that are made of them. */
  readonly types: readonly (CppEnum | CppStruct)[]
}

export interface CppMember {
  readonly name: string
  /** As the schema has it. */
  readonly field: string
  readonly since: number
  readonly value: CppValue
}

/** A field, or a list's items. */
export interface CppValue {
  /** From the record, as errors name it: `home.x`, also for the `x` of each item of `home`. */
  readonly path: string
  /** Without the std::optional around it. */
  readonly typeName: string
  readonly optional: boolean
  readonly standIn: unknown
  readonly type: CppType
}

export type CppType =
  | TypeOf<'bool' | 'integer' | 'fixed' | 'timestamp' | 'string' | 'bytes'>
  | CppEnum
  | CppList
  | CppStruct

export interface CppEnum extends TypeOf<'enum'> {
  readonly name: string
  readonly path: string
  /** In the order of the values. */
  readonly enumerators: readonly string[]
}

export interface CppList extends Omit<TypeOf<'list'>, 'item'> {
  readonly item: CppValue
}

export interface CppStruct {
  readonly kind: 'struct'
  readonly name: string
  readonly path: string
  readonly members: readonly CppMember[]
}

interface Names {
  readonly types: Scope
  /** Collects as they are met. */
  readonly found: (CppEnum | CppStruct)[]
}

export function describeCppModel(model: ClientModel): CppModel {
  // A struct's member that is called as a type hides it from the members below.
  const names: Names = { types: new Scope([...typesTaken, ...memberNames(model.members)]), found: [] }
  const members = describeMembers(model.members, '', '', names)
  return { members, types: names.found }
}

function memberNames(members: readonly ClientMember[]): string[] {
  return members.flatMap(({ name, value }) => [name, ...namesWithin(value.type)])
}

function namesWithin(type: ClientType): string[] {
  if (type.kind === 'list') return namesWithin(type.item.type)
  return type.kind === 'struct' ? memberNames(type.members) : []
}

/** @param prefix of the names of types: those of the structs around them */
function describeMembers(
  members: readonly ClientMember[],
  path: string,
  prefix: string,
  names: Names,
): CppMember[] {
  const scope = new Scope()
  return members.map(({ name, since, value }) => ({
    name: scope.claim(name),
    field: name,
    since,
    value: describeValue(value, path === '' ? name : `${path}.${name}`, prefix + pascalCase(name), names),
  }))
}

function describeValue(value: ClientValue, path: string, wanted: string, names: Names): CppValue {
  const type = describeType(value.type, path, wanted, names)
  return { path, typeName: typeNameOf(type), optional: value.optional, standIn: value.standIn, type }
}

function describeType(type: ClientType, path: string, wanted: string, names: Names): CppType {
  switch (type.kind) {
    case 'enum': {
      const scope = new Scope()
      const enumerators = type.values.map((text, index) => scope.claim(wordOf(text, index)))
      const found: CppEnum = { ...type, name: names.types.claim(wanted), path, enumerators }
      names.found.push(found)
      return found
    }
    case 'struct': {
      const name = names.types.claim(wanted)
      const members = describeMembers(type.members, path, wanted, names)
      const found: CppStruct = { kind: 'struct', name, path, members }
      names.found.push(found)
      return found
    }
    case 'list':
      return { ...type, item: describeValue(type.item, path, `${wanted}Item`, names) }
    default:
      return type
  }
}

const int32Max = 2 ** 31 - 1

function typeNameOf(type: CppType): string {
  switch (type.kind) {
    case 'bool':
      return 'bool'
    case 'integer':
      // Signed, since differences of unsigned ones wrap; a field's bounds never change, and so its type doesn't.
      return type.min >= -int32Max - 1 && type.max <= int32Max ? 'std::int32_t' : 'std::int64_t'
    case 'fixed':
      return 'double'
    case 'timestamp':
      return 'std::int64_t'
    case 'string':
      return 'std::string'
    case 'bytes':
      return 'std::vector<std::uint8_t>'
    case 'list':
      return `std::vector<${type.item.typeName}>`
    case 'enum':
    case 'struct':
      return type.name
  }
}

/** As a member of a struct has it. */
export function memberTypeOf({ typeName, optional }: CppValue): string {
  return optional ? `std::optional<${typeName}>` : typeName
}
