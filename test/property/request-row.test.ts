import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/domain/errors.ts'
import { limits } from '../../src/domain/limits.ts'
import type { CompiledTenant, KeyPart } from '../../src/domain/snapshot.ts'
import { documentKeySet } from '../../src/jwt/document-key-set.ts'
import { findModel, type Query } from '../../src/serving/find-model.ts'
import { rowKeyOf } from '../../src/serving/request-row.ts'
import { compiledModel } from '../unit/serving/model.ts'

/** Model and row key of any claims and any parameters: a refusal, or exactly what was asked for. */

const key: KeyPart[] = [
  { source: 'claim', name: 'sub', column: 'sub' },
  {
    source: 'query',
    name: 'constructor',
    column: 'country',
    accepts: { type: 'values', values: new Set(['DE', 'FR', 'toString']) },
  },
  { source: 'query', name: 'level', column: 'level', accepts: { type: 'uint', max: 50 } },
  { source: 'query', name: 'sku', column: 'sku', accepts: { type: 'id', maxBytes: 8 } },
]
const model = compiledModel('games', {
  key,
  parameters: new Map([
    ['constructor', true],
    ['level', true],
    ['sku', true],
    ['utm_source', false],
  ]),
})

const text = fc.string({ unit: 'binary', maxLength: 20 })
const claim = fc.oneof(
  text,
  fc.jsonValue(),
  fc.double(),
  fc.constant(undefined),
  fc.string({ minLength: 80 }),
)
const value = fc.oneof(
  text,
  fc.constantFrom(
    'DE',
    'toString',
    '7',
    '07',
    '50',
    '51',
    'a-1',
    'A.b_c-9',
    '',
    '\ud800',
    '\0',
    'constructor',
  ),
)
const values = fc.oneof({ weight: 5, arbitrary: value }, fc.array(value, { minLength: 2, maxLength: 3 }))
const known = fc.record(
  {
    constructor: fc.oneof(fc.constantFrom('DE', 'FR', 'toString'), values),
    level: fc.oneof(fc.nat({ max: 60 }).map(String), values),
    sku: fc.oneof(fc.constantFrom('a', 'a-1', 'x.y_z'), values),
    utm_source: values,
    model: values,
  },
  { requiredKeys: ['constructor', 'level', 'sku'] },
)
const names = fc.oneof(text, fc.constantFrom('__proto__', 'toString', 'valueOf', 'Level', 'sub', 'level[]'))
const unknown = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.dictionary(names, values, { minKeys: 1, maxKeys: 2 }),
)
/** Sometimes without a prototype, as Fastify gives it, and sometimes with one, as nobody should. */
const query = fc.tuple(known, unknown, fc.boolean()).map(([own, other, isBare]) => {
  // Entries and not a spread: `__proto__` must become a parameter here.
  const asked: Query = Object.fromEntries([...Object.entries(other), ...Object.entries(own)])
  return isBare ? (Object.assign(Object.create(null), asked) as Query) : asked
})

function isSubFit(sub: unknown): boolean {
  if (typeof sub === 'number') return Number.isSafeInteger(sub)
  return typeof sub === 'string' && sub !== '' && !sub.includes('\0') && sub.isWellFormed()
}

function isQueryFit(asked: Query): boolean {
  const [country, level, sku] = ['constructor', 'level', 'sku'].map((name) => asked[name])
  return (
    Object.keys(asked).every((name) => name === 'model' || model.parameters.has(name)) &&
    ['DE', 'FR', 'toString'].includes(country as string) &&
    Array.from({ length: 51 }, (_, number) => String(number)).includes(level as string) &&
    typeof sku === 'string' &&
    /^[A-Za-z0-9_.-]{1,8}$/.test(sku)
  )
}

describe('rowKeyOf', () => {
  test('gives the values, in order, exactly where all of them fit', () => {
    let fits = 0
    fc.assert(
      fc.property(claim, query, (sub, asked) => {
        const claims = sub === undefined ? {} : { sub }
        const found = rowKeyOf(model, claims, asked)
        const rowKey = () =>
          [String(sub), ...['constructor', 'level', 'sku'].map((name) => asked[name])].join('\0')
        const isFit =
          isSubFit(sub) && isQueryFit(asked) && Buffer.byteLength(rowKey()) <= limits.rowKeyBytesMax
        if (!isFit) {
          expect(found).toSatisfy((result) => typeof result === 'object' && isRefusal(result as object))
          return
        }
        fits++
        expect(found).toBe(rowKey())
      }),
      { numRuns: 10_000 },
    )
    // Otherwise only refusals were looked at.
    expect(fits).toBeGreaterThan(100)
  })

  test('no two requests that differ in a value have one row key', () => {
    const values = fc.tuple(
      fc.oneof(text, fc.maxSafeInteger()),
      fc.constantFrom('DE', 'FR'),
      fc.constantFrom('a', 'a-1'),
    )
    const keyOf = ([sub, country, sku]: readonly [string | number, string, string]) =>
      rowKeyOf(model, { sub }, { constructor: country, level: '7', sku } as unknown as Query)
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [first, second] = [keyOf(a), keyOf(b)]
        fc.pre(typeof first === 'string' && typeof second === 'string')
        expect(first === second).toBe(a.every((value, index) => String(value) === String(b[index])))
      }),
      { numRuns: 3_000 },
    )
  })

  test('what a refusal says is short, and holds no NUL', () => {
    fc.assert(
      fc.property(
        claim,
        fc.dictionary(fc.string({ unit: 'binary', maxLength: 300 }), values),
        (sub, asked) => {
          const found = rowKeyOf(model, { sub }, asked as Query)
          fc.pre(typeof found !== 'string')
          const { detail } = found as { detail: string }
          expect(detail.length).toBeLessThan(400)
          expect(detail).not.toContain('\0')
        },
      ),
      { numRuns: 3_000 },
    )
  })
})

describe('findModel', () => {
  const ids = ['games', 'offers', 'constructor-like']
  const tenant: CompiledTenant = {
    id: 'studio',
    revision: 1,
    erasures: 0,
    models: new Map(ids.map((id) => [id, compiledModel(id)])),
    claims: { model: 'model', unit: 'sub', version: null },
    quota: null,
  }
  const name = fc.oneof(fc.constantFrom(...ids, '__proto__', 'constructor', 'length', ''), text)
  const named = fc.oneof(name, fc.array(name, { maxLength: 4 }), fc.jsonValue(), fc.constant(undefined))
  const listed = fc.option(fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1 }))
  const chosen = fc.oneof(fc.constant(undefined), name, fc.array(name, { minLength: 2, maxLength: 2 }))

  test('gives a model that the tenant has, and that claim, list and parameter allow', () => {
    let found = 0
    fc.assert(
      fc.property(named, listed, chosen, (claimed, models, asked) => {
        const claims = claimed === undefined ? {} : { model: claimed }
        const issuer = {
          issuer: 'i',
          tenantId: 'studio',
          audience: 'a',
          models,
          maxLifetimeSeconds: null,
          revokedKids: new Set<string>(),
          keySet: documentKeySet([]),
        }
        const result = findModel({ issuer, claims }, tenant, asked === undefined ? {} : { model: asked })
        if (isRefusal(result)) return
        found++
        expect(ids).toContain(result.id)
        expect(tenant.models.get(result.id)).toBe(result)
        if (models !== null) expect(models).toContain(result.id)
        if (claimed !== undefined) expect([claimed].flat()).toContain(result.id)
        if (asked !== undefined) expect(asked).toBe(result.id)
      }),
      { numRuns: 5_000 },
    )
    expect(found).toBeGreaterThan(100)
  })
})
