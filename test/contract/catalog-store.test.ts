import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CatalogChange, CatalogStore, HistoryEntry } from '../../src/catalog/ports.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { limits } from '../../src/domain/limits.ts'
import { createCatalogAnnouncements } from '../../src/redis/catalog-announcements.ts'
import { createCatalogStore } from '../../src/redis/catalog-store.ts'
import { createSubscriberClients, type RedisClient } from '../../src/redis/client.ts'
import { engines } from '../support/redis.ts'
import { keysOf, readyClient, serversOf, testConnection } from '../support/redis-clients.ts'
import { until } from '../support/until.ts'

const history: CatalogChange['history'] = {
  at: '2026-08-01T12:00:00.000Z',
  who: 'tester',
  why: 'to see',
  what: ['creates it'],
}

type Configuration = NonNullable<CatalogChange['configuration']>

/** A change of the configuration. */
function changeOf(
  tenantId: string,
  { document = '{}', issuers = [], ...more }: Partial<CatalogChange & Configuration> = {},
): CatalogChange {
  const configuration = { document, issuers }
  return { tenantId, expectedRevision: 0, state: '{}', configuration, history, ...more }
}

/** A change of the state alone, as a publish makes it. */
function stateChangeOf(tenantId: string, more: Partial<CatalogChange> = {}): CatalogChange {
  return { ...changeOf(tenantId), configuration: null, ...more }
}

let tenants = 0
/** Each test has tenants of its own. */
const newTenant = () => `tenant-${++tenants}`

for (const engine of engines) {
  describe.skipIf(engine.skip)(`the catalog on the ${engine.name}`, () => {
    let redis: LocalRedis
    let client: RedisClient
    let store: CatalogStore
    /** The same catalog, over a connection of its own: another process. */
    let otherStore: CatalogStore
    const clients: RedisClient[] = []

    async function connect(): Promise<RedisClient> {
      const connected = await readyClient('catalog', redis.url)
      clients.push(connected)
      return connected
    }

    beforeAll(async () => {
      redis = await engine.start()
      client = await connect()
      store = createCatalogStore(client, randomUUID)
      otherStore = createCatalogStore(await connect(), randomUUID)
    })

    afterAll(async () => {
      for (const each of clients) each.disconnect()
      await redis.stop()
    })

    /** All that lies in the database, to see whether anything was written. */
    async function everything(): Promise<Map<string, unknown>> {
      const keys = await keysOf(client, '*')
      const readers: Record<string, (key: string) => Promise<unknown>> = {
        string: (key) => client.get(key),
        hash: (key) => client.hgetall(key),
        set: async (key) => (await client.smembers(key)).sort(),
        stream: (key) => client.xrange(key, '-', '+'),
      }
      const contents = new Map<string, unknown>()
      for (const key of keys) contents.set(key, await readers[await client.type(key)]!(key))
      return contents
    }

    /** Applies a change that must succeed. */
    async function changed(change: CatalogChange): Promise<{ revision: number; token: string }> {
      const outcome = await store.change(change)
      if (outcome.outcome !== 'changed') throw new Error(`expected a change, and met ${outcome.outcome}`)
      return outcome
    }

    describe('change', () => {
      test('an unknown tenant is null, and in no index', async () => {
        expect(await store.read('nobody')).toBeNull()
        expect((await store.index()).has('nobody')).toBe(false)
        expect(await store.history('nobody', 10)).toEqual([])
      })

      test('revision 0 creates a tenant', async () => {
        const tenantId = newTenant()
        expect(await store.change(changeOf(tenantId))).toEqual({
          outcome: 'changed',
          revision: 1,
          token: expect.any(String),
        })
      })

      test('tenant, index and history agree after every change', async () => {
        const tenantId = newTenant()
        const tokens = new Set<string>()
        for (let revision = 1; revision <= 5; revision++) {
          const document = `{"revision":${revision}}`
          const state = `{"state":${revision}}`
          const what = [`makes revision ${revision}`]
          const outcome = await changed(
            changeOf(tenantId, {
              expectedRevision: revision - 1,
              document,
              state,
              history: { ...history, what },
            }),
          )
          tokens.add(outcome.token)
          expect(outcome.revision).toBe(revision)
          const { token } = outcome
          expect(await store.read(tenantId)).toEqual({ tenantId, revision, token, document, state })
          expect((await otherStore.index()).get(tenantId)).toEqual({ revision, token })
          expect((await store.history(tenantId, 1))[0]).toEqual({ ...history, what, document, revision })
        }
        expect(tokens.size).toBe(5)
      })

      test('one that is planned against another revision is refused and writes nothing', async () => {
        const tenantId = newTenant()
        await changed(changeOf(tenantId))
        await changed(changeOf(tenantId, { expectedRevision: 1, issuers: ['https://outdated.example'] }))
        const before = await everything()
        for (const expectedRevision of [0, 1, 3, 1e15])
          expect(
            await store.change(
              changeOf(tenantId, { expectedRevision, document: 'new', issuers: ['https://new.example'] }),
            ),
          ).toEqual({ outcome: 'outdated', revision: 2 })
        expect(await everything()).toEqual(before)
      })

      test('one of a tenant that does not exist is refused and writes nothing', async () => {
        const before = await everything()
        expect(await store.change(changeOf('nobody', { expectedRevision: 1 }))).toEqual({
          outcome: 'outdated',
          revision: 0,
        })
        expect(await everything()).toEqual(before)
      })

      test('of 20 at once against one revision exactly one wins', async () => {
        const tenantId = newTenant()
        await changed(changeOf(tenantId))
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (index % 2 === 0 ? store : otherStore).change(
              changeOf(tenantId, { expectedRevision: 1, document: `"writer ${index}"` }),
            ),
          ),
        )
        const winners = outcomes.flatMap((outcome, index) => (outcome.outcome === 'changed' ? [index] : []))
        expect(winners).toHaveLength(1)
        expect((await store.read(tenantId))?.document).toBe(`"writer ${winners[0]}"`)
        expect((await store.read(tenantId))?.revision).toBe(2)
        expect(await store.history(tenantId, 100)).toHaveLength(2)
        for (const outcome of outcomes)
          if (outcome.outcome !== 'changed') expect(outcome).toEqual({ outcome: 'outdated', revision: 2 })
      })

      test('a tenant whose entry was lost is created anew, and its history goes on', async () => {
        const tenantId = newTenant()
        await changed(changeOf(tenantId))
        await changed(changeOf(tenantId, { expectedRevision: 1 }))
        const [key] = await keysOf(client, `*:tenant:${tenantId}`)
        await client.del(key!)
        const { revision, token } = await changed(changeOf(tenantId, { document: '"anew"' }))
        expect(revision).toBe(3)
        expect((await store.read(tenantId))?.document).toBe('"anew"')
        expect((await store.index()).get(tenantId)).toEqual({ revision, token })
        expect((await store.history(tenantId, 10)).map((entry) => entry.revision)).toEqual([3, 2, 1])
      })
    })

    describe('a change of the state alone', () => {
      test('leaves the document, the issuers and the list of tenants as they are', async () => {
        const [tenantId, other] = [newTenant(), newTenant()]
        const issuers = [`https://${tenantId}.example`]
        await changed(changeOf(tenantId, { document: '"kept"', issuers }))
        await client.srem('rg:{rg-catalog}:tenants', tenantId)
        const { token } = await changed(stateChangeOf(tenantId, { expectedRevision: 1, state: '"new"' }))
        expect(await store.read(tenantId)).toEqual({
          tenantId,
          revision: 2,
          token,
          document: '"kept"',
          state: '"new"',
        })
        expect((await store.index()).has(tenantId)).toBe(false)
        await client.sadd('rg:{rg-catalog}:tenants', tenantId)
        expect((await store.index()).get(tenantId)).toEqual({ revision: 2, token })
        expect(await store.issuerOwners(issuers)).toEqual([tenantId])
        expect(await store.change(changeOf(other, { issuers }))).toMatchObject({ outcome: 'issuer-taken' })
      })

      test('is refused like any other where the tenant is not there, or has gone on', async () => {
        const tenantId = newTenant()
        await changed(changeOf(tenantId))
        await changed(stateChangeOf(tenantId, { expectedRevision: 1 }))
        const before = await everything()
        expect(await store.change(stateChangeOf(tenantId, { expectedRevision: 1 }))).toEqual({
          outcome: 'outdated',
          revision: 2,
        })
        expect(await store.change(stateChangeOf('nobody', { expectedRevision: 1 }))).toMatchObject({
          outcome: 'outdated',
        })
        expect(await everything()).toEqual(before)
      })
    })

    describe('what recgate never writes', () => {
      const kinds: Record<string, (key: string) => Promise<unknown>> = {
        string: (key) => client.set(key, 'x'),
        hash: (key) => client.hset(key, 'x', 'y'),
        list: (key) => client.rpush(key, 'x'),
      }
      const places = [
        ['tenant', 'string'],
        ['index', 'hash'],
        ['history', 'string'],
        ['issuers-of', 'hash'],
      ] as const

      test.each(places)(
        'in the key %s, a %s, stops a change before it writes anything',
        async (place, kind) => {
          const tenantId = newTenant()
          const issuers = [`https://${tenantId}.example`]
          if (place !== 'tenant') await changed(changeOf(tenantId, { issuers }))
          const key = `rg:{rg-catalog}:${place}:${tenantId}`
          await client.del(key)
          await kinds[kind]!(key)
          const before = await everything()
          const expectedRevision = place === 'tenant' ? 0 : 1
          const change = changeOf(tenantId, { expectedRevision, document: '"new"', issuers: [] })
          await expect(store.change(change)).rejects.toThrow(
            `the key ${key} in Redis holds what recgate never writes`,
          )
          expect(await everything()).toEqual(before)
          await client.del(key)
          expect(await store.change(change)).toMatchObject({ outcome: 'changed' })
        },
      )

      test('as the last of a history, an entry beyond every revision, stops a change, too', async () => {
        const tenantId = newTenant()
        await changed(changeOf(tenantId))
        const key = `rg:{rg-catalog}:history:${tenantId}`
        await client.xadd(key, '18446744073709551614-0', 'entry', 'x')
        const before = await everything()
        for (const change of [
          changeOf(tenantId, { expectedRevision: 1, document: '"new"' }),
          stateChangeOf(tenantId, { expectedRevision: 1 }),
        ])
          await expect(store.change(change)).rejects.toThrow(key)
        expect(await everything()).toEqual(before)
      })

      test.each(['abc', '-1', '1.5', '1e300', ''])(
        'as a revision, %j, is passed by the next one',
        async (text) => {
          const tenantId = newTenant()
          await changed(changeOf(tenantId))
          await client.hset(`rg:{rg-catalog}:tenant:${tenantId}`, 'revision', text)
          expect(await store.change(changeOf(tenantId, { expectedRevision: 1 }))).toEqual({
            outcome: 'outdated',
            revision: 0,
          })
          expect(await changed(changeOf(tenantId))).toMatchObject({ revision: 2 })
        },
      )

      test('what is larger than it may be is not read, and not written', async () => {
        const tenantId = newTenant()
        const { token } = await changed(changeOf(tenantId))
        const large = 'x'.repeat(limits.documentBytesMax + 1)
        await client.hset(`rg:{rg-catalog}:tenant:${tenantId}`, 'document', large)
        expect(await store.read(tenantId)).toEqual({
          tenantId,
          revision: 1,
          token,
          document: '',
          state: '{}',
        })
        await client.set(`rg:{rg-catalog}:index:${tenantId}`, large)
        const entry = (await store.index()).get(tenantId)
        expect(entry?.revision).toBeNaN()
        await client.del(`rg:{rg-catalog}:index:${tenantId}`)
        await client.rpush(`rg:{rg-catalog}:index:${tenantId}`, large)
        expect((await store.index()).has(tenantId)).toBe(false)
        await client.del(`rg:{rg-catalog}:index:${tenantId}`)
        const before = await everything()
        const state = 'x'.repeat(limits.stateBytesMax + 1)
        for (const change of [{ document: large }, { state }])
          await expect(store.change(changeOf(tenantId, { expectedRevision: 1, ...change }))).rejects.toThrow(
            /has \d+ bytes; at most \d+ can be kept/,
          )
        expect(await everything()).toEqual(before)
      })
    })

    test('a revision lies above what was asked for, and above everything in the history', async () => {
      const tenantId = newTenant()
      expect(await changed(changeOf(tenantId, { revisionAbove: 41 }))).toMatchObject({ revision: 42 })
      expect(await changed(changeOf(tenantId, { expectedRevision: 42, revisionAbove: 7 }))).toMatchObject({
        revision: 43,
      })
      await changed(stateChangeOf(tenantId, { expectedRevision: 43, revisionAbove: 99_999_999_999_999 }))
      expect(await store.read(tenantId)).toMatchObject({ revision: 100_000_000_000_000 })
      // As after a backup that holds less than the history does.
      await client.hset(`rg:{rg-catalog}:tenant:${tenantId}`, 'revision', 2)
      expect(await changed(changeOf(tenantId, { expectedRevision: 2 }))).toMatchObject({
        revision: 100_000_000_000_001,
      })
      expect((await store.index()).get(tenantId)).toMatchObject({ revision: 100_000_000_000_001 })
    })

    describe('issuers', () => {
      const issuers = (...names: string[]) => names.map((name) => `https://${name}.example`)

      test('a second claimant is refused, and nothing is written', async () => {
        const [first, second] = [newTenant(), newTenant()]
        await changed(changeOf(first, { issuers: issuers('a1', 'a2') }))
        await changed(changeOf(second, { issuers: issuers('b1') }))
        const before = await everything()
        const claim = { issuers: issuers('b2', 'a2', 'b1') }
        const taken = { outcome: 'issuer-taken', issuer: 'https://a2.example' }
        expect(await store.change(changeOf(second, { ...claim, expectedRevision: 1 }))).toEqual(taken)
        expect(await store.change(changeOf(newTenant(), claim))).toMatchObject({ outcome: 'issuer-taken' })
        expect(await everything()).toEqual(before)
      })

      test('of two claimants at once one gets it', async () => {
        const claimants = Array.from({ length: 10 }, newTenant)
        const outcomes = await Promise.all(
          claimants.map((tenantId, index) =>
            (index % 2 === 0 ? store : otherStore).change(
              changeOf(tenantId, { issuers: issuers('wanted', `own-of-${tenantId}`) }),
            ),
          ),
        )
        expect(outcomes.filter(({ outcome }) => outcome === 'changed')).toHaveLength(1)
        expect(outcomes.filter(({ outcome }) => outcome === 'issuer-taken')).toHaveLength(9)
        const index = await store.index()
        expect(claimants.filter((tenantId) => index.has(tenantId))).toHaveLength(1)
      })

      test('one that was let go can be claimed by another tenant, one that is kept can not', async () => {
        const [first, second] = [newTenant(), newTenant()]
        await changed(changeOf(first, { issuers: issuers('kept', 'let-go') }))
        await changed(changeOf(first, { expectedRevision: 1, issuers: issuers('kept', 'taken-up') }))
        expect(await store.change(changeOf(second, { issuers: issuers('kept') }))).toMatchObject({
          outcome: 'issuer-taken',
        })
        await changed(changeOf(second, { issuers: issuers('let-go') }))
        expect(
          await store.change(changeOf(first, { expectedRevision: 2, issuers: issuers('let-go') })),
        ).toEqual({ outcome: 'issuer-taken', issuer: 'https://let-go.example' })
      })

      test('one that stands among a tenant’s claims, and is another’s, stays with its owner', async () => {
        const [first, second] = [newTenant(), newTenant()]
        await changed(changeOf(first, { issuers: issuers('owned') }))
        await changed(changeOf(second))
        // As the publisher of the second tenant could write it.
        await client.sadd(`rg:{rg-catalog}:issuers-of:${second}`, ...issuers('owned'))
        await changed(changeOf(second, { expectedRevision: 1 }))
        expect(await store.issuerOwners(issuers('owned'))).toEqual([first])
      })

      test('they are compared byte for byte', async () => {
        for (const issuer of ['https://same.example', 'https://same.example/', 'https://SAME.example'])
          await changed(changeOf(newTenant(), { issuers: [issuer] }))
        await changed(changeOf(newTenant(), { issuers: ['https://ü.example\0%s"]]'] }))
        expect(
          await store.change(changeOf(newTenant(), { issuers: ['https://ü.example\0%s"]]'] })),
        ).toMatchObject({ outcome: 'issuer-taken' })
      })
    })

    describe('texts', () => {
      const texts = {
        unicode: 'プレイヤー42 😀 é é \u{10FFFF} \uFEFF \u2028',
        'hostile to Lua': `]] ]=] --[[ "\\ ' %s %d %1 \\0 \\x00 {}) end return nil\r\n\t\x1A\x7F`,
        'with NUL': '\0a\0\0b\0',
        'numbers that Lua would change': '12345678901234567890 1e400 0x10 -0 NaN',
        '200 kB': '{"ü":"😀"}\n'.repeat(200_000 / 15),
      }
      test.each(Object.entries(texts))('%s come back byte for byte', async (_, text) => {
        const tenantId = newTenant()
        const entry = { ...history, who: text, why: text, what: [text, text] }
        await changed(changeOf(tenantId, { document: text, state: text, history: entry }))
        const stored = await store.read(tenantId)
        expect(stored?.document === text, 'the document').toBe(true)
        expect(stored?.state === text, 'the state').toBe(true)
        expect(await store.history(tenantId, 1)).toEqual([{ ...entry, document: text, revision: 1 }])
      })
    })

    test('the history is newest first, and as long as was asked for', async () => {
      const tenantId = newTenant()
      for (let revision = 1; revision <= 12; revision++)
        await changed(
          revision % 2 === 0
            ? stateChangeOf(tenantId, { expectedRevision: revision - 1 })
            : changeOf(tenantId, { expectedRevision: revision - 1, document: `"${revision}"` }),
        )
      expect((await store.history(tenantId, 2, 4)).map(({ revision }) => revision)).toEqual([3, 2])
      expect(await store.history(tenantId, 2, 1)).toEqual([])
      const entries = await store.history(tenantId, 5)
      expect(entries.map((entry) => entry.revision)).toEqual([12, 11, 10, 9, 8])
      expect(entries.map((entry) => entry.document)).toEqual([null, '"11"', null, '"9"', null])
      const all: readonly HistoryEntry[] = await store.history(tenantId, 1_000)
      expect(all).toHaveLength(12)
    })

    describe('nextGeneration', () => {
      test('counts from 1, each model and each tenant for itself', async () => {
        const [first, second] = [newTenant(), newTenant()]
        for (const expected of [1, 2, 3]) expect(await store.nextGeneration(first, 'games', 0)).toBe(expected)
        expect(await store.nextGeneration(first, 'offers', 0)).toBe(1)
        expect(await store.nextGeneration(second, 'games', 0)).toBe(1)
        expect(await store.nextGeneration(first, 'games', 0)).toBe(4)
        expect(await store.nextGeneration(first, 'games', 3)).toBe(5)
        // As after the loss of the counter: what is in use is never given again.
        expect(await store.nextGeneration(first, 'games', 40)).toBe(41)
      })

      test('gives no number twice', async () => {
        const tenantId = newTenant()
        const numbers = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            (index % 2 === 0 ? store : otherStore).nextGeneration(tenantId, 'games', 0),
          ),
        )
        expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
      })
    })

    describe('announcements', () => {
      /** Channels reach across databases, and so across the workers of a test run: these ids are nobody else's. */
      const newAnnounced = () => `announced-${randomUUID().slice(0, 8)}`

      async function subscribed(name: string) {
        const heard: (string | null)[] = []
        const announcements = createCatalogAnnouncements({
          clients: createSubscriberClients(testConnection(redis.url, name)),
        })
        await announcements.subscribe((tenantId) => heard.push(tenantId))
        return { heard, announcements }
      }

      test('every subscriber hears of every change, by its tenant', async () => {
        const listeners = [await subscribed('first'), await subscribed('second')]
        const [first, second] = [newAnnounced(), newAnnounced()]
        await changed(changeOf(first))
        await changed(changeOf(second))
        await changed(changeOf(first, { expectedRevision: 1 }))
        for (const { heard, announcements } of listeners) {
          const own = () => heard.filter((tenantId) => tenantId === first || tenantId === second)
          await until('three changes were heard', () => own().length === 3)
          expect(own()).toEqual([first, second, first])
          await announcements.close()
        }
      })

      test('what was refused is not announced', async () => {
        const { heard, announcements } = await subscribed('refused')
        const [refused, last] = [newAnnounced(), newAnnounced()]
        await store.change(changeOf(refused, { expectedRevision: 7 }))
        await changed(changeOf(last))
        await until('the last change was heard', () => heard.includes(last))
        expect(heard).not.toContain(refused)
        await announcements.close()
      })

      test('a change that was heard of can be read', async () => {
        const tenantId = newAnnounced()
        const { heard, announcements } = await subscribed('reading')
        const change = changed(changeOf(tenantId, { document: '"new"' }))
        await until('the change was heard', () => heard.includes(tenantId))
        expect((await otherStore.read(tenantId))?.document).toBe('"new"')
        await change
        await announcements.close()
      })

      // The in-process engine can't end a single connection.
      test.skipIf(!engine.isReal)(
        'null says that the connection was away; then changes are heard again',
        async () => {
          const name = `killed-${randomUUID()}`
          const { heard, announcements } = await subscribed(name)
          const before = heard.filter((tenantId) => tenantId === null).length
          let killed = 0
          for (const server of serversOf(client)) {
            const line = String(await server.client('LIST'))
              .split('\n')
              .find((text) => text.includes(`name=${name} `))
            const id = /^id=(\d+) /.exec(line ?? '')?.[1]
            if (id !== undefined) killed += Number(await server.call('CLIENT', 'KILL', 'ID', id))
          }
          expect(killed).toBe(1)
          await until(
            'the reconnection was told',
            () => heard.filter((tenantId) => tenantId === null).length > before,
          )
          const tenantId = newAnnounced()
          await changed(changeOf(tenantId))
          await until('a change after the reconnection was heard', () => heard.includes(tenantId))
          expect(heard.filter((each) => each === tenantId)).toEqual([tenantId])
          await announcements.close()
        },
      )
    })
  })
}
