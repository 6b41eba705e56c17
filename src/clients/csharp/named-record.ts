/** A model's record with everything named as C# has it: types, properties, enum members. */
import type { ClientMember, ClientModel, ClientType, ClientValue } from '../client-model.ts'
import { NameScope, pascalCase } from './names.ts'

export interface CsharpRecord {
  /** `Games`, before every type of the model that a game's code names. */
  readonly prefix: string
  /** The record's own type. */
  readonly typeName: string
  readonly members: readonly CsharpMember[]
  /** All types but the record's own, in the order of the schema; each is a struct's class or an enum. */
  readonly types: readonly CsharpNamedType[]
}

export interface CsharpMember {
  /** The schema's. */
  readonly member: ClientMember
  readonly property: string
  readonly value: CsharpValue
}

export interface CsharpValue {
  readonly value: ClientValue
  /** The names of the fields from the record to here, without `[n]`. */
  readonly path: string
  /** Of a value that is there: `int`, `GamesSegment`, `double[]`. */
  readonly typeName: string
  /** Of a list. */
  readonly item: CsharpValue | null
  /** Of an enum or a struct. */
  readonly named: CsharpNamedType | null
}

export type CsharpNamedType =
  | {
      readonly kind: 'struct'
      /** The value's. */
      readonly path: string
      readonly typeName: string
      readonly members: readonly CsharpMember[]
    }
  | {
      readonly kind: 'enum'
      readonly path: string
      readonly typeName: string
      readonly values: readonly string[]
      /** In the values' order. */
      readonly names: readonly string[]
    }

/** What every class has from System.Object. */
const objectMembers = [
  'Equals',
  'Finalize',
  'GetHashCode',
  'GetType',
  'MemberwiseClone',
  'ReferenceEquals',
  'ToString',
]

/** Types that no game's code names: they need no prefix, and only must not be taken. */
const runtimeTypes = [
  'BitReader',
  'Fetch',
  'FetchAnswer',
  'FetchCore',
  'FetchStep',
  'HeaderText',
  'KeptAnswer',
  'ParameterCheck',
  'ProblemText',
]

/** What follows the model's prefix in those that have it. */
const decoderTypes = ['Record', 'Decoder', 'Texts', 'DecodeError', 'DecodeErrorCode', 'DecodeException']
const fetchTypes = ['Parameters', 'Result', 'Source', 'FetchOptions']
const fetcherTypes = ['HttpFetcher', 'UnityFetcher', 'TokenCallback', 'UnityTokenCallback']

/** The least Unix time that a DateTime holds: 0001-01-01T00:00:00Z. RFC 3339 begins a year earlier. */
const dateTimeMsMin = -62_135_596_800_000

export function fitsDateTime(type: Extract<ClientType, { kind: 'timestamp' }>): boolean {
  return type.fromMs >= dateTimeMsMin
}

export function fitsInt(type: Extract<ClientType, { kind: 'integer' }>): boolean {
  return type.min >= -(2 ** 31) && type.max < 2 ** 31
}

export function nameRecord(model: ClientModel): CsharpRecord {
  const prefix = pascalCase(model.modelId, 'Model')
  const taken = [...decoderTypes, ...fetchTypes, ...fetcherTypes].map((name) => prefix + name)
  const naming = new Naming(new NameScope([...runtimeTypes, ...taken]))
  const typeName = `${prefix}Record`
  const members = naming.members(model.members, typeName, prefix, '')
  return { prefix, typeName, members, types: naming.types }
}

class Naming {
  readonly types: CsharpNamedType[] = []
  readonly #scope: NameScope

  constructor(scope: NameScope) {
    this.#scope = scope
  }

  /** @param within the type that they are in @param stem what names of types below begin with */
  members(members: readonly ClientMember[], within: string, stem: string, path: string): CsharpMember[] {
    // A class has no member of its own name.
    const scope = new NameScope([...objectMembers, within])
    return members.map((member) => {
      const property = scope.take(pascalCase(member.name, '_'))
      const memberPath = path === '' ? member.name : `${path}.${member.name}`
      return { member, property, value: this.#value(member.value, stem + property, memberPath) }
    })
  }

  #value(value: ClientValue, stem: string, path: string): CsharpValue {
    const { type } = value
    const leaf = (typeName: string): CsharpValue => ({ value, path, typeName, item: null, named: null })
    switch (type.kind) {
      case 'bool':
        return leaf('bool')
      case 'integer':
        return leaf(fitsInt(type) ? 'int' : 'long')
      case 'fixed':
        return leaf('double')
      case 'timestamp':
        return leaf(fitsDateTime(type) ? 'global::System.DateTime' : 'long')
      case 'string':
        return leaf('string')
      case 'bytes':
        return leaf('byte[]')
      case 'list': {
        const item = this.#value(type.item, `${stem}Item`, path)
        return { value, path, typeName: `${item.typeName}[]`, item, named: null }
      }
      case 'struct': {
        const typeName = this.#scope.take(stem)
        const place = this.types.length
        const members = this.members(type.members, typeName, stem, path)
        const named = { kind: type.kind, path, typeName, members }
        // Before those that are in it.
        this.types.splice(place, 0, named)
        return { value, path, typeName, item: null, named }
      }
      case 'enum': {
        const named = { kind: type.kind, path, typeName: this.#scope.take(stem), ...enumNames(type.values) }
        this.types.push(named)
        return { value, path, typeName: named.typeName, item: null, named }
      }
    }
  }
}

function enumNames(values: readonly string[]) {
  const scope = new NameScope()
  const names = values.map((value, index) => scope.take(pascalCase(value, `Value${index}`)))
  return { values, names }
}

/** Whether C# holds its absence as null without a `?`. */
export function isReference({ value: { type } }: CsharpValue): boolean {
  return type.kind === 'string' || type.kind === 'bytes' || type.kind === 'list' || type.kind === 'struct'
}

/** Of a property: with a `?` where only that lets it be absent. */
export function propertyType(value: CsharpValue): string {
  return value.value.optional && !isReference(value) ? `${value.typeName}?` : value.typeName
}
