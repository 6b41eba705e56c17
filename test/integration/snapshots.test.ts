import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CatalogAnnouncements, CatalogStore } from '../../src/catalog/ports.ts'
import { type SnapshotsEvent, type WatchedSnapshots, watchSnapshots } from '../../src/catalog/snapshots.ts'
import { randomToken } from '../../src/compose.ts'
import { developmentTrustedIssuer } from '../../src/jwt/development-key.ts'
import { createIssuers } from '../../src/jwt/issuer-keys.ts'
import { createCatalogAnnouncements } from '../../src/redis/catalog-announcements.ts'
import { createCatalogStore } from '../../src/redis/catalog-store.ts'
import { createSubscriberClients, redisReady } from '../../src/redis/client.ts'
import { catalogKeys, tableKeys } from '../../src/redis/keys.ts'
import { engines } from '../support/redis.ts'
import { testClient, testConnection } from '../support/redis-clients.ts'
import { testDevelopmentKey } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { openScoredTenants, type ScoredTenants } from './scored-tenants.ts'

describe.each(engines)('snapshots of a catalog in $name', ({ skip, start }) => {
  let tenants: ScoredTenants
  let hands: Redis
  const open: { close(): unknown }[] = []

  beforeAll(async () => {
    if (skip) return
    tenants = await openScoredTenants(await start())
    hands = tenants.hands
  })
  afterAll(() => tenants?.stop())
  beforeEach(() => tenants.empty())
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })

  const indexEntry = async (tenant: string) => (await hands.get(catalogKeys.index(tenant)))!

  interface Watched {
    readonly snapshots: WatchedSnapshots
    readonly events: SnapshotsEvent[]
    /** Tenants in the order in which they were read, and reads of the index. */
    readonly reads: string[]
    indexReads(): number
    /** While true, the index can't be read. */
    breakReads(broken: boolean): void
    deadlineMsOf(tenant: string): number | undefined
  }

  type Options = { pollMs?: number; announced?: boolean; developmentKeys?: boolean }

  /** A watcher as a gateway has it, over a connection of its own; starts with what is in the catalog now. */
  async function watch({
    pollMs = 60_000,
    announced = true,
    developmentKeys = false,
  }: Options = {}): Promise<Watched> {
    const client = testClient('catalog', tenants.redis.url)
    await redisReady(client, 5_000)
    const inner = createCatalogStore(client, randomToken)
    const events: SnapshotsEvent[] = []
    const reads: string[] = []
    let indexReads = 0
    let broken = false
    const store: CatalogStore = {
      ...inner,
      index() {
        indexReads++
        return broken ? Promise.reject(new Error('no catalog here')) : inner.index()
      },
      read(tenantId) {
        reads.push(tenantId)
        return inner.read(tenantId)
      },
    }
    const { issuerFor } = createIssuers({ resolveSecret: () => null })
    const key = developmentKeys ? await testDevelopmentKey() : null
    const snapshots = watchSnapshots({
      store,
      announcements: announced ? realAnnouncements() : neverAnnounces,
      saved: null,
      environment: { issuerFor, bucketPrefix: tableKeys.bucketPrefix },
      extraIssuers: (tenantId) => (key === null ? [] : [developmentTrustedIssuer(key, tenantId)]),
      pollMs,
      report: (event) => events.push(event),
    })
    open.push({
      async close() {
        await snapshots.close()
        client.disconnect()
      },
    })
    await snapshots.start()
    return {
      snapshots,
      events,
      reads,
      indexReads: () => indexReads,
      breakReads: (value) => {
        broken = value
      },
      deadlineMsOf: (tenant) => snapshots.current()?.tenants.get(tenant)?.models.get('games')?.deadlineMs,
    }
  }

  const realAnnouncements = () =>
    createCatalogAnnouncements({ clients: createSubscriberClients(testConnection(tenants.redis.url)) })
  const neverAnnounces: CatalogAnnouncements = {
    subscribe: async () => undefined,
    close: async () => undefined,
  }

  /** Waits until the index was read twice from now on: whatever lay in the catalog has been seen. */
  async function afterPolls(watched: Watched): Promise<void> {
    const before = watched.indexReads()
    await until('the catalog was polled twice', () => watched.indexReads() >= before + 2)
  }
  /** The tenants that events of that kind named, one event after the other. */
  const eventsOf = ({ events }: Watched, event: SnapshotsEvent['event']) =>
    events.flatMap((one) => {
      if (one.event !== event) return []
      if (one.event === 'over') return one.tenantIds
      if (one.event === 'vanished' || one.event === 'backwards')
        return one.tenants.map(({ tenantId }) => tenantId)
      return 'tenantId' in one ? [one.tenantId] : ['']
    })
  const problemOf = ({ snapshots }: Watched, tenantId: string) => snapshots.status().problems[tenantId]
  const troubled = ({ snapshots }: Watched) => Object.keys(snapshots.status().problems).length

  test.skipIf(skip)('all tenants are there when the start is over', async () => {
    await tenants.apply('one')
    await tenants.apply('two', { deadlineMs: 20 })
    const watched = await watch()
    const snapshot = watched.snapshots.current()!
    expect([...snapshot.tenants.keys()].sort()).toEqual(['one', 'two'])
    expect([...snapshot.issuers.keys()].sort()).toEqual(['https://one.example', 'https://two.example'])
    expect(snapshot.issuers.get('https://two.example')?.tenantId).toBe('two')
    expect(watched.deadlineMsOf('two')).toBe(20)
    expect(watched.snapshots.status()).toMatchObject({ ready: true, tenants: 2, problems: {} })
    expect(eventsOf(watched, 'loaded').sort()).toEqual(['one', 'two'])
  })

  test.skipIf(skip)('an empty catalog is a catalog: ready, with no tenant', async () => {
    const watched = await watch()
    expect(watched.snapshots.status()).toMatchObject({ ready: true, tenants: 0, problems: {} })
    await tenants.apply('first')
    await until('the first tenant is served', () => watched.deadlineMsOf('first') === 50)
  })

  test.skipIf(skip)('a change comes by announcement, and only that tenant is read', async () => {
    await tenants.apply('one')
    await tenants.apply('two')
    const watched = await watch()
    const before = watched.snapshots.current()!
    const { length } = watched.reads
    await tenants.apply('two', { deadlineMs: 33 })
    await until('the announced change is served', () => watched.deadlineMsOf('two') === 33)
    expect(watched.reads.slice(length)).toEqual(['two'])
    const after = watched.snapshots.current()!
    // Not with not.toBe, which compares 10,000 slots deeply to word a hint.
    expect(after === before).toBe(false)
    expect(after.tenants.get('one')).toBe(before.tenants.get('one'))
    expect(before.tenants.get('two')?.models.get('games')?.deadlineMs).toBe(50)
    expect(after.tenants.get('two')?.revision).toBe(2)
  })

  test.skipIf(skip)('a change comes by polls alone, which read no tenant that is the same', async () => {
    await tenants.apply('one')
    await tenants.apply('two')
    const watched = await watch({ announced: false, pollMs: 20 })
    const snapshot = watched.snapshots.current()
    await afterPolls(watched)
    expect(watched.reads).toHaveLength(2)
    expect(watched.snapshots.current()).toBe(snapshot)
    await tenants.apply('one', { deadlineMs: 34 })
    await until('the change is found', () => watched.deadlineMsOf('one') === 34)
    expect(watched.reads.slice(2)).toEqual(['one'])
  })

  test.skipIf(skip)('many changes in a row end with the last one', async () => {
    await tenants.apply('one')
    const watched = await watch()
    for (let deadlineMs = 60; deadlineMs < 80; deadlineMs++) await tenants.apply('one', { deadlineMs })
    await until('the last of 20 changes is served', () => watched.deadlineMsOf('one') === 79)
  })

  test.skipIf(skip)('the revision alone or the token alone is reason enough to read again', async () => {
    await tenants.apply('one')
    await tenants.apply('two')
    const watched = await watch({ announced: false, pollMs: 20 })
    const { length } = watched.reads
    const before = watched.snapshots.current()

    const [revision, token] = (await indexEntry('one')).split(' ')
    await hands
      .multi()
      .hset(catalogKeys.tenant('one'), 'token', 'other')
      .set(catalogKeys.index('one'), `${revision} other`)
      .exec()
    await until('another token is noticed', () => watched.snapshots.current() !== before)
    expect(watched.reads.slice(length)).toEqual(['one'])

    await hands
      .multi()
      .hset(catalogKeys.tenant('one'), 'revision', 9)
      .set(catalogKeys.index('one'), '9 other')
      .exec()
    await until(
      'another revision is noticed',
      () => watched.snapshots.current()?.tenants.get('one')?.revision === 9,
    )
    expect(watched.reads.slice(length)).toEqual(['one', 'one'])
    expect(token).not.toBe('other')
  })

  const breakages: [string, (tenant: string) => Record<string, string>][] = [
    ['a document that is no JSON', () => ({ document: '{' })],
    ['an empty document', () => ({ document: '' })],
    [
      'a document with a fault',
      (tenant) => ({ document: JSON.stringify(tenants.documentOf(tenant, { weights: {} })) }),
    ],
    ['another tenant’s document', () => ({ document: JSON.stringify(tenants.documentOf('other')) })],
    ['a state that is no JSON', () => ({ state: 'x' })],
    ['a state with a fault', () => ({ state: JSON.stringify({ models: 5, retiredModels: [] }) })],
    ['a state without the model', () => ({ state: JSON.stringify({ models: {}, retiredModels: [] }) })],
    [
      'an issuer’s key that can not be imported',
      (tenant) => {
        const document = tenants.documentOf(tenant)
        return {
          document: JSON.stringify({
            ...document,
            issuers: [{ ...document.issuers[0], jwks: { keys: [{ kty: 'oct' }] } }],
          }),
        }
      },
    ],
  ]

  test.skipIf(skip).each(breakages)(
    '%s never replaces the good one, is told once, and mended',
    async (_, breakage) => {
      await tenants.apply('one', { deadlineMs: 44 })
      await tenants.apply('two')
      const watched = await watch({ announced: false, pollMs: 15 })
      const good = watched.snapshots.current()!.tenants.get('one')
      const key = catalogKeys.tenant('one')
      const stored = await hands.hgetall(key)
      await hands
        .multi()
        .hset(key, { ...breakage('one'), revision: 2, token: 'bad' })
        .set(catalogKeys.index('one'), '2 bad')
        .exec()
      await until('the breakage is noticed', () => problemOf(watched, 'one') !== undefined)
      await afterPolls(watched)
      expect(eventsOf(watched, 'broken')).toEqual(['one'])
      expect(watched.snapshots.status()).toMatchObject({
        ready: true,
        tenants: 2,
        problems: { one: 'broken' },
      })
      expect(watched.snapshots.current()!.tenants.get('one')).toBe(good)

      // Neighbours go on changing meanwhile.
      await tenants.apply('two', { deadlineMs: 45 })
      await until('the neighbour’s change is served', () => watched.deadlineMsOf('two') === 45)
      expect(watched.deadlineMsOf('one')).toBe(44)
      expect(eventsOf(watched, 'broken')).toEqual(['one'])

      const mended = JSON.stringify(tenants.documentOf('one', { deadlineMs: 46 }))
      await hands
        .multi()
        .hset(key, { ...stored, document: mended, revision: 3, token: 'good' })
        .set(catalogKeys.index('one'), '3 good')
        .exec()
      await until('the mended document is served', () => watched.deadlineMsOf('one') === 46)
      expect(watched.snapshots.status().problems).toEqual({})
    },
  )

  test.skipIf(skip)(
    'a broken document of a tenant that was never good keeps nobody from starting',
    async () => {
      await tenants.apply('good')
      await tenants.apply('bad')
      await hands.hset(catalogKeys.tenant('bad'), 'document', '[]')
      const watched = await watch({ announced: false, pollMs: 15 })
      expect(watched.snapshots.status()).toMatchObject({
        ready: true,
        tenants: 1,
        problems: { bad: 'broken' },
      })
      await hands.del(catalogKeys.index('bad'))
      await until('what is gone is no longer called broken', () => troubled(watched) === 0)
      expect(eventsOf(watched, 'vanished')).toEqual([])
    },
  )

  test.skipIf(skip).each([
    ['from the index', () => hands.del(catalogKeys.index('one'))],
    ['with everything else', async () => hands.del(...(await hands.keys('rg:*')))],
  ])('a tenant that vanished %s stays served, is told once, and comes back', async (_, vanish) => {
    await tenants.apply('one', { deadlineMs: 44 })
    const watched = await watch({ announced: false, pollMs: 15 })
    const entry = await indexEntry('one')
    const stored = await hands.hgetall(catalogKeys.tenant('one'))
    await vanish()
    await until('it is missed', () => problemOf(watched, 'one') !== undefined)
    await afterPolls(watched)
    expect(eventsOf(watched, 'vanished')).toEqual(['one'])
    expect(watched.deadlineMsOf('one')).toBe(44)
    expect(watched.snapshots.current()?.issuers.has('https://one.example')).toBe(true)
    expect(watched.snapshots.status()).toMatchObject({ ready: true, tenants: 1 })

    const { length } = watched.reads
    await hands.hset(catalogKeys.tenant('one'), stored)
    await hands.set(catalogKeys.index('one'), entry)
    await hands.sadd(catalogKeys.tenants, 'one')
    await until('it is no longer missed', () => troubled(watched) === 0)
    expect(watched.reads).toHaveLength(length)
    expect(eventsOf(watched, 'vanished')).toEqual(['one'])
  })

  test.skipIf(skip)('a tenant that the index names and the store lacks is broken, not gone', async () => {
    await tenants.apply('one', { deadlineMs: 44 })
    const watched = await watch({ announced: false, pollMs: 15 })
    await hands.multi().del(catalogKeys.tenant('one')).set(catalogKeys.index('one'), '2 x').exec()
    await until('it is missed', () => problemOf(watched, 'one') !== undefined)
    expect(eventsOf(watched, 'broken')).toEqual(['one'])
    expect(watched.deadlineMsOf('one')).toBe(44)
  })

  test.skipIf(skip)('a catalog out of reach at the start is told, tried again, and found', async () => {
    await tenants.apply('one')
    const client = testClient('catalog', 'redis://127.0.0.1:1')
    const [near, far] = [createCatalogStore(hands, randomToken), createCatalogStore(client, randomToken)]
    let store = far
    let tries = 0
    const events: SnapshotsEvent[] = []
    const snapshots = watchSnapshots({
      store: {
        ...far,
        index() {
          tries++
          return store.index()
        },
        read: (tenantId) => store.read(tenantId),
        issuerOwners: (issuers) => store.issuerOwners(issuers),
      },
      announcements: neverAnnounces,
      saved: null,
      environment: {
        issuerFor: createIssuers({ resolveSecret: () => null }).issuerFor,
        bucketPrefix: tableKeys.bucketPrefix,
      },
      extraIssuers: () => [],
      pollMs: 15,
      report: (event) => events.push(event),
    })
    open.push(snapshots, { close: () => client.disconnect() })
    await snapshots.start()
    expect(snapshots.current()).toBeNull()
    expect(snapshots.status()).toMatchObject({ ready: false, tenants: 0, problems: {} })
    await until('it was tried again', () => tries >= 3)
    expect(events.map(({ event }) => event)).toEqual(['unreachable'])
    store = near
    await until('the catalog is found', () => snapshots.status().ready)
    expect(snapshots.current()?.tenants.has('one')).toBe(true)
    expect(events.map(({ event }) => event)).toEqual(['unreachable', 'loaded', 'reachable'])
  })

  test.skipIf(skip)('a catalog that goes out of reach changes nothing that is served', async () => {
    await tenants.apply('one')
    const watched = await watch({ announced: false, pollMs: 15 })
    const snapshot = watched.snapshots.current()
    watched.breakReads(true)
    await until('it is told', () => eventsOf(watched, 'unreachable').length > 0)
    expect(watched.snapshots.current()).toBe(snapshot)
    expect(watched.snapshots.status()).toMatchObject({ ready: true, tenants: 1, problems: {} })
    await tenants.apply('one', { deadlineMs: 35 })
    watched.breakReads(false)
    await until('it is read again', () => watched.deadlineMsOf('one') === 35)
  })

  test.skipIf(skip)(
    'an unchanged issuer is the identical object in every snapshot, a changed one is not',
    async () => {
      await tenants.apply('one')
      await tenants.apply('two')
      const watched = await watch({ developmentKeys: true })
      const issuer = (name: string) => watched.snapshots.current()?.issuers.get(name)
      const before = issuer('https://one.example')
      const development = issuer('https://dev.recgate.invalid/one')
      expect(before).toBeDefined()
      expect(development).toMatchObject({ tenantId: 'one' })

      await tenants.apply('one', { weights: { popular: 50, itemcf: 50 } })
      await until(
        'new weights are served',
        () => watched.snapshots.current()?.tenants.get('one')?.revision === 2,
      )
      expect(issuer('https://one.example')).toBe(before)
      expect(issuer('https://dev.recgate.invalid/one')).toBe(development)

      await tenants.rotateKey()
      await tenants.apply('one', { weights: { popular: 50, itemcf: 50 } })
      await until('new keys are served', () => issuer('https://one.example') !== before)
      expect(issuer('https://one.example')?.keySet.keys[0]?.kid).toBe('key-2')

      await tenants.apply('one', { weights: { popular: 50, itemcf: 50 } }, ['https://moved.example'])
      await until('the old issuer is trusted no longer', () => issuer('https://one.example') === undefined)
      expect(issuer('https://moved.example')?.tenantId).toBe('one')
    },
  )

  test.skipIf(skip)('after the end nothing is read any more', async () => {
    await tenants.apply('one')
    const watched = await watch({ announced: true, pollMs: 15 })
    await watched.snapshots.close()
    const reads = watched.indexReads()
    await tenants.apply('one', { deadlineMs: 36 })
    const other = await watch({ announced: false, pollMs: 15 })
    await afterPolls(other)
    expect(watched.indexReads()).toBe(reads)
    expect(watched.deadlineMsOf('one')).toBe(50)
  })
})
