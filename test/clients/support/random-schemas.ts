/** Record schemas of any kind, with weight on what is easily got wrong, each with the states in which it grew. */

import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import type { RecordField } from '../../../src/domain/codec/record-field.ts'
import { type RecordSchema, recordSchemaFaults } from '../../../src/domain/codec/record-schema.ts'
import { limits } from '../../../src/domain/limits.ts'
import type { Random } from './random.ts'
import { randomText, randomValue } from './random-records.ts'

/** From the first state to the newest; each reads what the others write. */
export type SchemaStates = readonly RecordSchema[]

const names = [
  'id',
  'score',
  'class',
  'int',
  'Default',
  'default',
  'toString',
  'values',
  'operator',
  'a_b',
  'aB',
  'AB',
  'value',
  'item',
  'Item',
  'has_x',
  'hasX',
  'x',
  'record',
  'error',
  'games',
  'offer',
  'Offer',
  '_',
  'self',
  'string',
]

/** Worst-case bytes of most records: longer ones take long, and say little that short ones don't. */
const usualBytesMax = 400

export function randomStates(random: Random): SchemaStates {
  for (;;) {
    const states = grownStates(random)
    const newest = states.at(-1)!
    if (recordSchemaFaults(newest).length > 0) continue
    if (compileRecordSchema(newest).bytesMax <= usualBytesMax || random.chance(0.05)) return states
  }
}

function grownStates(random: Random): RecordSchema[] {
  const first = Object.fromEntries(randomMembers(random, 4, random.whole(1, 7), 'record'))
  const states: RecordSchema[] = [first]
  let since = 1
  for (
    let grown = random.weighted([
      [4, 0],
      [3, 1],
      [2, 2],
      [1, 3],
    ]);
    grown > 0;
    grown--
  ) {
    since = random.chance(0.1) ? limits.recordRevisionMax : since + random.whole(1, 3)
    if (since > limits.recordRevisionMax) break
    states.push(nextState(random, states.at(-1)!, since))
  }
  return states
}

function nextState(random: Random, previous: RecordSchema, since: number): RecordSchema {
  const kept = Object.entries(previous).map(([name, field]) => [name, withMoreValues(random, field)] as const)
  const added = randomMembers(random, 4, random.whole(1, 3), 'record')
    .filter(([name]) => !Object.hasOwn(previous, name))
    .map(([name, field]) => {
      const bare = field.optional !== true && field.default === undefined
      const standIn = bare ? { default: randomValue(random, field) } : {}
      return [name, { ...field, since, ...standIn }] as const
    })
  return Object.fromEntries([...kept, ...added])
}

/** The same field; values may be appended to an enum that has room for them. */
function withMoreValues(random: Random, field: RecordField): RecordField {
  if (field.type === 'list') return { ...field, items: withMoreValues(random, field.items) }
  if (field.type === 'struct') {
    const fields = Object.entries(field.fields).map(([name, inner]) => [name, withMoreValues(random, inner)])
    return { ...field, fields: Object.fromEntries(fields) }
  }
  if (field.type !== 'enum' || field.room === undefined) return field
  const more = random.whole(0, Math.min(3, field.room - field.values.length))
  return { ...field, values: enumValues(random, field.values, field.values.length + more) }
}

type Place = 'record' | 'list' | 'struct'

function randomMembers(random: Random, levels: number, count: number, place: Place): [string, RecordField][] {
  const members = new Map<string, RecordField>()
  while (members.size < count) {
    const name = random.chance(0.5) ? random.pick(names) : `f${random.whole(0, 999)}`
    if (!members.has(name)) members.set(name, randomField(random, levels, place))
  }
  return [...members]
}

/** @param levels How deep it may nest, itself included. */
function randomField(random: Random, levels: number, place: Place): RecordField {
  const bare = randomType(random, levels)
  const optional = place !== 'list' && random.chance(0.3)
  const field: RecordField = optional ? { ...bare, optional: true } : bare
  // Where an enum has room, something must stand in for its unknown values.
  const needed = bare.type === 'enum' && bare.room !== undefined && !optional
  return needed || random.chance(0.15) ? { ...field, default: randomValue(random, field) } : field
}

function randomType(random: Random, levels: number): RecordField {
  const kind = random.weighted([
    [2, 'bool'],
    [3, 'uint'],
    [3, 'int'],
    [4, 'fixed'],
    [4, 'enum'],
    [3, 'timestamp'],
    [4, 'string'],
    [2, 'bytes'],
    [levels > 1 ? 5 : 0, 'list'],
    [levels > 1 ? 4 : 0, 'struct'],
  ] as const)
  switch (kind) {
    case 'bool':
      return { type: 'bool' }
    case 'uint':
      return { type: 'uint', max: randomSpan(random) }
    case 'int': {
      const span = randomSpan(random)
      const min = random.edgy(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - span)
      return { type: 'int', min, max: min + span }
    }
    case 'fixed':
      return randomFixed(random)
    case 'enum':
      return randomEnum(random)
    case 'timestamp':
      return randomTimestamp(random)
    case 'string':
    case 'bytes':
      return {
        type: kind,
        maxBytes: random.weighted([
          [5, random.whole(1, 24)],
          [1, random.whole(25, 300)],
        ]),
      }
    case 'list': {
      const maxItems = random.weighted([
        [8, random.whole(1, 7)],
        [1, random.whole(8, 70)],
      ])
      return { type: 'list', maxItems, items: randomField(random, levels - 1, 'list') }
    }
    case 'struct': {
      const members = randomMembers(random, levels - 1, random.whole(1, 4), 'struct')
      return { type: 'struct', fields: Object.fromEntries(members) }
    }
  }
}

/** How far a range reaches: around powers of two, and up to 53 bits. */
function randomSpan(random: Random): number {
  const power = 2 ** random.whole(0, 53)
  return Math.max(
    0,
    Math.min(Number.MAX_SAFE_INTEGER, random.pick([power - 2, power - 1, power, random.whole(0, power)])),
  )
}

function randomFixed(random: Random): RecordField {
  const scale = random.weighted([
    [4, random.whole(1, 3)],
    [2, random.whole(0, 15)],
    [1, random.whole(16, 22)],
  ])
  const unitsMax = scale === 0 ? Number.MAX_SAFE_INTEGER : 999_999_999_999_999
  const stepUnits = random.pick([1, 1, 2, 5, 25, 3, 7, random.whole(1, 1000)])
  const minUnits = random.pick([
    0,
    0,
    -100,
    random.whole(-1000, 1000),
    random.whole(-unitsMax, unitsMax),
    -unitsMax,
  ])
  const room = Math.min(unitsMax - minUnits, Number.MAX_SAFE_INTEGER)
  const steps = Math.min(randomSpan(random), Math.floor(room / stepUnits))
  const decimal = (units: number) => Number(`${units}e-${scale}`) + 0
  return {
    type: 'fixed',
    min: decimal(minUnits),
    max: decimal(minUnits + steps * stepUnits),
    step: decimal(stepUnits),
  }
}

function randomEnum(random: Random): RecordField {
  const count = random.weighted([
    [8, random.whole(1, 9)],
    [1, random.whole(10, 300)],
  ])
  const values = enumValues(random, [], count)
  if (random.chance(0.5)) return { type: 'enum', values }
  return {
    type: 'enum',
    values,
    room:
      values.length +
      random.weighted([
        [6, random.whole(0, 20)],
        [1, 1000],
      ]),
  }
}

/** `known`, and others behind them up to `count`. */
function enumValues(random: Random, known: readonly string[], count: number): string[] {
  const values = new Set(known)
  while (values.size < count) {
    const value = random.weighted([
      [3, `v${random.whole(0, 9999)}`],
      [
        1,
        random.pick([
          'class',
          'default',
          '1st',
          'a-b',
          'a b',
          'a_b',
          'aB',
          'None',
          'none',
          '"',
          '\\',
          '*/',
          '-1',
        ]),
      ],
      [1, randomText(random, random.whole(1, 12))],
    ])
    if (value !== '') values.add(value)
  }
  return [...values]
}

function randomTimestamp(random: Random): RecordField {
  const from = random.pick([
    '2026-01-01T00:00:00Z',
    '1970-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '1969-12-31T23:00:00+01:00',
    '2000-02-28T12:00:00.25Z',
    '1899-12-31T23:59:59.999-09:30',
    '9999-01-01T00:00:00Z',
  ])
  const resolutionSeconds = random.pick([0.001, 0.007, 0.25, 1, 1.5, 60, 3600, 86_400])
  const roomMs = Date.parse('9999-12-31T23:59:59.999Z') - Date.parse(from)
  const bitsMax = Math.floor(Math.log2(Math.floor(roomMs / Math.round(resolutionSeconds * 1000)) + 1))
  return { type: 'timestamp', from, resolutionSeconds, bits: random.edgy(1, Math.max(1, bitsMax)) }
}
