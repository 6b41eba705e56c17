/** What a property's doc comment says: the field's name in the schema, its values, and when there is none. */
import { formatInstant } from '../../domain/codec/instant.ts'
import type { ClientMember, ClientType, ClientValue } from '../client-model.ts'
import { fitsDateTime } from './named-record.ts'
import { commentText, summary } from './text.ts'

/** Values of an enum that stand in a comment; all stand with their members. */
const valuesShownMax = 12

export function memberComment({ name, since, value }: ClientMember): string[] {
  const sentences = [`${describe(value.type)}.`]
  if (value.optional) sentences.push('Null where it is absent.')
  if (since > 1) sentences.push(sinceSentence(since, value))
  return summary(`<c>${name}</c>: ${commentText(sentences.join(' '))}`)
}

function sinceSentence(since: number, { standIn }: ClientValue): string {
  const instead = standIn === undefined ? 'null' : JSON.stringify(standIn)
  return `Since revision ${since}; ${instead} for older records.`
}

function describe(type: ClientType): string {
  switch (type.kind) {
    case 'bool':
      return 'true or false'
    case 'integer':
      return `${type.min} to ${type.max}`
    case 'fixed':
      return `${type.min} to ${type.max} in steps of ${type.step}`
    case 'enum':
      return describeEnum(type)
    case 'timestamp':
      return describeTimestamp(type)
    case 'string':
      return `text of at most ${type.maxBytes} bytes of UTF-8`
    case 'bytes':
      return `at most ${type.maxBytes} bytes`
    case 'list':
      return `at most ${type.maxItems} items, each ${describe(type.item.type)}`
    case 'struct':
      return `${type.members.map(({ name }) => name).join(', ')}`
  }
}

function describeEnum({ values, room, unknown }: Extract<ClientType, { kind: 'enum' }>): string {
  const shown = values.slice(0, valuesShownMax).map((value) => JSON.stringify(value))
  const left = values.length - shown.length
  const listed = left === 0 ? shown.join(', ') : `${shown.join(', ')} and ${left} more`
  if (room === values.length) return listed
  const instead = unknown === null ? 'null' : JSON.stringify(values[unknown])
  return `${listed}; ${instead} stands in for values that a newer schema adds`
}

function describeTimestamp(type: Extract<ClientType, { kind: 'timestamp' }>): string {
  const { fromMs, resolutionMs } = type
  const fraction = fromMs % 1000 !== 0 || resolutionMs % 1000 !== 0
  const unit = fitsDateTime(type)
    ? 'UTC'
    : 'Unix time in milliseconds, because a DateTime begins with the year 0001'
  return `${unit}, from ${formatInstant(fromMs, fraction)} in steps of ${resolutionMs / 1000} s`
}
