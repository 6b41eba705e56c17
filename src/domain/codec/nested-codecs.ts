/**
 * Fields made of fields:
 *
 *     list { maxItems, items }   item count in width(maxItems+1), then the items
 *     struct { fields }          its fields in order, nothing between them
 *
 * Their loops stand in a try of their own, because only there it is known which item or field failed.
 */
import { type BitReader, type BitWriter, widthOf } from './bits.ts'
import { CodecError, refused, within } from './codec-error.ts'
import { absent, absentJson, type FieldCodec, unreadable } from './field-codec.ts'

export function listCodec(item: FieldCodec, maxItems: number): FieldCodec {
  const fits = `a list of at most ${maxItems} items`
  const width = widthOf(maxItems + 1)
  const readCount = (reader: BitReader) => {
    const count = reader.read(width)
    if (count > maxItems) throw unreadable('length-range', `a count of ${count} items`, fits)
    return count
  }
  return {
    fits,
    bitsMax: width + maxItems * item.bitsMax,
    valuesMax: 1 + maxItems * item.valuesMax,
    write(writer, value) {
      if (!Array.isArray(value)) throw refused('value-type', value, fits)
      if (value.length > maxItems) throw refused('value-too-long', value, fits)
      writer.write(value.length, width)
      let index = 0
      try {
        for (; index < value.length; index++) item.write(writer, value[index])
      } catch (error) {
        throw within(`[${index}]`, error)
      }
    },
    read(reader) {
      const count = readCount(reader)
      const items: unknown[] = []
      try {
        while (items.length < count) items.push(item.read(reader))
      } catch (error) {
        throw within(`[${items.length}]`, error)
      }
      return items
    },
    json(reader) {
      const count = readCount(reader)
      let text = '['
      let index = 0
      try {
        for (; index < count; index++) text += index === 0 ? item.json(reader) : `,${item.json(reader)}`
      } catch (error) {
        throw within(`[${index}]`, error)
      }
      return `${text}]`
    },
  }
}

/** A field under its name. */
export interface Member {
  readonly name: string
  /** `"name":`, and the same after a comma. */
  readonly key: string
  readonly nextKey: string
  readonly codec: FieldCodec
}

export function memberOf(name: string, codec: FieldCodec): Member {
  const key = `${JSON.stringify(name)}:`
  return { name, key, nextKey: `,${key}`, codec }
}

export function structCodec(members: readonly Member[]): FieldCodec {
  const write = membersWriter(members)
  return {
    fits: membersFit(members),
    bitsMax: members.reduce((bits, { codec }) => bits + codec.bitsMax, 0),
    valuesMax: members.reduce((values, { codec }) => values + codec.valuesMax, 1),
    write,
    read: (reader) => readMembers(reader, members),
    json: (reader) => `{${membersJson(reader, members)}}`,
  }
}

function membersFit(members: readonly Member[]): string {
  return `an object with the fields ${members.map(({ name }) => name).join(', ')}`
}

export function membersWriter(members: readonly Member[]): (writer: BitWriter, value: unknown) => void {
  const fits = membersFit(members)
  const names = new Set(members.map(({ name }) => name))
  return (writer, value) => {
    // Maps and the like have values but no keys, and would pass for a record whose every field is missing.
    if (Object.prototype.toString.call(value) !== '[object Object]') {
      throw refused('value-type', value, fits)
    }
    const record = value as Readonly<Record<string, unknown>>
    for (const key of Object.keys(record)) {
      if (!names.has(key)) {
        throw new CodecError('field-unknown', `isn't a field here; what fits is ${fits}`, record[key], key)
      }
    }
    let index = 0
    try {
      for (; index < members.length; index++) {
        const { name, codec } = members[index]!
        // A field may be named `toString`: only what the record has itself counts.
        codec.write(writer, Object.hasOwn(record, name) ? record[name] : undefined)
      }
    } catch (error) {
      throw within(members[index]!.name, error)
    }
  }
}

export function readMembers(reader: BitReader, members: readonly Member[]): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  let index = 0
  try {
    for (; index < members.length; index++) {
      const { name, codec } = members[index]!
      const value = codec.read(reader)
      if (value !== absent) record[name] = value
    }
  } catch (error) {
    throw within(members[index]!.name, error)
  }
  return record
}

/** The inside of a JSON object, without its braces. */
export function membersJson(reader: BitReader, members: readonly Member[]): string {
  let text = ''
  let index = 0
  try {
    for (; index < members.length; index++) {
      const member = members[index]!
      const json = member.codec.json(reader)
      if (json !== absentJson) text += (text === '' ? member.key : member.nextKey) + json
    }
  } catch (error) {
    throw within(members[index]!.name, error)
  }
  return text
}
