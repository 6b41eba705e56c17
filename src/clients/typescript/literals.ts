import type { ClientType } from '../client-model.ts'

/** What can stand in a file without looking like it: format and control characters, ends of lines other than LF. */
const invisible = /[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu

/** A string literal. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${visible(inner)}'`
}

/** A value as JSON has it, for a comment. */
export function shown(value: unknown): string {
  return visible(JSON.stringify(value))
}

function visible(text: string): string {
  return text.replace(invisible, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** A value as JSON holds it, as an expression; made anew wherever it stands, since records are their readers'. */
export function literal(type: ClientType, value: unknown): string {
  switch (type.kind) {
    case 'timestamp':
      return `new Date(${Date.parse(value as string)})`
    case 'bytes':
      return `new Uint8Array([${[...Buffer.from(value as string, 'base64')].join(', ')}])`
    case 'list':
      return `[${(value as readonly unknown[]).map((item) => literal(type.item.type, item)).join(', ')}]`
    case 'struct':
      return objectLiteral(type.members, value as Readonly<Record<string, unknown>>)
    case 'string':
    case 'enum':
      return quoted(value as string)
    default:
      return String(value)
  }
}

type Members = Extract<ClientType, { kind: 'struct' }>['members']

/** Of a record or a struct; absent fields are left out. */
export function objectLiteral(members: Members, value: Readonly<Record<string, unknown>>): string {
  const fields = members.flatMap(({ name, value: { type } }) =>
    Object.hasOwn(value, name) ? [`${name}: ${literal(type, value[name])}`] : [],
  )
  const object = `{ ${fields.join(', ')} }`
  const absent = members.filter(({ name }) => !Object.hasOwn(value, name))
  return absent.some(({ name }) => isInherited(name)) ? withoutPrototype(object) : object
}

/** Every object has a `toString`: where a field of that name is absent, a record must have none. */
export function isInherited(name: string): boolean {
  return name in Object.prototype
}

export function withoutPrototype(object: string): string {
  return `Object.assign(Object.create(null), ${object})`
}
