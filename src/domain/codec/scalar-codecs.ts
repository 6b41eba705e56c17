/**
 * Fields of one number or one choice; each is so many bits and nothing else:
 *
 *     bool                     1                  0 false, 1 true
 *     uint { max }             width(max+1)       the number
 *     int { min, max }         width(max−min+1)   the number − min
 *     fixed { min, max, step } width(steps+1)     steps from min
 *     enum { values, room }    width(room or the number of values)   index into values
 *
 * width(n) is the bits of n−1; patterns above n−1 are refused.
 */
import { limits } from '../limits.ts'
import { type BitReader, widthOf } from './bits.ts'
import { refused } from './codec-error.ts'
import { absent, absentJson, type FieldCodec, unreadable } from './field-codec.ts'
import { fixedGrid, nearestStep, valueAt } from './fixed-grid.ts'
import type { BoolField, EnumField, FixedField, IntField, UintField } from './record-field.ts'

export function boolCodec(_field: BoolField): FieldCodec {
  const fits = 'true or false'
  return {
    fits,
    bitsMax: 1,
    valuesMax: 1,
    write: (writer, value) => {
      if (typeof value !== 'boolean') throw refused('value-type', value, fits)
      writer.write(value ? 1 : 0, 1)
    },
    read: (reader) => reader.read(1) === 1,
    json: (reader) => (reader.read(1) === 1 ? 'true' : 'false'),
  }
}

export function uintCodec({ max }: UintField): FieldCodec {
  return wholeNumberCodec(0, max)
}

export function intCodec({ min, max }: IntField): FieldCodec {
  return wholeNumberCodec(min, max)
}

function wholeNumberCodec(min: number, max: number): FieldCodec {
  const fits = `a whole number from ${min} to ${max}`
  const offsetMax = max - min
  const width = widthOf(offsetMax + 1)
  const read = (reader: BitReader) => {
    const offset = reader.read(width)
    if (offset > offsetMax) throw unreadable('bits-range', `${offset + min}`, fits)
    return offset + min
  }
  return {
    fits,
    bitsMax: width,
    valuesMax: 1,
    write: (writer, value) => {
      const number = numberOf(value, fits)
      if (number < min || number > max) throw refused('value-range', value, fits)
      if (!Number.isInteger(number)) throw refused('value-type', value, fits)
      writer.write(number - min, width)
    },
    read,
    json: (reader) => `${read(reader)}`,
  }
}

/** A bigint beyond 2^53 may round, but never back into a field's bounds. */
function numberOf(value: unknown, fits: string): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || Number.isNaN(number)) throw refused('value-type', value, fits)
  return number
}

export function fixedCodec(field: FixedField): FieldCodec {
  const grid = fixedGrid(field)
  const { steps } = grid
  const fits = `a number from ${field.min} to ${field.max} in steps of ${field.step}`
  const width = widthOf(steps + 1)
  // Printing a double takes ~100 ns, a look-up ~14 (Node 24), and a recommendation has many scores.
  const texts: (string | undefined)[] | null =
    steps <= limits.fixedTextsStepsMax ? new Array(steps + 1).fill(undefined) : null
  const readStep = (reader: BitReader) => {
    const step = reader.read(width)
    if (step > steps) throw unreadable('bits-range', `step ${step} of ${steps}`, fits)
    return step
  }
  return {
    fits,
    bitsMax: width,
    valuesMax: 1,
    write: (writer, value) => {
      const number = numberOf(value, fits)
      const step = Number.isFinite(number) ? nearestStep(grid, number) : number
      if (step < 0 || step > steps) throw refused('value-range', value, fits)
      writer.write(step, width)
    },
    read: (reader) => valueAt(grid, readStep(reader)),
    json: (reader) => {
      const step = readStep(reader)
      if (texts === null) return `${valueAt(grid, step)}`
      const known = texts[step]
      if (known !== undefined) return known
      const text = `${valueAt(grid, step)}`
      texts[step] = text
      return text
    },
  }
}

export function enumCodec(field: EnumField): FieldCodec {
  const { values } = field
  const room = field.room ?? values.length
  const width = widthOf(room)
  const fits = `one of ${listed(values)}`
  const indexes = new Map(values.map((value, index) => [value, index]))
  const texts = values.map((value) => JSON.stringify(value))
  // A newer schema may know what this one doesn't. The schema check sees to it that something can stand in.
  const standIn = typeof field.default === 'string' ? field.default : absent
  const standInJson = standIn === absent ? absentJson : JSON.stringify(standIn)
  const unknown = (index: number) => unreadable('bits-range', `value ${index}, with room for ${room}`, fits)
  return {
    fits,
    bitsMax: width,
    valuesMax: 1,
    write: (writer, value) => {
      if (typeof value !== 'string') throw refused('value-type', value, fits)
      const index = indexes.get(value)
      if (index === undefined) throw refused('value-unknown', value, fits)
      writer.write(index, width)
    },
    read: (reader) => {
      const index = reader.read(width)
      if (index < values.length) return values[index]
      if (index >= room) throw unknown(index)
      return standIn
    },
    json: (reader) => {
      const index = reader.read(width)
      if (index < texts.length) return texts[index]!
      if (index >= room) throw unknown(index)
      return standInJson
    },
  }
}

const listedValuesMax = 8

function listed(values: readonly string[]): string {
  const shown = values.slice(0, listedValuesMax).map((value) => JSON.stringify(value))
  const left = values.length - shown.length
  return left === 0 ? shown.join(', ') : `${shown.join(', ')} and ${left} more`
}
