import type { ClientMember, ClientParameter, ClientType, ClientValue } from '../client-model.ts'
import { quoted, shown } from './literals.ts'

/** What a reader of the generated code wants to know of a field: bounds, units, and what stands in for it. */
export function memberComment({ since, value }: ClientMember): string {
  const sentences = [valueSentence(value)]
  if (value.optional) sentences.push('Absent where there is none.')
  if (since > 1) sentences.push(growthSentence(since, value))
  return comment(sentences.filter((sentence) => sentence !== '').join(' '))
}

export function parameterComment({ accepts }: ClientParameter): string {
  switch (accepts.type) {
    case 'values':
      return comment(`One of ${accepts.values.length} values.`)
    case 'uint':
      return comment(`A whole number from 0 to ${accepts.max}.`)
    case 'id':
      return comment(`1 to ${accepts.maxBytes} of A-Z, a-z, 0-9, "_", "." and "-".`)
  }
}

const shownCharactersMax = 60

function growthSentence(since: number, { standIn }: ClientValue): string {
  const text = standIn === undefined ? 'absent' : shown(standIn)
  const older = text.length > shownCharactersMax ? 'what the schema says' : text
  return `Since revision ${since} of the schema; in records that are older: ${older}.`
}

/** With the end of its line; nothing for nothing. No text can end it early. */
function comment(text: string): string {
  return text === '' ? '' : `/** ${text.replaceAll('*/', '*\\/')} */\n`
}

function valueSentence({ type }: ClientValue): string {
  switch (type.kind) {
    case 'bool':
      return 'True or false.'
    case 'integer':
      return `A whole number from ${type.min} to ${type.max}.`
    case 'fixed':
      return `From ${type.min} to ${type.max} in steps of ${type.step}.`
    case 'enum':
      return enumSentence(type)
    case 'timestamp':
      return `In steps of ${type.resolutionMs / 1_000} s from ${new Date(type.fromMs).toISOString()}.`
    case 'string':
      return `At most ${type.maxBytes} bytes of UTF-8.`
    case 'bytes':
      return `At most ${type.maxBytes} bytes.`
    case 'list':
      return `At most ${type.maxItems} items. ${valueSentence(type.item)}`.trim()
    case 'struct':
      return ''
  }
}

function enumSentence({ values, room, unknown }: Extract<ClientType, { kind: 'enum' }>): string {
  const count = values.length === 1 ? 'One value.' : `One of ${values.length} values.`
  if (room === values.length) return count
  const instead = unknown === null ? 'Absent' : quoted(values[unknown]!)
  return `${count} ${instead} where the record has one that is newer than this file.`
}
