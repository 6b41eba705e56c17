/** A value as JSON would hold it, as a C# expression of its field's type. */
import { nearestStep } from '../../domain/codec/fixed-grid.ts'
import { parseInstant } from '../../domain/codec/instant.ts'
import type { ClientType } from '../client-model.ts'
import { type CsharpMember, type CsharpValue, fitsDateTime, fitsInt } from './named-record.ts'
import { stringLiteral } from './text.ts'

/** Ticks of a DateTime, 100 ns each, from the year 1 to 1970. */
const unixEpochTicks = 621_355_968_000_000_000n

/** Ticks of an instant or, without `epoch`, of a time between two. */
export function ticks(ms: number, epoch = unixEpochTicks): string {
  return `${epoch + BigInt(ms) * 10_000n}L`
}

export function literal(value: CsharpValue, json: unknown): string {
  const { type } = value.value
  switch (type.kind) {
    case 'bool':
      return String(json === true)
    case 'integer':
      return fitsInt(type) ? String(json) : `${json}L`
    case 'fixed':
      return fixedLiteral(type, Number(json))
    case 'timestamp': {
      const ms = parseInstant(String(json))!
      return fitsDateTime(type)
        ? `new global::System.DateTime(${ticks(ms)}, global::System.DateTimeKind.Utc)`
        : `${ms}L`
    }
    case 'string':
      return stringLiteral(String(json))
    case 'bytes':
      return `new byte[] { ${[...Buffer.from(String(json), 'base64')].join(', ')} }`.replace('{  }', '{ }')
    case 'list':
      return listLiteral(value, json as readonly unknown[])
    case 'struct':
    case 'enum':
      return namedLiteral(value, json)
  }
}

/** As a division, which is exact: not every compiler reads every decimal as the double that is nearest to it. */
function fixedLiteral(type: Extract<ClientType, { kind: 'fixed' }>, number: number): string {
  const units = type.minUnits + nearestStep(type, number) * type.stepUnits
  return `${units}L${perOne(type.unitsPerOne)}`
}

/** What turns units into the value. */
export function perOne(unitsPerOne: number): string {
  return ` / ${unitsPerOne}d`
}

function listLiteral(value: CsharpValue, items: readonly unknown[]): string {
  const all = items.map((item) => literal(value.item!, item))
  return all.length === 0
    ? newArray(value.item!.typeName, '0')
    : `new ${value.typeName} { ${all.join(', ')} }`
}

/** `new int[n][]` for an array of `int[]`. */
export function newArray(itemType: string, length: string): string {
  const ranks = itemType.indexOf('[')
  return ranks < 0
    ? `new ${itemType}[${length}]`
    : `new ${itemType.slice(0, ranks)}[${length}]${itemType.slice(ranks)}`
}

function namedLiteral({ named }: CsharpValue, json: unknown): string {
  if (named!.kind === 'enum') return `${named!.typeName}.${named!.names[named!.values.indexOf(String(json))]}`
  return objectLiteral(named!.typeName, named!.members, json as Readonly<Record<string, unknown>>)
}

/** What is absent isn't mentioned, and null by that. */
export function objectLiteral(
  typeName: string,
  members: readonly CsharpMember[],
  json: Readonly<Record<string, unknown>>,
): string {
  const set = members
    .filter(({ member }) => Object.hasOwn(json, member.name))
    .map(({ member, property, value }) => `${property} = ${literal(value, json[member.name])}`)
  return set.length === 0 ? `new ${typeName}()` : `new ${typeName} { ${set.join(', ')} }`
}
