import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { makeChange, planChange } from '../../src/catalog/change.ts'
import type { CatalogStore } from '../../src/catalog/ports.ts'
import { type SnapshotsEvent, type WatchedSnapshots, watchSnapshots } from '../../src/catalog/snapshots.ts'
import { randomToken } from '../../src/compose.ts'
import { createSavedCatalog } from '../../src/disk/saved-catalog.ts'
import { openStateDirectory, type StateDirectory } from '../../src/disk/state-directory.ts'
import type { Snapshot } from '../../src/domain/snapshot.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { createIssuers } from '../../src/jwt/issuer-keys.ts'
import { createCatalogStore } from '../../src/redis/catalog-store.ts'
import { catalogKeys, tableKeys } from '../../src/redis/keys.ts'
import { engines } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { openScoredTenants, type ScoredTenants } from './scored-tenants.ts'

/** Nothing bad replaces a good snapshot: neither while a gateway runs, nor at a start that finds saved tenants on disk. */

describe.each(engines)('a good snapshot of a catalog in $name', ({ skip, start }) => {
  let tenants: ScoredTenants
  let hands: Redis
  let path: string
  const open: { close(): Promise<void> }[] = []

  beforeAll(async () => {
    if (skip) return
    tenants = await openScoredTenants(await start())
    hands = tenants.hands
  })
  afterAll(() => tenants?.stop())
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'recgate-good-'))
    await tenants.empty()
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
    await rm(path, { recursive: true, force: true })
  })

  /** Writes past every check, as hands or a restore do. */
  async function writeByHand(tenant: string, entry: string, fields: Record<string, string>): Promise<void> {
    const [revision = '', token = ''] = entry.split(' ')
    await hands
      .multi()
      .hset(catalogKeys.tenant(tenant), { revision, token, ...fields })
      .set(catalogKeys.index(tenant), entry)
      .sadd(catalogKeys.tenants, tenant)
      .exec()
  }

  interface Watched {
    readonly snapshots: WatchedSnapshots
    readonly events: SnapshotsEvent[]
    /** Of one tenant each, in order. */
    readonly reads: string[]
    readonly swaps: Snapshot[]
    readonly state: StateDirectory
    indexReads(): number
    /** As long as it is true, nothing can be read. */
    away(value: boolean): void
    deadlineMsOf(tenant: string): number | undefined
    problems(): Record<string, string>
    named(event: SnapshotsEvent['event']): SnapshotsEvent[]
    end(): Promise<void>
  }

  /** A watcher as a gateway has it, with this test's directory; polls fast. */
  async function watch({ away = false, pollMs = 15 } = {}): Promise<Watched> {
    const events: SnapshotsEvent[] = []
    const swaps: Snapshot[] = []
    const reads: string[] = []
    let indexReads = 0
    const inner = createCatalogStore(hands, randomToken)
    const reach = <T>(read: () => Promise<T>) =>
      away ? Promise.reject(new Error('no catalog here')) : read()
    const store: CatalogStore = {
      ...inner,
      index() {
        indexReads++
        return reach(inner.index)
      },
      read(tenantId) {
        reads.push(tenantId)
        return reach(() => inner.read(tenantId))
      },
      issuerOwners: (issuers) => reach(() => inner.issuerOwners(issuers)),
    }
    const report = () => {
      throw new Error('nothing here is damaged')
    }
    const state = openStateDirectory({ path, delayMs: 1, report })
    const snapshots = watchSnapshots({
      store,
      announcements: { subscribe: async () => undefined, close: async () => undefined },
      saved: createSavedCatalog(state),
      environment: {
        issuerFor: createIssuers({ resolveSecret: () => null }).issuerFor,
        bucketPrefix: tableKeys.bucketPrefix,
      },
      extraIssuers: () => [],
      pollMs,
      report: (event) => events.push(event),
      onSwap: (snapshot) => swaps.push(snapshot),
    })
    const watched: Watched = {
      snapshots,
      events,
      reads,
      swaps,
      state,
      indexReads: () => indexReads,
      away: (value) => {
        away = value
      },
      deadlineMsOf: (tenant) => snapshots.current()?.tenants.get(tenant)?.models.get('games')?.deadlineMs,
      problems: () => snapshots.status().problems,
      named: (event) => events.filter((one) => one.event === event),
      async end() {
        await snapshots.close()
        await state.close()
      },
    }
    open.push({ close: watched.end })
    await snapshots.start()
    return watched
  }

  async function afterPolls(watched: Watched, polls = 4): Promise<void> {
    const before = watched.indexReads()
    await until('the catalog was polled', () => watched.indexReads() >= before + polls)
  }

  /** Leaves what is in the catalog now on disk, as a gateway that ends. */
  async function saveAll(): Promise<void> {
    await (await watch({ pollMs: 60_000 })).end()
  }

  describe('is found on disk', () => {
    test.skipIf(skip)('confirmed by the index, and then not read again', async () => {
      await tenants.apply('one', { deadlineMs: 31 })
      await tenants.apply('two', { deadlineMs: 32 })
      await saveAll()
      const watched = await watch()
      await afterPolls(watched)
      expect(watched.reads).toEqual([])
      expect([watched.deadlineMsOf('one'), watched.deadlineMsOf('two')]).toEqual([31, 32])
      expect(watched.snapshots.current()?.incomplete).toBe(false)
      expect(watched.snapshots.status()).toMatchObject({
        ready: true,
        source: 'catalog',
        reachable: true,
        tenants: 2,
        fromDisk: { tenants: 0, savedAt: null },
        problems: {},
      })
      expect(watched.events).toEqual([])
      expect(watched.state.writes()).toEqual({ done: 0, failed: 0 })
    })

    test.skipIf(skip)('and only what changed meanwhile is read, and written', async () => {
      await tenants.apply('one')
      await tenants.apply('two')
      await saveAll()
      await tenants.apply('two', { deadlineMs: 33 })
      await tenants.apply('three', { deadlineMs: 34 })
      const watched = await watch()
      expect([...watched.reads].sort()).toEqual(['three', 'two'])
      expect([watched.deadlineMsOf('two'), watched.deadlineMsOf('three')]).toEqual([33, 34])
      await until('both are written', () => watched.state.writes().done === 2)
    })

    test.skipIf(skip)('while the catalog is out of reach, and heals when it is back', async () => {
      await tenants.apply('one', { deadlineMs: 31 })
      await tenants.apply('two', { deadlineMs: 32 })
      await saveAll()
      const before = Date.now()
      const watched = await watch({ away: true })
      expect([watched.deadlineMsOf('one'), watched.deadlineMsOf('two')]).toEqual([31, 32])
      // Nobody knows yet which tenants there are besides.
      expect(watched.snapshots.current()?.incomplete).toBe(true)
      const status = watched.snapshots.status()
      expect(status).toMatchObject({
        ready: true,
        source: 'disk',
        reachable: false,
        tenants: 2,
        problems: {},
      })
      expect(status.fromDisk.tenants).toBe(2)
      expect(status.fromDisk.savedAt?.getTime()).toBeLessThanOrEqual(before)
      await afterPolls(watched)
      expect(watched.events.map(({ event }) => event)).toEqual(['unreachable', 'from-disk'])
      expect(watched.events).toMatchObject([{ served: true }, { tenants: 2 }])

      await tenants.apply('one', { deadlineMs: 41 })
      await tenants.apply('new', { deadlineMs: 42 })
      watched.away(false)
      watched.snapshots.refresh()
      await until('it has healed', () => watched.snapshots.status().reachable)
      expect(watched.snapshots.status()).toMatchObject({ source: 'catalog', fromDisk: { tenants: 0 } })
      expect(watched.snapshots.current()?.incomplete).toBe(false)
      const deadlines = ['one', 'two', 'new'].map((tenant) => watched.deadlineMsOf(tenant))
      expect(deadlines).toEqual([41, 32, 42])
      expect([...watched.reads].sort()).toEqual(['new', 'one'])
      expect(watched.events.slice(2).map(({ event }) => event)).toEqual(['loaded', 'loaded', 'reachable'])
    })

    test.skipIf(skip)('or not, and then nothing serves until the catalog is there', async () => {
      await tenants.apply('one')
      const watched = await watch({ away: true })
      expect(watched.snapshots.status()).toMatchObject({ ready: false, source: 'none', tenants: 0 })
      expect(watched.snapshots.current()).toBeNull()
      expect(watched.events).toMatchObject([{ event: 'unreachable', served: false }])
      watched.away(false)
      await until('it is there', () => watched.snapshots.status().ready)
    })

    test.skipIf(skip)('and one that can not be compiled is passed over, by its file', async () => {
      await tenants.apply('one', { deadlineMs: 31 })
      await tenants.apply('two')
      await saveAll()
      const state = openStateDirectory({ path, report: () => undefined })
      const stored = { revision: 5, token: 't', document: '{"format":1}', state: '{}' }
      createSavedCatalog(state).save({ tenantId: 'two', ...stored })
      await state.close()
      const watched = await watch({ away: true })
      expect([...(watched.snapshots.current()?.tenants.keys() ?? [])]).toEqual(['one'])
      expect(watched.named('saved-unusable')).toMatchObject([
        {
          file: state.fileOf('tenant.two'),
          error: { message: expect.stringContaining('tenant: is missing') },
        },
      ])
    })

    test.skipIf(skip)('and stays what it was when a run is cut short', async () => {
      await tenants.apply('one', { deadlineMs: 31 })
      await saveAll()
      await tenants.apply('two')
      const watched = await watch({ away: true })
      expect(watched.deadlineMsOf('one')).toBe(31)
      expect(watched.swaps).toHaveLength(1)
      expect(watched.swaps[0]).toBe(watched.snapshots.current())
      watched.away(false)
      await until('the rest is there', () => watched.deadlineMsOf('two') !== undefined)
      expect(watched.swaps.at(-1)).toBe(watched.snapshots.current())
      const { length } = watched.swaps
      await afterPolls(watched)
      expect(watched.swaps).toHaveLength(length)
    })
  })

  /** What befalls the catalog of `one` and `two`, which both stand at revision 3; what must be said of it; its mending. */
  const befalls: {
    name: string
    happen: () => Promise<unknown>
    problems: Record<string, string>
    event: object
    mend: () => Promise<unknown>
  }[] = [
    {
      name: 'the whole index vanished',
      happen: () => hands.del(catalogKeys.tenants),
      problems: { one: 'vanished', two: 'vanished' },
      event: {
        event: 'vanished',
        tenants: expect.arrayContaining([
          { tenantId: 'one', servedRevision: 3 },
          { tenantId: 'two', servedRevision: 3 },
        ]),
      },
      mend: () => hands.sadd(catalogKeys.tenants, 'one', 'two'),
    },
    {
      name: 'the whole catalog was emptied',
      happen: () => tenants.empty(),
      problems: { one: 'vanished', two: 'vanished' },
      event: { event: 'vanished' },
      mend: async () => {
        for (const tenant of ['one', 'two'])
          for (let revision = 0; revision < 4; revision++)
            await tenants.apply(tenant, { deadlineMs: 70 + revision })
      },
    },
    {
      name: 'one tenant is missing from the index',
      happen: () => hands.del(catalogKeys.index('one')),
      problems: { one: 'vanished' },
      event: { event: 'vanished', tenants: [{ tenantId: 'one', servedRevision: 3 }] },
      mend: () => tenants.apply('one', { deadlineMs: 90 }),
    },
    {
      name: 'a document does not compile',
      happen: () => writeByHand('one', '4 bad', { document: '{"format":1,"tenant":"one"}' }),
      problems: { one: 'broken' },
      event: {
        event: 'broken',
        tenantId: 'one',
        served: true,
        error: expect.objectContaining({ message: expect.stringContaining('models') }),
      },
      mend: () => writeByHand('one', '5 good', { document: JSON.stringify(tenants.documentOf('one')) }),
    },
    {
      name: 'another kind of key lies in the place of a tenant',
      happen: async () => {
        await hands.del(catalogKeys.tenant('one'))
        await hands.set(catalogKeys.tenant('one'), 'junk')
        await hands.set(catalogKeys.index('one'), '4 junk')
      },
      problems: { one: 'broken' },
      event: {
        event: 'broken',
        error: expect.objectContaining({ message: expect.stringContaining('is no hash in Redis') }),
      },
      mend: async () => {
        await hands.del(catalogKeys.tenant('one'), catalogKeys.index('one'))
        await tenants.apply('one')
      },
    },
    ...['junk', 'x y', '0 token', '-1 token', '1.5 token', '1e999 token', '99', 'NaN NaN'].map((entry) => ({
      name: `the index says ${JSON.stringify(entry)}`,
      happen: () => hands.set(catalogKeys.index('one'), entry),
      problems: { one: 'broken' },
      event: {
        event: 'broken',
        error: expect.objectContaining({
          message: expect.stringContaining('must be a revision, a space and a token'),
        }),
      },
      mend: () => tenants.apply('one', { deadlineMs: 91 }),
    })),
    {
      name: 'the index says more than what is stored',
      happen: () => hands.set(catalogKeys.index('one'), '9 later'),
      problems: { one: 'broken' },
      event: {
        event: 'broken',
        error: expect.objectContaining({
          message: expect.stringContaining('says revision 9, and another is stored, of revision 3'),
        }),
      },
      mend: () => tenants.apply('one', { deadlineMs: 92 }),
    },
    {
      name: 'the index says another token than what is stored',
      happen: () => hands.set(catalogKeys.index('one'), '3 other'),
      problems: { one: 'broken' },
      event: { event: 'broken' },
      mend: () => tenants.apply('one', { deadlineMs: 92 }),
    },
    {
      name: 'a backup was restored',
      happen: async () => {
        const document = JSON.stringify(tenants.documentOf('one', { deadlineMs: 99 }))
        // At once, as a server that starts with an older file.
        await hands
          .multi()
          .del(catalogKeys.history('one'), catalogKeys.history('two'))
          .hset(catalogKeys.tenant('one'), { revision: 2, token: 'old', document })
          .set(catalogKeys.index('one'), '2 old')
          .hset(catalogKeys.tenant('two'), { revision: 1, token: 'old' })
          .set(catalogKeys.index('two'), '1 old')
          .exec()
      },
      problems: { one: 'backwards', two: 'backwards' },
      event: {
        event: 'backwards',
        tenants: expect.arrayContaining([
          { tenantId: 'one', servedRevision: 3, storedRevision: 2 },
          { tenantId: 'two', servedRevision: 3, storedRevision: 1 },
        ]),
      },
      mend: async () => {
        await writeByHand('one', '4 new', {})
        await writeByHand('two', '3 new', {})
      },
    },
  ]

  describe.each(befalls)('when $name', ({ happen, problems, event, mend }) => {
    beforeEach(async () => {
      if (skip) return
      for (const tenant of ['one', 'two'])
        for (const deadlineMs of [40, 50, 60]) await tenants.apply(tenant, { deadlineMs })
    })

    async function expectTold(watched: Watched): Promise<void> {
      await until('it is noticed', () => Object.keys(watched.problems()).length > 0)
      await afterPolls(watched)
      expect(watched.problems()).toEqual(problems)
      expect([watched.deadlineMsOf('one'), watched.deadlineMsOf('two')]).toEqual([60, 60])
      expect(watched.snapshots.current()?.incomplete).toBe(false)
      expect(watched.snapshots.current()?.issuers.get('https://one.example')?.tenantId).toBe('one')
      expect(watched.snapshots.status()).toMatchObject({ ready: true, tenants: 2 })
      const told = watched.events.filter((one) => one.event !== 'loaded')
      expect(told).toEqual([expect.objectContaining(event)])
      // Neighbours are judged alone.
      if ('two' in problems) return
      await tenants.apply('two', { deadlineMs: 61 })
      await until('the neighbour’s change is served', () => watched.deadlineMsOf('two') === 61)
    }

    async function expectMended(watched: Watched): Promise<void> {
      await mend()
      await until('it is over', () => Object.keys(watched.problems()).length === 0)
      await afterPolls(watched)
      const over = watched.named('over').flatMap((one) => ('tenantIds' in one ? one.tenantIds : []))
      expect([...new Set(over)].sort()).toEqual(Object.keys(problems).sort())
    }

    test.skipIf(skip)('it serves on, which is told once, and once when it is over', async () => {
      const watched = await watch()
      await happen()
      await expectTold(watched)
      expect(watched.named('unreachable')).toEqual([])
      await expectMended(watched)
    })

    test.skipIf(skip)('before a start, the saved one serves, which is told once', async () => {
      await saveAll()
      await happen()
      const watched = await watch()
      await expectTold(watched)
      expect(watched.snapshots.status().source).toBe('catalog')
      await expectMended(watched)
      expect(watched.snapshots.status().fromDisk).toEqual({ tenants: 0, savedAt: null })
    })
  })

  test.skipIf(skip)('a trouble that changes is told again', async () => {
    await tenants.apply('one', { deadlineMs: 40 })
    await tenants.apply('one', { deadlineMs: 41 })
    const watched = await watch()
    await hands.del(catalogKeys.index('one'))
    await until('it is missed', () => watched.problems()['one'] === 'vanished')
    await hands.set(catalogKeys.index('one'), '1 old')
    await until('it runs backwards', () => watched.problems()['one'] === 'backwards')
    await writeByHand('one', '7 bad', { document: '' })
    await until('it is broken', () => watched.problems()['one'] === 'broken')
    await writeByHand('one', '8 worse', { document: '[]' })
    await until('it is told', () => watched.named('broken').length === 2)
    await afterPolls(watched)
    const told = watched.events.map(({ event }) => event).filter((event) => event !== 'loaded')
    expect(told).toEqual(['vanished', 'backwards', 'broken', 'broken'])
    expect(watched.deadlineMsOf('one')).toBe(41)
  })

  test.skipIf(skip)('the same revision with another token is another change, and loads', async () => {
    await tenants.apply('one', { deadlineMs: 40 })
    await saveAll()
    await writeByHand('one', '1 other', {
      document: JSON.stringify(tenants.documentOf('one', { deadlineMs: 77 })),
    })
    const watched = await watch()
    expect(watched.deadlineMsOf('one')).toBe(77)
    expect(watched.problems()).toEqual({})
  })

  test.skipIf(skip)('apply above the served revision ends that it runs backwards', async () => {
    for (const deadlineMs of [40, 41, 42, 43]) await tenants.apply('one', { deadlineMs })
    const watched = await watch()
    await tenants.empty()
    await tenants.apply('one', { deadlineMs: 55 })
    await until('it runs backwards', () => watched.problems()['one'] === 'backwards')
    const { document } = checkTenantDocument(tenants.documentOf('one', { deadlineMs: 55 }))
    const plan = await planChange(tenants.tools.catalog, document!, randomToken, 4)
    expect(plan.what).toEqual(['~ catalog revision: 1 → above 4'])
    expect(await makeChange(tenants.tools.catalog, plan, { who: 'tester', why: 'test', at: '' })).toBe(5)
    await until('it is served', () => watched.deadlineMsOf('one') === 55)
    expect(watched.problems()).toEqual({})
    // It lies above already: asked again, there is nothing to do.
    expect((await planChange(tenants.tools.catalog, document!, randomToken, 4)).what).toEqual([])
  })

  test.skipIf(skip)('an outage is told when it begins and when it is over', async () => {
    await tenants.apply('one')
    const watched = await watch()
    for (let outage = 1; outage <= 2; outage++) {
      watched.away(true)
      await until('it is noticed', () => !watched.snapshots.status().reachable)
      await afterPolls(watched)
      watched.away(false)
      await until('it is over', () => watched.snapshots.status().reachable)
      expect(watched.named('unreachable')).toHaveLength(outage)
      expect(watched.named('reachable')).toHaveLength(outage)
    }
    expect(watched.deadlineMsOf('one')).toBe(50)
  })

  describe('keeps an issuer with its tenant', () => {
    const issuer = 'https://victim.example'
    const holder = (watched: Watched) => watched.snapshots.current()?.issuers.get(issuer)?.tenantId
    const claims = (tenant: string) =>
      JSON.stringify(tenants.documentOf(tenant, {}, [`https://${tenant}.example`, issuer]))

    beforeEach(async () => {
      if (skip) return
      await tenants.apply('victim')
      await tenants.apply('thief')
    })

    async function expectRefused(watched: Watched): Promise<void> {
      await until('it is refused', () => watched.problems()['thief'] === 'broken')
      await afterPolls(watched)
      expect(holder(watched)).toBe('victim')
      expect(watched.named('broken')).toMatchObject([
        {
          tenantId: 'thief',
          error: {
            message: expect.stringContaining(
              `issuers[1].issuer: claims the issuer ${issuer}, which isn't its own`,
            ),
          },
        },
      ])
    }

    test.skipIf(skip)('when another’s document, written by hand, claims it', async () => {
      const watched = await watch()
      await writeByHand('thief', '2 x', { document: claims('thief') })
      await expectRefused(watched)
      expect(watched.snapshots.current()?.tenants.get('thief')?.revision).toBe(1)
    })

    test.skipIf(skip)('at a start, too, whichever of the two is read first', async () => {
      await writeByHand('thief', '2 x', { document: claims('thief') })
      const watched = await watch()
      await expectRefused(watched)
      expect(watched.snapshots.current()?.tenants.has('thief')).toBe(false)
    })

    test.skipIf(skip)('when the list of owners is lost', async () => {
      const watched = await watch()
      await hands.del(catalogKeys.issuers)
      await writeByHand('thief', '2 x', { document: claims('thief') })
      await expectRefused(watched)
      // Its own tenant goes on with it.
      await writeByHand('victim', '2 x', {
        document: JSON.stringify(tenants.documentOf('victim', { deadlineMs: 66 })),
      })
      await until('the victim goes on', () => watched.deadlineMsOf('victim') === 66)
    })

    test.skipIf(skip)('when it has moved, and the former owner’s newest entry is broken', async () => {
      const watched = await watch()
      await tenants.apply('victim', {}, ['https://elsewhere.example'])
      await writeByHand('victim', '3 bad', { document: '' })
      await tenants.apply('thief', {}, ['https://thief.example', issuer])
      await until('the new owner has it', () => holder(watched) === 'thief')
      await until('the former one is broken', () => watched.problems()['victim'] === 'broken')
      expect(watched.problems()).toEqual({ victim: 'broken' })
    })

    test.skipIf(skip)('when it has moved, and saved tenants both claim it: the later has it', async () => {
      // Ids in this order, so that neither the alphabet nor the order of files can be what decides.
      for (const [former, later] of [
        ['alpha', 'beta'],
        ['delta', 'gamma'],
        ['zeta', 'eta'],
      ] as const) {
        const moving = `https://moving-from-${former}.example`
        await tenants.apply(former, {}, [moving])
        await saveAll()
        await tenants.apply(former, {}, [`https://${former}.example`])
        await writeByHand(former, '9 bad', { document: '' })
        await tenants.apply(later, {}, [moving])
        await saveAll()
        const watched = await watch({ away: true })
        expect(watched.snapshots.current()?.tenants.has(former)).toBe(true)
        expect(watched.snapshots.current()?.issuers.get(moving)?.tenantId).toBe(later)
        await watched.end()
      }
    })
  })
})
