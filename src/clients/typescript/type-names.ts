import type { ClientMember, ClientModel, ClientType, ClientValue } from '../client-model.ts'
import { quoted } from './literals.ts'

/** What the generated file declares or uses itself, so that no field's type may be called so. */
const taken = [
  'Bits',
  'Date',
  'DecodeError',
  'DecodeErrorCode',
  'Error',
  'Math',
  'Number',
  'RangeError',
  'String',
  'TextDecoder',
  'Uint8Array',
]

/** Names of what the file of one model declares: each name once, however alike ids and fields are. */
export interface TypeNames {
  /** `Games`, of the model; those of fields go on from it. */
  readonly prefix: string
  /** Of an enum, a list or a struct; a list's name only stands in its reader's. */
  of(type: ClientType): string
}

export function nameTypes(model: ClientModel): TypeNames {
  const prefix = pascalCase(model.modelId)
  const used = new Set([...taken, ...['Record', 'Parameters', 'Model'].map((end) => prefix + end)])
  // `readBits` and the like: a type's reader is `read` and its name.
  for (const end of ['Bits', 'UpTo', 'Length', 'Bytes', 'Text']) used.add(end)
  const names = new Map<ClientType, string>()

  function nameMembers(members: readonly ClientMember[], outer: string): void {
    for (const { name, value } of members) nameValue(value, outer + (pascalCase(name) || 'Field'))
  }

  function nameValue({ type }: ClientValue, wanted: string): void {
    if (type.kind !== 'enum' && type.kind !== 'list' && type.kind !== 'struct') return
    const name = unused(wanted)
    used.add(name)
    names.set(type, name)
    if (type.kind === 'list') nameValue(type.item, `${name}Item`)
    if (type.kind === 'struct') nameMembers(type.members, name)
  }

  function unused(wanted: string): string {
    if (!used.has(wanted)) return wanted
    let number = 2
    while (used.has(`${wanted}${number}`)) number++
    return `${wanted}${number}`
  }

  nameMembers(model.members, prefix)
  return {
    prefix,
    of(type) {
      const name = names.get(type)
      if (name === undefined) throw new Error(`a field of the kind ${type.kind} has no name`)
      return name
    },
  }
}

/** `starter-offer`, `hours_played` → `StarterOffer`, `HoursPlayed`. */
function pascalCase(id: string): string {
  return id
    .split(/[-_]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
}

/** `GamesSegment` → `gamesSegment`. */
export function camelCase(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1)
}

/** The constant that holds an enum's values. */
export function valuesName(typeName: string): string {
  return `${camelCase(typeName)}Values`
}

/** A value's type, without what `optional` adds. */
export function typeText(type: ClientType, names: TypeNames): string {
  switch (type.kind) {
    case 'bool':
      return 'boolean'
    case 'integer':
    case 'fixed':
      return 'number'
    case 'enum':
    case 'struct':
      return names.of(type)
    case 'timestamp':
      return 'Date'
    case 'string':
      return 'string'
    case 'bytes':
      return 'Uint8Array'
    case 'list': {
      const item = typeText(type.item.type, names)
      return `readonly ${item.startsWith('readonly ') ? `(${item})` : item}[]`
    }
  }
}

/** A member's name as it stands in an interface: as it is where it is an identifier. */
export function memberName(name: string): string {
  return isIdentifier(name) ? name : quoted(name)
}

/** What reads the member of an object. */
export function memberAccess(name: string): string {
  return isIdentifier(name) ? `.${name}` : `[${quoted(name)}]`
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}
