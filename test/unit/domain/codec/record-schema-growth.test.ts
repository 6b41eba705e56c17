import { describe, expect, it } from 'vitest'
import {
  type RecordSchema,
  recordSchemaDocument,
  recordSchemaGrowthFaults,
} from '../../../../src/domain/codec/record-schema.ts'

const parse = (schema: unknown): RecordSchema => recordSchemaDocument.parse(schema)
const growth = (previous: unknown, next: unknown) => recordSchemaGrowthFaults(parse(previous), parse(next))
const paths = (previous: unknown, next: unknown) => growth(previous, next).map((fault) => fault.path)

const base = {
  a: { type: 'uint', max: 7 },
  b: { type: 'enum', values: ['x', 'y'], room: 8, default: 'x' },
  c: { type: 'list', maxItems: 3, items: { type: 'int', min: -1, max: 1 } },
  d: {
    type: 'struct',
    fields: { p: { type: 'bool' }, q: { type: 'enum', values: ['m'], room: 2, default: 'm' } },
  },
}
const extra = { type: 'bool', optional: true, since: 2 }

describe('recordSchemaGrowthFaults', () => {
  it('takes the same schema, however it is written', () => {
    expect(growth(base, base)).toEqual([])
    expect(growth(base, { ...base, a: { max: 7, optional: false, since: 1, type: 'uint' } })).toEqual([])
  })

  it('takes new fields at the end', () => {
    expect(growth(base, { ...base, e: extra })).toEqual([])
    expect(growth(base, { ...base, e: extra, f: { ...extra, since: 5 } })).toEqual([])
    expect(growth({ ...base, e: extra }, { ...base, e: extra, f: { ...extra, since: 3 } })).toEqual([])
  })

  it('takes enum values appended within room, at any depth', () => {
    const next = {
      ...base,
      b: { ...base.b, values: ['x', 'y', 'z'] },
      d: { type: 'struct', fields: { ...base.d.fields, q: { ...base.d.fields.q, values: ['m', 'n'] } } },
    }
    expect(growth(base, next)).toEqual([])
  })

  it('refuses a new field whose since is not new', () => {
    expect(growth(base, { ...base, e: { type: 'bool', optional: true } })).toEqual([
      {
        path: 'e.since',
        problem: 'a new field needs since: 2 or more, because records of revision 1 lack it',
      },
    ])
    expect(paths({ ...base, e: extra }, { ...base, e: extra, f: extra })).toEqual(['f.since'])
  })

  it('refuses a new field that does not stand last', () => {
    expect(paths(base, { e: extra, ...base })).toEqual(['e'])
  })

  it('refuses fields that went or changed places', () => {
    const { a, b, ...rest } = base
    expect(paths(base, { b, ...rest })).toEqual(['a'])
    expect(paths(base, { b, a, ...rest })).toEqual(['b', 'a'])
    expect(paths(base, { renamed: a, b, ...rest })).toEqual(['a', 'renamed', 'renamed.since'])
  })

  it.each([
    ['another type', { a: { type: 'int', min: 0, max: 7 } }, 'a.type'],
    ['another bound', { a: { type: 'uint', max: 8 } }, 'a.max'],
    ['optional', { a: { type: 'uint', max: 7, optional: true } }, 'a.optional'],
    ['a default', { a: { type: 'uint', max: 7, default: 1 } }, 'a.default'],
    ['another default', { b: { ...base.b, default: 'y' } }, 'b.default'],
    ['another since', { a: { type: 'uint', max: 7, since: 2 } }, 'a.since'],
    ['another room', { b: { ...base.b, room: 16 } }, 'b.room'],
    ['values in another order', { b: { ...base.b, values: ['y', 'x'] } }, 'b.values'],
    ['a value less', { b: { ...base.b, values: ['x'] } }, 'b.values'],
    ['a value in front', { b: { ...base.b, values: ['w', 'x', 'y'] } }, 'b.values'],
    ['longer lists', { c: { ...base.c, maxItems: 4 } }, 'c.maxItems'],
    ['other items', { c: { ...base.c, items: { type: 'int', min: -1, max: 2 } } }, 'c.items.max'],
    [
      'a struct that grows',
      { d: { type: 'struct', fields: { ...base.d.fields, r: { type: 'bool' } } } },
      'd.fields',
    ],
    [
      'a member that changes',
      { d: { type: 'struct', fields: { ...base.d.fields, p: { type: 'bool', optional: true } } } },
      'd.fields.p.optional',
    ],
  ])('refuses %s', (_, change, path) => {
    expect(paths(base, { ...base, ...change })).toEqual([path])
  })

  it('refuses new values for an enum without room', () => {
    const before = { a: { type: 'enum', values: ['x', 'y', 'z'] } }
    const after = { a: { type: 'enum', values: ['x', 'y', 'z', 'w'] } }
    expect(growth(before, after)[0]).toMatchObject({
      path: 'a.values',
      problem: expect.stringContaining('no room'),
    })
  })

  it('compares defaults as JSON, whatever the order of their keys', () => {
    const field = (value: unknown) => ({
      a: { type: 'struct', fields: { x: { type: 'bool' }, y: { type: 'bool' } }, default: value },
    })
    expect(growth(field({ x: true, y: false }), field({ y: false, x: true }))).toEqual([])
    expect(paths(field({ x: true, y: false }), field({ x: true, y: true }))).toEqual(['a.default'])
  })
})
