import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { recordSchemaDocument, recordSchemaGrowthFaults } from '../../../src/domain/codec/record-schema.ts'
import { goldenEntries, madeEntries } from '../../support/golden-clients/clients.ts'
import { type GoldenEntry, readAs } from '../../support/golden-clients/entry.ts'

const entries = goldenEntries()

/** How far the file had come, and what it said until there: nothing of it may change or go. */
const editions = [
  { entries: 60, sha256: '8c51087205ee0445742ad3b84a22296d9f290785e208fe4329bcff68d1285f81' },
  { entries: 61, sha256: 'c11b900e32be5cf3743e7612174954c91f5cf3f26b65cecd4107d535045c30eb' },
]

/** As the file has it: what is undefined is left out. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

function schemasOf({ schema, writers = {} }: GoldenEntry) {
  return new Map([[undefined, schema], ...Object.entries(writers)])
}

describe('golden/clients.json', () => {
  test.each(editions)('its first $entries entries are what they were', ({ entries: count, sha256 }) => {
    const first = JSON.stringify(entries.slice(0, count))
    expect(createHash('sha256').update(first).digest('hex')).toBe(sha256)
  })

  test('is all that is made for it, and pinned up to its end', () => {
    expect(entries).toEqual(plain(madeEntries()))
    expect(editions.at(-1)!.entries).toBe(entries.length)
  })

  test.each(entries)('$name: is what the codec says', (entry) => {
    const schemas = schemasOf(entry)
    for (const schema of schemas.values()) expect(recordSchemaDocument.parse(schema)).toEqual(schema)
    const codec = compileRecordSchema(entry.schema)
    for (const { hex, record, writer, ...expected } of entry.bodies) {
      const packed = Buffer.from(hex, 'hex')
      expect(plain(readAs(codec, packed)), hex).toEqual(expected)
      if ('json' in expected) expect(JSON.parse(codec.toJsonText(packed))).toEqual(expected.json)
      if (record === undefined) continue
      const written = compileRecordSchema(schemas.get(writer)!).encode(record)
      expect(Buffer.from(written).toString('hex')).toBe(hex)
    }
    if (entry.default === null) return
    const { given, json } = entry.default
    expect(codec.decode(codec.encode(given))).toEqual(json)
  })

  test('every writer’s schema is an older or a newer state of the one that reads', () => {
    for (const { name, schema, writers = {} } of entries) {
      for (const other of Object.values(writers)) {
        const grows = [recordSchemaGrowthFaults(other, schema), recordSchemaGrowthFaults(schema, other)]
        expect(grows, name).toContainEqual([])
      }
    }
  })

  test('names, models and bodies stand once', () => {
    const once = (values: readonly string[]) => expect(new Set(values).size).toBe(values.length)
    once(entries.map(({ name }) => name))
    once(entries.map(({ tenant, model }) => `${tenant}/${model}`))
    for (const { bodies } of entries) once(bodies.map(({ hex }) => hex))
  })

  test('has every type, and every error in several places', () => {
    const kinds = new Set(
      entries.flatMap((entry) =>
        [...JSON.stringify(modelOf(entry)).matchAll(/"kind":"(\w+)"/g)].map(([, kind]) => kind),
      ),
    )
    expect([...kinds].toSorted()).toEqual([
      'bool',
      'bytes',
      'enum',
      'fixed',
      'integer',
      'list',
      'string',
      'struct',
      'timestamp',
    ])
    const places = new Map<string, Set<string>>()
    for (const { name, bodies } of entries) {
      for (const body of bodies) {
        if (!('error' in body)) continue
        const { code, field } = body.error
        places.set(code, (places.get(code) ?? new Set()).add(`${name}: ${field}`))
      }
    }
    expect([...places.keys()].toSorted()).toEqual([
      'bits-range',
      'length-range',
      'packed-empty',
      'packed-trailing',
      'packed-truncated',
      'padding-nonzero',
      'revision-zero',
      'utf8-invalid',
    ])
    for (const [code, found] of places) expect(found.size, code).toBeGreaterThanOrEqual(4)
  })
})

function modelOf({ tenant, model, schema, default: standIn }: GoldenEntry) {
  return describeClientModel({
    tenantId: tenant,
    modelId: model,
    record: schema,
    key: [],
    defaultRecord: standIn?.given ?? null,
    deadlineMs: 50,
  })
}
