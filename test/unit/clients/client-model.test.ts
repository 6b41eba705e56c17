import { describe, expect, test } from 'vitest'
import {
  type ClientType,
  type DescribedModel,
  describeClientModel,
} from '../../../src/clients/client-model.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'

/** A model with this record schema and nothing else to speak of. */
function described(record: Record<string, unknown>, more: Partial<DescribedModel> = {}) {
  return describeClientModel({
    tenantId: 'studio',
    modelId: 'games',
    record: recordSchemaDocument.parse(record),
    key: [{ claim: 'sub' }],
    defaultRecord: null,
    deadlineMs: 50,
    ...more,
  })
}

function typeOf(field: Record<string, unknown>): ClientType {
  return described({ field }).members[0]!.value.type
}

describe('bits of a field', () => {
  test.each<[string, Record<string, unknown>, ClientType]>([
    ['bool', { type: 'bool' }, { kind: 'bool' }],
    ['uint', { type: 'uint', max: 4095 }, { kind: 'integer', bits: 12, min: 0, max: 4095 }],
    ['uint one above', { type: 'uint', max: 4096 }, { kind: 'integer', bits: 13, min: 0, max: 4096 }],
    ['uint of one value', { type: 'uint', max: 0 }, { kind: 'integer', bits: 0, min: 0, max: 0 }],
    [
      'uint of 53 bits',
      { type: 'uint', max: Number.MAX_SAFE_INTEGER },
      { kind: 'integer', bits: 53, min: 0, max: Number.MAX_SAFE_INTEGER },
    ],
    ['int', { type: 'int', min: -5, max: 4 }, { kind: 'integer', bits: 4, min: -5, max: 4 }],
    [
      'fixed',
      { type: 'fixed', min: -1, max: 1, step: 0.25 },
      {
        kind: 'fixed',
        bits: 4,
        steps: 8,
        minUnits: -100,
        stepUnits: 25,
        unitsPerOne: 100,
        scale: 2,
        min: -1,
        max: 1,
        step: 0.25,
      },
    ],
    [
      'enum without room',
      { type: 'enum', values: ['a', 'b', 'c'] },
      { kind: 'enum', bits: 2, values: ['a', 'b', 'c'], room: 3, unknown: null },
    ],
    [
      'enum with room and a default',
      { type: 'enum', values: ['a', 'b'], room: 20, default: 'b' },
      { kind: 'enum', bits: 5, values: ['a', 'b'], room: 20, unknown: 1 },
    ],
    [
      'enum with room that may be absent',
      { type: 'enum', values: ['a', 'b'], room: 4, optional: true },
      { kind: 'enum', bits: 2, values: ['a', 'b'], room: 4, unknown: null },
    ],
    [
      'timestamp',
      { type: 'timestamp', from: '2026-01-01T00:00:00.250+01:00', resolutionSeconds: 0.5, bits: 20 },
      { kind: 'timestamp', bits: 20, fromMs: 1_767_222_000_250, resolutionMs: 500 },
    ],
    ['string', { type: 'string', maxBytes: 24 }, { kind: 'string', lengthBits: 5, maxBytes: 24 }],
    ['bytes', { type: 'bytes', maxBytes: 255 }, { kind: 'bytes', lengthBits: 8, maxBytes: 255 }],
  ])('%s', (_, field, expected) => {
    expect(typeOf(field)).toStrictEqual(expected)
  })

  test('of lists and structs are those of what they hold, to any depth', () => {
    const inner = { type: 'struct', fields: { x: { type: 'bool' }, y: { type: 'bool', optional: true } } }
    expect(typeOf({ type: 'list', maxItems: 4, items: inner })).toStrictEqual({
      kind: 'list',
      countBits: 3,
      maxItems: 4,
      item: {
        optional: false,
        standIn: undefined,
        type: {
          kind: 'struct',
          members: [
            { name: 'x', since: 1, value: { type: { kind: 'bool' }, optional: false, standIn: undefined } },
            { name: 'y', since: 1, value: { type: { kind: 'bool' }, optional: true, standIn: undefined } },
          ],
        },
      },
    })
  })
})

describe('stand-ins are as the bits give them back', () => {
  test.each<[string, Record<string, unknown>, unknown]>([
    ['none', { type: 'bool', optional: true }, undefined],
    ['a value', { type: 'uint', max: 9, default: 7 }, 7],
    ['rounded to the grid', { type: 'fixed', min: 0, max: 1, step: 0.1, default: 0.34 }, 0.3],
    [
      'cut to the resolution',
      {
        type: 'timestamp',
        from: '2026-01-01T00:00:00Z',
        resolutionSeconds: 60,
        bits: 20,
        default: '2026-01-01T01:02:59+01:00',
      },
      '2026-01-01T00:02:00Z',
    ],
    [
      'with those of its own fields',
      {
        type: 'struct',
        fields: {
          a: { type: 'uint', max: 9, default: 4 },
          b: { type: 'bool', optional: true },
          c: { type: 'bool' },
        },
        default: { c: true },
      },
      { a: 4, c: true },
    ],
    [
      'of a list’s items, too',
      { type: 'list', maxItems: 3, items: { type: 'fixed', min: 0, max: 1, step: 0.5 }, default: [0.3, 1] },
      [0.5, 1],
    ],
  ])('%s', (_, field, expected) => {
    expect(described({ field }).members[0]!.value.standIn).toStrictEqual(expected)
  })

  test('the default record has every field’s', () => {
    const record = {
      level: { type: 'uint', max: 9 },
      score: { type: 'fixed', min: 0, max: 1, step: 0.1, default: 0.25 },
      note: { type: 'string', maxBytes: 9, optional: true },
    }
    expect(described(record, { defaultRecord: { level: 3 } }).defaultRecord).toStrictEqual({
      level: 3,
      score: 0.3,
    })
    expect(described(record).defaultRecord).toBeNull()
  })
})

test('the revision is the highest since, and every field has its own', () => {
  const model = described({
    a: { type: 'bool' },
    b: { type: 'bool', optional: true, since: 3 },
    c: { type: 'bool', default: true, since: 7 },
  })
  expect(model.revision).toBe(7)
  expect(model.members.map(({ name, since }) => [name, since])).toStrictEqual([
    ['a', 1],
    ['b', 3],
    ['c', 7],
  ])
})

test('parameters are the query’s parts of the row key, in its order', () => {
  const { parameters } = described(
    { a: { type: 'bool' } },
    {
      key: [
        { query: 'sku', id: { maxBytes: 8 } },
        { claim: 'sub', column: 'player' },
        { query: 'level', column: 'player_level', uint: { max: 50 } },
        { query: 'country', values: ['DE', 'FR'] },
      ],
    },
  )
  expect(parameters).toStrictEqual([
    { name: 'sku', accepts: { type: 'id', maxBytes: 8 } },
    { name: 'level', accepts: { type: 'uint', max: 50 } },
    { name: 'country', accepts: { type: 'values', values: ['DE', 'FR'] } },
  ])
})
