import { describe, expect, it } from 'vitest'
import {
  type RecordSchema,
  recordSchemaDocument,
  recordSchemaFaults,
  recordSchemaRevision,
} from '../../../../src/domain/codec/record-schema.ts'

const faultsOf = (schema: unknown) => recordSchemaFaults(recordSchemaDocument.parse(schema))
const problemAt = (schema: unknown, path: string) => {
  const faults = faultsOf(schema)
  expect(faults.map((fault) => fault.path)).toEqual([path])
  return faults[0]!.problem
}

const sample = {
  segment: {
    type: 'enum',
    values: ['newcomer', 'casual', 'regular', 'collector'],
    room: 16,
    default: 'newcomer',
  },
  hours_played: { type: 'fixed', min: 0, max: 20000, step: 0.1 },
  games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
  scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
}

describe('recordSchemaDocument', () => {
  it('takes every type, and keeps what it says', () => {
    const document = {
      ...sample,
      flag: { type: 'bool', optional: true },
      level: { type: 'int', min: -5, max: 5, default: 0 },
      seen: { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 60, bits: 24 },
      name: { type: 'string', maxBytes: 20 },
      blob: { type: 'bytes', maxBytes: 8 },
      home: {
        type: 'struct',
        fields: { x: { type: 'uint', max: 9 }, tags: { type: 'list', maxItems: 2, items: { type: 'bool' } } },
      },
      late: { type: 'bool', optional: true, since: 2 },
    }
    expect(recordSchemaDocument.parse(document)).toEqual(document)
    expect(Object.keys(recordSchemaDocument.parse(document))).toEqual(Object.keys(document))
    expect(faultsOf(document)).toEqual([])
  })

  it.each([
    ['an unknown key', { a: { type: 'bool', maximum: 1 } }],
    ['a key of another type', { a: { type: 'uint', max: 1, min: 0 } }],
    ['an unknown key in a list', { a: { type: 'list', maxItems: 1, items: { type: 'bool', x: 1 } } }],
    ['an unknown key in a struct', { a: { type: 'struct', fields: { b: { type: 'bool', x: 1 } } } }],
    ['an unknown type', { a: { type: 'float' } }],
    ['no type', { a: { max: 1 } }],
    ['half a number', { a: { type: 'uint', max: 1.5 } }],
    ['more than 53 bits', { a: { type: 'uint', max: 2 ** 53 } }],
    ['text for a number', { a: { type: 'uint', max: '7' } }],
    ['infinity', { a: { type: 'fixed', min: 0, max: Number.POSITIVE_INFINITY, step: 1 } }],
    ['a missing bound', { a: { type: 'int', min: 0 } }],
    ['a list of fields', [{ type: 'bool' }]],
    ['null', null],
    ['a field named __proto__', JSON.parse('{"__proto__":{"type":"bool"}}')],
    [
      'such a field in a struct',
      JSON.parse('{"a":{"type":"struct","fields":{"__proto__":{"type":"bool"}}}}'),
    ],
  ])('refuses %s', (_, document) => {
    expect(recordSchemaDocument.safeParse(document).success).toBe(false)
  })

  it('names the path', () => {
    const result = recordSchemaDocument.safeParse({
      a: { type: 'list', maxItems: 1, items: { type: 'uint', max: -0.5 } },
    })
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toEqual(['a.items.max'])
  })

  it('refuses a document nested so deeply that recursion would fail', () => {
    let items = '{"type":"bool"}'
    items = '{"type":"list","maxItems":1,"items":'.repeat(50_000) + items + '}'.repeat(50_000)
    const result = recordSchemaDocument.safeParse(JSON.parse(`{"a":${items}}`))
    expect(result.error?.issues[0]?.message).toContain('nests deeper')
  })
})

describe('recordSchemaRevision', () => {
  it('is the highest since', () => {
    expect(recordSchemaRevision(sample as RecordSchema)).toBe(1)
    expect(recordSchemaRevision({ a: { type: 'bool' }, b: { type: 'bool', since: 7, optional: true } })).toBe(
      7,
    )
  })
})

describe('recordSchemaFaults: names', () => {
  it.each(['', '1a', 'a-b', 'a.b', 'ä', 'a b', 'constructor', 'prototype', 'a'.repeat(65)])(
    'refuses %j',
    (name) => {
      expect(problemAt({ [name]: { type: 'bool' } }, name)).toMatch(/name/)
      expect(
        problemAt({ a: { type: 'struct', fields: { [name]: { type: 'bool' } } } }, `a.fields.${name}`),
      ).toMatch(/name/)
    },
  )

  it('refuses __proto__ in a schema that no document went into', () => {
    expect(recordSchemaFaults(JSON.parse('{"__proto__":{"type":"bool"}}'))[0]!.path).toBe('__proto__')
  })

  it.each(['_', 'A9', 'toString', 'hasOwnProperty', 'a'.repeat(64)])('takes %j', (name) => {
    expect(faultsOf({ [name]: { type: 'bool' } })).toEqual([])
  })
})

describe('recordSchemaFaults: fields', () => {
  it.each([
    [{ type: 'uint', max: -1 }, 'max', '0 or more'],
    [{ type: 'int', min: 3, max: 2 }, 'max', '3 or more'],
    [{ type: 'int', min: -(2 ** 53 - 1), max: 1 }, 'max', '53 bits'],
    [{ type: 'fixed', min: 0, max: 1, step: 0.3 }, 'step', 'with max 0.9 or 1.2 it would'],
    [{ type: 'enum', values: [] }, 'values', 'there must be 1'],
    [{ type: 'enum', values: ['a', ''] }, 'values[1]', 'at least one character'],
    [{ type: 'enum', values: ['a', 'b', 'a'] }, 'values[2]', 'stands twice'],
    [{ type: 'enum', values: ['\ud800'] }, 'values[0]', 'surrogate'],
    [{ type: 'enum', values: ['é'.repeat(128)] }, 'values[0]', 'at most 255'],
    [{ type: 'enum', values: ['a', 'b'], room: 1, default: 'a' }, 'room', 'from 2'],
    [{ type: 'enum', values: ['a'], room: 65_537, default: 'a' }, 'room', '65536'],
    [{ type: 'enum', values: ['a'], room: 4 }, 'default', 'or make it optional'],
    [{ type: 'string', maxBytes: 0 }, 'maxBytes', 'from 1'],
    [{ type: 'bytes', maxBytes: 16_385 }, 'maxBytes', '16384'],
    [{ type: 'list', maxItems: 0, items: { type: 'bool' } }, 'maxItems', 'from 1'],
    [{ type: 'list', maxItems: 4096, items: { type: 'bool' } }, 'maxItems', '4095'],
    [
      { type: 'list', maxItems: 1, items: { type: 'bool', optional: true } },
      'items.optional',
      'never absent',
    ],
    [
      { type: 'list', maxItems: 1, items: { type: 'bool', since: 1 } },
      'items.since',
      'directly in the record',
    ],
    [{ type: 'struct', fields: {} }, 'fields', 'at least one field'],
    [
      { type: 'struct', fields: { b: { type: 'bool', since: 1 } } },
      'fields.b.since',
      'directly in the record',
    ],
    [{ type: 'struct', fields: { b: { type: 'uint', max: -1 } } }, 'fields.b.max', '0 or more'],
    [{ type: 'timestamp', from: '2026', resolutionSeconds: 1, bits: 8 }, 'from', 'RFC 3339'],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00.0001Z', resolutionSeconds: 1, bits: 8 },
      'from',
      'three decimals',
    ],
    [
      { type: 'timestamp', from: '0000-01-01T00:00:00+01:00', resolutionSeconds: 1, bits: 8 },
      'from',
      'years',
    ],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 0, bits: 8 },
      'resolutionSeconds',
      'above 0',
    ],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 0.0005, bits: 8 },
      'resolutionSeconds',
      'whole milliseconds',
    ],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 1, bits: 0 },
      'bits',
      'from 1 to 53',
    ],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 1, bits: 53 },
      'bits',
      'at most 37 bits fit',
    ],
    [
      { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 1e12, bits: 1 },
      'bits',
      'finer resolution',
    ],
  ])('refuses %j', (field, path, problem) => {
    expect(problemAt({ a: field }, `a.${path}`)).toContain(problem)
  })

  it.each([
    [{ type: 'uint', max: 0 }],
    [{ type: 'uint', max: 2 ** 53 - 1 }],
    [{ type: 'int', min: -(2 ** 53 - 1), max: 0 }],
    [{ type: 'enum', values: ['a'], room: 4, optional: true }],
    [{ type: 'enum', values: ['a'], room: 65_536, default: 'a' }],
    [{ type: 'list', maxItems: 1, items: { type: 'enum', values: ['a'], room: 2, default: 'a' } }],
    [{ type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 1, bits: 37 }],
    [{ type: 'timestamp', from: '2026-01-01T00:00:00.5Z', resolutionSeconds: 0.001, bits: 40 }],
  ])('takes %j', (field) => {
    expect(faultsOf({ a: field })).toEqual([])
  })

  it.each([
    [{ type: 'bool', default: 1 }, 'a.default'],
    [{ type: 'bool', default: null }, 'a.default'],
    [{ type: 'uint', max: 5, default: 6 }, 'a.default'],
    [{ type: 'fixed', min: 0, max: 1, step: 0.1, default: 1.05 }, 'a.default'],
    [{ type: 'enum', values: ['a'], room: 4, default: 'b' }, 'a.default'],
    [{ type: 'string', maxBytes: 2, default: 'äh' }, 'a.default'],
    [{ type: 'list', maxItems: 3, items: { type: 'uint', max: 5 }, default: [1, 9] }, 'a.default[1]'],
    [{ type: 'struct', fields: { x: { type: 'bool' } }, default: {} }, 'a.default.x'],
    [{ type: 'struct', fields: { x: { type: 'bool' } }, default: { y: 1 } }, 'a.default.y'],
  ])('refuses the default of %j', (field, path) => {
    problemAt({ a: field }, path)
  })

  it('reports all faults at once', () => {
    const schema = { a: { type: 'uint', max: -1 }, 'b-': { type: 'int', min: 1, max: 0, since: 0 } }
    expect(faultsOf(schema).map(({ path }) => path)).toEqual(['a.max', 'b-', 'b-.max', 'b-.since'])
  })
})

describe('recordSchemaFaults: since', () => {
  const field = (since: number) => ({ type: 'bool', optional: true, since })

  it('takes a record that grew', () => {
    expect(faultsOf({ a: { type: 'bool' }, b: field(2), c: field(2), d: field(255) })).toEqual([])
  })

  it('refuses what is out of range, out of order, or has nothing for older records', () => {
    expect(problemAt({ a: field(256) }, 'a.since')).toContain('1 to 255')
    expect(problemAt({ a: field(0) }, 'a.since')).toContain('1 to 255')
    expect(problemAt({ a: field(3), b: field(2) }, 'b.since')).toContain('in the order in which they came')
    expect(problemAt({ a: field(2), b: { type: 'bool' } }, 'b.since')).toContain('in the order')
    expect(problemAt({ a: { type: 'bool' }, b: { type: 'bool', since: 2 } }, 'b')).toContain('optional: true')
  })
})

describe('recordSchemaFaults: bounds', () => {
  it('refuses a record without fields, and one with too many', () => {
    expect(problemAt({}, '')).toContain('at least one field')
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, { type: 'bool' }]))
    expect(faultsOf(fields(128))).toEqual([])
    expect(problemAt(fields(129), '')).toContain('at most 128')
    expect(problemAt({ a: { type: 'struct', fields: fields(128) } }, '')).toContain('at most 128')
  })

  it('refuses fields nested deeper than 4', () => {
    const nested = (depth: number): object =>
      depth === 1 ? { type: 'bool' } : { type: 'list', maxItems: 1, items: nested(depth - 1) }
    expect(faultsOf({ a: nested(4) })).toEqual([])
    expect(problemAt({ a: nested(5) }, 'a.items.items.items.items')).toContain('at most 4 deep')
  })

  it('refuses more bytes than a record may have', () => {
    expect(faultsOf({ a: { type: 'bytes', maxBytes: 16_381 } })).toEqual([])
    expect(problemAt({ a: { type: 'bytes', maxBytes: 16_382 } }, '')).toContain('16385 bytes')
    const wide = { type: 'list', maxItems: 4095, items: { type: 'uint', max: 2 ** 53 - 1 } }
    expect(problemAt({ a: wide }, '')).toContain('at most 16384')
  })

  it('refuses lists whose items take no bits and multiply', () => {
    const nothing = { type: 'uint', max: 0 }
    const many = { type: 'list', maxItems: 4095, items: nothing }
    expect(faultsOf({ a: many })).toEqual([])
    expect(problemAt({ a: { type: 'list', maxItems: 5, items: many } }, '')).toContain('values')
  })
})
