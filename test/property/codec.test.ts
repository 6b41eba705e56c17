/**
 * Any schema, any record on its grid, any bytes. The arbitraries make values by rules of their own (decimal text
 * read as a number, dates through toISOString), not with the codec's arithmetic.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CodecError, compileRecordSchema, type RecordCodec } from '../../src/domain/codec/codec.ts'
import type { RecordField } from '../../src/domain/codec/record-field.ts'
import {
  type RecordSchema,
  recordSchemaDocument,
  recordSchemaFaults,
  recordSchemaGrowthFaults,
} from '../../src/domain/codec/record-schema.ts'

/** A field, and a value of it as JSON holds it; undefined: absent. */
interface Sample {
  readonly field: RecordField
  readonly value: unknown
}
interface SchemaSample {
  readonly schema: RecordSchema
  readonly record: Record<string, unknown>
}

const wholeMax = fc.oneof(
  fc.nat(9),
  fc.nat(70_000),
  fc.constantFrom(0, 1, 255, 256, 2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
)
const upTo = (max: number) =>
  fc.oneof(
    fc.maxSafeNat().map((n) => n % (max + 1)),
    fc.constantFrom(0, max),
  )

const bool = fc.boolean().map((value): Sample => ({ field: { type: 'bool' }, value }))
const uint = wholeMax.chain((max) =>
  upTo(max).map((value): Sample => ({ field: { type: 'uint', max }, value })),
)
const int = wholeMax.chain((size) =>
  fc
    .tuple(fc.integer({ min: -Math.min(size, 1e6), max: 0 }), upTo(size))
    .map(([min, offset]): Sample => ({ field: { type: 'int', min, max: min + size }, value: min + offset })),
)

const decimal = (units: number, scale: number) => Number(`${units}e-${scale}`) + 0
const fixed = fc
  .tuple(
    fc.integer({ min: 0, max: 8 }),
    fc.integer({ min: -1e6, max: 1e6 }),
    fc.integer({ min: 1, max: 500 }),
    fc.oneof(fc.nat(10), fc.nat(5000), fc.nat(1e9)),
  )
  .chain(([scale, minUnits, stepUnits, steps]) =>
    upTo(steps).map(
      (step): Sample => ({
        field: {
          type: 'fixed',
          min: decimal(minUnits, scale),
          max: decimal(minUnits + steps * stepUnits, scale),
          step: decimal(stepUnits, scale),
        },
        value: decimal(minUnits + step * stepUnits, scale),
      }),
    ),
  )

const enumeration = fc
  .tuple(
    fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 9 }),
    fc.option(fc.nat(20), { nil: undefined }),
    fc.nat(),
  )
  .map(([values, more, pick]): Sample => {
    const value = values[pick % values.length]!
    const room = more === undefined ? {} : { room: values.length + more, default: values[0] }
    return { field: { type: 'enum', values, ...room }, value }
  })

const timestamp = fc
  .tuple(
    fc.constantFrom(
      '2026-01-01T00:00:00Z',
      '1969-12-31T23:00:00+01:00',
      '0001-01-01T00:00:00Z',
      '2000-02-29T12:00:00.25Z',
    ),
    fc.constantFrom(0.001, 0.25, 1, 60, 86_400),
    fc.integer({ min: 1, max: 20 }),
  )
  .chain(([from, resolutionSeconds, bits]) =>
    upTo(2 ** bits - 1).map((count): Sample => {
      const text = new Date(Date.parse(from) + Math.round(count * resolutionSeconds * 1000)).toISOString()
      const fraction = from.includes('.') || resolutionSeconds < 1
      return {
        field: { type: 'timestamp', from, resolutionSeconds, bits },
        value: fraction ? text : text.replace('.000Z', 'Z'),
      }
    }),
  )

const text = fc
  .integer({ min: 1, max: 40 })
  .chain((maxBytes) =>
    fc
      .oneof(
        fc.string({ unit: 'binary', maxLength: Math.floor(maxBytes / 4) }),
        fc.string({ unit: 'binary-ascii', maxLength: maxBytes }),
      )
      .map((value): Sample => ({ field: { type: 'string', maxBytes }, value })),
  )
const bytes = fc.integer({ min: 1, max: 20 }).chain((maxBytes) =>
  fc.uint8Array({ maxLength: maxBytes }).map(
    (value): Sample => ({
      field: { type: 'bytes', maxBytes },
      value: Buffer.from(value).toString('base64'),
    }),
  ),
)

const leaf = fc.oneof(bool, uint, int, fixed, enumeration, timestamp, text, bytes)

/** A list's items share one field, so each is the first sample's field with a value of another run of the same. */
function listOf(depth: number): fc.Arbitrary<Sample> {
  return sample(depth - 1).chain(({ field, value }) =>
    fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 9 })).map(
      ([count, more]): Sample => ({
        field: { type: 'list', maxItems: count + more, items: field },
        value: Array.from({ length: count }, () => value),
      }),
    ),
  )
}

/** Lists whose items differ. */
const uintList = fc.tuple(wholeMax, fc.array(fc.maxSafeNat(), { maxLength: 6 })).map(
  ([max, numbers]): Sample => ({
    field: { type: 'list', maxItems: 6, items: { type: 'uint', max } },
    value: numbers.map((number) => number % (max + 1)),
  }),
)

function structOf(depth: number): fc.Arbitrary<Sample> {
  return fc.array(member(depth - 1), { minLength: 1, maxLength: 4 }).map((members): Sample => {
    const { schema, record } = named(members)
    return { field: { type: 'struct', fields: schema }, value: record }
  })
}

function sample(depth: number): fc.Arbitrary<Sample> {
  if (depth <= 1) return leaf
  return fc.oneof(
    { weight: 5, arbitrary: leaf },
    { weight: 1, arbitrary: uintList },
    { weight: 2, arbitrary: listOf(depth) },
    { weight: 2, arbitrary: structOf(depth) },
  )
}

/** A field that may be absent. */
function member(depth: number): fc.Arbitrary<Sample> {
  return fc
    .tuple(sample(depth), fc.constantFrom('required', 'present', 'absent'))
    .map(([{ field, value }, presence]) => {
      if (presence === 'required') return { field, value }
      const { default: _, ...bare } = field
      return { field: { ...bare, optional: true }, value: presence === 'absent' ? undefined : value }
    })
}

function named(members: readonly Sample[]): SchemaSample {
  const names = members.map((_, index) => `f${index}`)
  const entries = names.map((name, index) => [name, members[index]!.value] as const)
  return {
    schema: Object.fromEntries(names.map((name, index) => [name, members[index]!.field])),
    record: Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
  }
}

/** Nested lists may multiply beyond what one record may need: the only fault that such schemas can have. */
const isSmall = (schema: RecordSchema) => recordSchemaFaults(schema).every(({ path }) => path !== '')
const records = fc
  .array(member(4), { minLength: 1, maxLength: 6 })
  .map(named)
  .filter(({ schema }) => isSmall(schema))

/** Both ways of reading agree: on the record, or on the error. */
function readBoth(codec: RecordCodec, packed: Uint8Array): Record<string, unknown> | CodecError {
  const attempt = <T>(read: () => T): T | CodecError => {
    try {
      return read()
    } catch (error) {
      if (error instanceof CodecError) return error
      throw error
    }
  }
  const record = attempt(() => codec.decode(packed))
  const json = attempt(() => codec.toJsonText(packed))
  if (record instanceof CodecError) expect((json as CodecError).message).toBe(record.message)
  else expect(json).toBe(JSON.stringify(record))
  return record
}

/** An unknown value of an enum with room reads as another, so that such records don't pack to the same bits. */
function hasRoom(field: RecordField): boolean {
  if (field.type === 'list') return hasRoom(field.items)
  if (field.type === 'struct') return Object.values(field.fields).some(hasRoom)
  return field.type === 'enum' && field.room !== undefined
}

describe('any schema', () => {
  it('is a document without faults', () => {
    fc.assert(
      fc.property(records, ({ schema }) => {
        expect(recordSchemaDocument.parse(JSON.parse(JSON.stringify(schema)))).toEqual(schema)
        expect(recordSchemaFaults(schema)).toEqual([])
        expect(recordSchemaGrowthFaults(schema, schema)).toEqual([])
      }),
    )
  })

  it('gives back every record on its grid', () => {
    fc.assert(
      fc.property(records, ({ schema, record }) => {
        const codec = compileRecordSchema(schema)
        const packed = codec.encode(record)
        expect(packed.length).toBeLessThanOrEqual(codec.bytesMax)
        expect(readBoth(codec, packed)).toStrictEqual(record)
        expect(Object.keys(codec.decode(packed))).toEqual(Object.keys(record))
        expect(codec.encode(codec.decode(packed))).toEqual(packed)
      }),
      { numRuns: 500 },
    )
  })
})

describe('any bytes', () => {
  const damage = fc.oneof(
    fc.record({
      kind: fc.constant('flip' as const),
      bits: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('cut' as const), length: fc.nat() }),
    fc.record({ kind: fc.constant('add' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) }),
    fc.record({ kind: fc.constant('random' as const), bytes: fc.uint8Array({ maxLength: 80 }) }),
  )
  function damaged(
    packed: Uint8Array,
    how: typeof damage extends fc.Arbitrary<infer T> ? T : never,
  ): Uint8Array {
    switch (how.kind) {
      case 'cut':
        return packed.subarray(0, how.length % (packed.length + 1))
      case 'add':
        return Uint8Array.from([...packed, ...how.bytes])
      case 'random':
        return Uint8Array.from([1, ...how.bytes])
      case 'flip': {
        const flipped = packed.slice()
        for (const bit of how.bits) flipped[(bit >> 3) % flipped.length]! ^= 1 << (bit & 7)
        return flipped
      }
    }
  }

  it('are a coded error, or exactly the bytes of the record that they read as', () => {
    let valid = 0
    let invalid = 0
    fc.assert(
      fc.property(
        records,
        fc.array(damage, { minLength: 1, maxLength: 6 }),
        ({ schema, record }, damages) => {
          const codec = compileRecordSchema(schema)
          const packed = codec.encode(record)
          const exact = !Object.values(schema).some(hasRoom)
          for (const bytes of damages.map((how) => damaged(packed, how))) {
            const read = readBoth(codec, bytes)
            if (read instanceof CodecError) invalid++
            else {
              valid++
              const again = codec.encode(read)
              if (exact && bytes[0] === codec.revision) expect(again).toEqual(bytes)
              else expect(codec.decode(again)).toEqual(read)
            }
          }
        },
      ),
      { numRuns: 500 },
    )
    // Otherwise this would have tested nothing.
    expect(valid).toBeGreaterThan(50)
    expect(invalid).toBeGreaterThan(50)
  })

  it('that are any prefix of a record, but not all of it, are an error', () => {
    fc.assert(
      fc.property(records, ({ schema, record }) => {
        const codec = compileRecordSchema(schema)
        const packed = codec.encode(record)
        for (let length = 0; length < packed.length; length++) {
          const read = readBoth(codec, packed.subarray(0, length))
          expect((read as CodecError).code).toBe(length === 0 ? 'packed-empty' : 'packed-truncated')
        }
      }),
    )
  })
})

describe('a schema and its next revision', () => {
  const unfit = Symbol('absent')
  const additions = fc.array(
    fc
      .tuple(sample(3), fc.constantFrom('optional', 'default', 'both'), fc.boolean())
      .map(([{ field, value }, how, given]) => ({
        field: {
          ...field,
          since: 2,
          default: how === 'optional' ? undefined : value,
          optional: how !== 'default',
        } as RecordField,
        standIn: how === 'optional' ? unfit : value,
        value,
        given,
      })),
    { minLength: 1, maxLength: 4 },
  )
  const label = { type: 'enum' as const, values: ['a', 'b'], room: 6, default: 'b' }

  it('understand each other', () => {
    fc.assert(
      fc.property(
        records,
        additions,
        fc.constantFrom('a', 'b', 'c', 'd'),
        ({ schema, record }, added, value) => {
          const before: RecordSchema = { ...schema, label }
          const after: RecordSchema = { ...schema, label: { ...label, values: ['a', 'b', 'c', 'd'] } }
          added.forEach(({ field }, index) => {
            after[`g${index}`] = field
          })
          expect(recordSchemaFaults(after)).toEqual([])
          expect(recordSchemaGrowthFaults(before, after)).toEqual([])
          const [older, newer] = [compileRecordSchema(before), compileRecordSchema(after)]
          expect([older.revision, newer.revision]).toEqual([1, 2])

          const standIns = Object.fromEntries(
            added
              .map(({ standIn }, index) => [`g${index}`, standIn])
              .filter(([, standIn]) => standIn !== unfit),
          )
          const old = { ...record, label: 'a' }
          expect(readBoth(newer, older.encode(old))).toStrictEqual({ ...old, ...standIns })

          const given = Object.fromEntries(
            added.flatMap((field, index) => (field.given ? [[`g${index}`, field.value]] : [])),
          )
          const fresh = newer.encode({ ...record, label: value, ...given })
          expect(readBoth(newer, fresh)).toEqual({ ...record, label: value, ...standIns, ...given })
          expect(readBoth(older, fresh)).toStrictEqual({ ...record, label: value === 'a' ? 'a' : 'b' })
        },
      ),
      { numRuns: 300 },
    )
  })
})
