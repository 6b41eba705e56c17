import { describe, expect, test } from 'vitest'
import { type CompileEnvironment, compileTenant } from '../../../src/catalog/compile.ts'
import { slotOwners } from '../../../src/domain/allocation.ts'
import { FaultsError } from '../../../src/domain/errors.ts'
import type { CompiledModel, TrustedIssuer } from '../../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import { tenantState } from '../../../src/domain/tenant-state.ts'
import { documentKeySet } from '../../../src/jwt/document-key-set.ts'
import { tableKeys } from '../../../src/redis/keys.ts'
import { documentWith, games, type LiveStudio, liveStudio } from './studio-document.ts'

const issuerFor = async (tenantId: string, { issuer, audience }: IssuerDocument): Promise<TrustedIssuer> => ({
  issuer,
  tenantId,
  audience,
  models: null,
  maxLifetimeSeconds: null,
  revokedKids: new Set(),
  keySet: documentKeySet([]),
})
const environment: CompileEnvironment = { issuerFor, bucketPrefix: tableKeys.bucketPrefix }

const compile = ({ document, state, revision }: LiveStudio) =>
  compileTenant(document, state, revision, environment)

async function compiledGames(live: LiveStudio): Promise<CompiledModel> {
  const { tenant } = await compile(live)
  return tenant.models.get('games')!
}

describe('a compiled tenant', () => {
  test('has its id, revision, claims and models', async () => {
    const live = liveStudio({ games, offers: games }).to(
      { games, offers: games },
      { claims: { version: 'exp' } },
    )
    const { tenant, issuers } = await compile(live)
    expect(tenant).toMatchObject({ id: 'studio', revision: 2, erasures: 0 })
    const erased = { ...live, state: { ...live.state, erasures: 3 } }
    expect((await compile(erased)).tenant.erasures).toBe(3)
    expect(tenant.claims).toEqual({ model: 'model', unit: 'sub', version: 'exp' })
    expect([...tenant.models.keys()]).toEqual(['games', 'offers'])
    expect(issuers).toEqual([])
  })

  test('signs no versions unless a claim is named', async () => {
    expect((await compile(liveStudio({ games }))).tenant.claims.version).toBeNull()
  })

  test('has the number of its erasures, 0 where its state is from before there were any', async () => {
    const live = liveStudio({ games })
    const { erasures: _, ...before } = live.state
    const state = tenantState.parse(JSON.parse(JSON.stringify(before)))
    expect((await compile({ ...live, state })).tenant.erasures).toBe(0)
    expect((await compile({ ...live, state: { ...state, erasures: 7 } })).tenant.erasures).toBe(7)
  })

  test('has the issuers that its document names, in order', async () => {
    const issuer = (name: string) => ({ issuer: name, audience: 'recgate', hs256: { secretRef: 's' } })
    const live = liveStudio({ games })
    const document = documentWith({ games }, { issuers: [issuer('b'), issuer('a')] })
    const { issuers } = await compileTenant(document, live.state, 1, environment)
    expect(issuers.map((trusted) => [trusted.tenantId, trusted.issuer])).toEqual([
      ['studio', 'b'],
      ['studio', 'a'],
    ])
  })

  test('is none where an issuer’s keys can not be imported', async () => {
    const failing = async () => {
      throw new FaultsError('issuer a', [{ path: 'hs256.secretRef', problem: 'is unknown' }])
    }
    const document = documentWith(
      { games },
      { issuers: [{ issuer: 'a', audience: 'x', hs256: { secretRef: 's' } }] },
    )
    const compiling = compileTenant(document, liveStudio({ games }).state, 1, {
      ...environment,
      issuerFor: failing,
    })
    await expect(compiling).rejects.toThrow('hs256.secretRef: is unknown')
  })

  test('is none where document and state do not belong together', async () => {
    const { state } = liveStudio({ offers: games })
    await expect(compileTenant(documentWith({ games }), state, 1, environment)).rejects.toThrow(
      'tenant studio: model games has a document and no state',
    )
    const other = { ...games, versions: ['als'], control: 'als', weights: { als: 100 } }
    await expect(
      compileTenant(documentWith({ games: other }), liveStudio({ games }).state, 1, environment),
    ).rejects.toThrow('tenant studio: model games allots slots to itemcf')
  })
})

describe('a compiled model', () => {
  test('has the version objects themselves in slots, overrides and control', async () => {
    const live = liveStudio({
      games: { ...games, overrides: { itemcf: ['5250', 'vip'], popular: ['plain'] } },
    })
    const model = await compiledGames(live)
    expect([...model.versions.keys()]).toEqual(['popular', 'itemcf'])
    expect(model.control).toBe(model.versions.get('popular'))
    expect(model.slots).toHaveLength(10_000)
    const owners = slotOwners(live.state.models['games']!.allocations.at(-1)!)
    expect(model.slots.every((version, slot) => version === model.versions.get(owners[slot]!))).toBe(true)
    expect([...model.overrides].map(([unit, version]) => [unit, version.id])).toEqual([
      ['5250', 'itemcf'],
      ['vip', 'itemcf'],
      ['plain', 'popular'],
    ])
    expect(model.overrides.get('5250')).toBe(model.versions.get('itemcf'))
    expect(model).toMatchObject({ id: 'games', tenantId: 'studio', salt: live.state.models['games']?.salt })
  })

  test('follows the newest allocation', async () => {
    const model = await compiledGames(
      liveStudio({ games }).to({ games: { ...games, weights: { itemcf: 100 } } }),
    )
    expect(new Set(model.slots.map(({ id }) => id))).toEqual(new Set(['itemcf']))
  })

  test('has its default record packed, or none', async () => {
    const model = await compiledGames(liveStudio({ games }))
    expect(JSON.parse(model.codec.toJsonText(model.defaultRecord!))).toEqual({ games: [1, 2] })
    expect(
      (await compiledGames(liveStudio({ games: { ...games, default: 'none' } }))).defaultRecord,
    ).toBeNull()
  })

  test('reads and writes the newest schema that was ever live', async () => {
    const record = { ...games.record, extra: { type: 'uint', max: 7, default: 3, since: 2 } }
    const model = await compiledGames(liveStudio({ games }).to({ games: { ...games, record } }))
    expect(model.codec.revision).toBe(2)
    expect(JSON.parse(model.codec.toJsonText(model.defaultRecord!))).toEqual({ games: [1, 2], extra: 3 })
  })

  test('has key parts and parameters', async () => {
    const key = [
      { claim: 'sub', column: 'player_id' },
      { claim: 'region' },
      { query: 'country', values: ['DE', 'FR'] },
      { query: 'level', uint: { max: 9 } },
      { query: 'item', id: { maxBytes: 16 }, column: 'item_id' },
    ]
    const model = await compiledGames(liveStudio({ games: { ...games, key, ignoredParameters: ['utm'] } }))
    expect(model.key).toEqual([
      { source: 'claim', name: 'sub', column: 'player_id' },
      { source: 'claim', name: 'region', column: 'region' },
      {
        source: 'query',
        name: 'country',
        column: 'country',
        accepts: { type: 'values', values: new Set(['DE', 'FR']) },
      },
      { source: 'query', name: 'level', column: 'level', accepts: { type: 'uint', max: 9 } },
      { source: 'query', name: 'item', column: 'item_id', accepts: { type: 'id', maxBytes: 16 } },
    ])
    expect([...model.parameters]).toEqual([
      ['country', true],
      ['level', true],
      ['item', true],
      ['utm', false],
    ])
  })

  test('has its times', async () => {
    const model = await compiledGames(liveStudio({ games: { ...games, maxAgeSeconds: 7, deadlineMs: 20 } }))
    expect(model).toMatchObject({ maxAgeSeconds: 7, deadlineMs: 20 })
  })
})

describe('a compiled version', () => {
  test('has the head of each answer that it may give', async () => {
    const model = await compiledGames(liveStudio({ games: { ...games, maxAgeSeconds: 300 } }))
    const { heads } = model.versions.get('itemcf')!
    expect(Object.keys(heads)).toEqual(['split', 'override', 'sibling', 'stale', 'default'])
    expect(heads.sibling.jsonPrefix).toBe(
      '{"model":"games","version":"itemcf","reason":"sibling","recommendation":',
    )
    const text = (headers: readonly string[]) => headers.join('|')
    expect(text(heads.split.headers.json)).toContain('Cache-Control|private, max-age=300')
    expect(text(heads.split.headers.packed)).toContain('Recgate|v=itemcf, r=split')
    expect(text(heads.default.headers.json)).toContain('Cache-Control|private, max-age=10')
    expect(heads.split.etagSeeds.json).not.toEqual(heads.split.etagSeeds.packed)
    expect(heads.split.etagSeeds.json).not.toEqual(model.control.heads.split.etagSeeds.json)
  })

  test('has the table of its active generation, or none', async () => {
    const live = liveStudio({ games }).with('games', {
      3: { version: 'popular', state: 'previous', token: 'old' },
      4: { version: 'itemcf', state: 'previous' },
      7: { version: 'popular', token: 'new', buckets: 13, rows: 1_000 },
    })
    const model = await compiledGames(live)
    expect(model.versions.get('popular')?.table).toEqual({
      generation: 7,
      token: 'new',
      buckets: 13,
      rows: 1_000,
      bucketPrefix: 'rg:t:studio:games:7:',
    })
    expect(model.versions.get('popular')?.published).toEqual({
      at: new Date('2026-01-01T00:00:00Z'),
      bytes: 20_000,
    })
    expect(model.versions.get('itemcf')).toMatchObject({ table: null, published: null })
  })

  test('knows where the rows of the generation before lie, unless that was rolled back from', async () => {
    const live = liveStudio({ games }).with('games', {
      2: { version: 'popular', state: 'previous', lastActiveAt: '2026-01-05T00:00:00Z' },
      3: { version: 'popular', state: 'previous', lastActiveAt: '2026-01-03T00:00:00Z' },
      4: { version: 'popular', state: 'quarantined', lastActiveAt: '2026-01-07T00:00:00Z' },
      5: { version: 'popular', state: 'collecting', lastActiveAt: '2026-01-06T00:00:00Z' },
      7: { version: 'popular' },
      8: { version: 'itemcf', state: 'quarantined' },
    })
    const { versions } = await compiledGames(live)
    expect(versions.get('popular')?.previousPrefix).toBe('rg:t:studio:games:2:')
    expect(versions.get('itemcf')?.previousPrefix).toBeNull()
  })

  test.each([
    ['without a word', {}, [0, 3_600_000]],
    ['as it says', { nearCacheSeconds: 0.25, staleSeconds: 60 }, [250, 60_000]],
    ['not at all', { staleSeconds: 0 }, [0, 0]],
    ['of public rows', { public: true, key: [{ query: 'level', uint: { max: 9 } }] }, [5_000, 3_600_000]],
    [
      'of public rows, as it says',
      { public: true, key: [{ query: 'level', uint: { max: 9 } }], nearCacheSeconds: 0 },
      [0, 3_600_000],
    ],
  ])('keeps copies %s', async (_, more, expected) => {
    const { freshMs, staleMs } = await compiledGames(liveStudio({ games: { ...games, ...more } }))
    expect([freshMs, staleMs]).toEqual(expected)
  })

  test.each([
    ['is said for none', undefined, [null, null]],
    ['is said for all', 24, [86_400, 86_400]],
    ['is said for one', { itemcf: 0.5 }, [null, 1_800]],
  ])('how old its tables may become %s', async (_, maxAgeHours, expected) => {
    const model = await compiledGames(
      liveStudio({ games: { ...games, ...(maxAgeHours && { maxAgeHours }) } }),
    )
    const ages = ['popular', 'itemcf'].map((id) => model.versions.get(id)?.tableAgeSecondsMax)
    expect(ages).toEqual(expected)
  })
})
