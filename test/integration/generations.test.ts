import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { randomToken, type Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { FaultsError, OperationError } from '../../src/domain/errors.ts'
import { gateNames } from '../../src/domain/gates.ts'
import { limits } from '../../src/domain/limits.ts'
import { activeGeneration, type GenerationState } from '../../src/domain/tenant-state.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { activate } from '../../src/tables/activate.ts'
import { type CollectServices, collectTables, planTenantCollection } from '../../src/tables/collect.ts'
import { diffTables } from '../../src/tables/diff.ts'
import type { Manifest } from '../../src/tables/manifest.ts'
import type { RowSource, TableStore } from '../../src/tables/ports.ts'
import type { PublishReport } from '../../src/tables/publish-report.ts'
import { rollBack } from '../../src/tables/roll-back.ts'
import { showRow } from '../../src/tables/show-row.ts'
import { rereadTable } from '../../src/tables/verify.ts'
import { engines } from '../support/redis.ts'
import {
  applyDocument,
  publishRows,
  rowsOf,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { until } from '../support/until.ts'

/** The life of generations over a real store: what becomes of them, and what is served meanwhile. */

const record = {
  score: { type: 'uint', max: 1_000 },
  segment: { type: 'enum', values: ['newcomer', 'regular'], default: 'newcomer' },
}
const minute = 60_000
const day = 24 * 60 * minute

function documentOf(tenant: string, more: Record<string, unknown> = {}, versions = ['popular', 'itemcf']) {
  const games = {
    key: [{ claim: 'sub', column: 'player_id' }],
    record,
    default: { score: 0 },
    versions,
    control: 'popular',
    weights: { popular: 100 },
    ...more,
  }
  return { format: 1, tenant, issuers: [], models: { games } }
}

const columns = ['player_id', 'score', 'segment']
/** Players `first` to `first + count - 1`, with the scores `base`, `base + 1`, … */
function players(count: number, base = 0, segment = 'regular', first = 0): RowSource {
  return rowsOf(
    columns,
    Array.from({ length: count }, (_, index) => [`player-${first + index}`, (base + index) % 1_001, segment]),
  )
}

for (const engine of engines) {
  describe.skipIf(engine.skip)(`on the ${engine.name}`, () => {
    let redis: LocalRedis
    let hands: Redis
    let tools: Tools
    let tenants = 0
    /** Each test has a tenant of its own. */
    let tenant: string

    beforeAll(async () => {
      redis = await engine.start()
      hands = new Redis(redis.url)
      tools = await testTools(redis.url)
    })
    beforeEach(async () => {
      tenant = `studio-${++tenants}`
      await applyDocument(tools, documentOf(tenant))
    })
    afterAll(async () => {
      tools?.close()
      hands?.disconnect()
      await redis?.stop()
    })

    const services = (at = new Date(), store: TableStore = tools.tables): CollectServices => ({
      store,
      leases: tools.leases,
      catalog: tools.generationCatalog({ who: 'tester', why: 'to see' }),
      newToken: randomToken,
      now: () => at,
    })
    const later = (ms: number) => services(new Date(Date.now() + ms))
    const publish = (source: RowSource, version = 'itemcf', badRowsMax = 0): Promise<PublishReport> =>
      publishRows(tools, [tenant, 'games', version], source, badRowsMax)
    const activateGeneration = (generation: number, despiteGates = false) =>
      activate(services(), { tenantId: tenant, modelId: 'games', generation }, { despiteGates })
    const rollBackItemcf = () =>
      rollBack(services(), { tenantId: tenant, modelId: 'games', versionId: 'itemcf' })
    const collect = (ms: number) => collectTables(later(ms), tenant, 'tester')

    async function generations(): Promise<Readonly<Record<string, GenerationState>>> {
      return (await readLiveTenant(tools.catalog, tenant))!.state.models['games']!.generations
    }
    async function states(): Promise<Record<string, string>> {
      return Object.fromEntries(
        Object.entries(await generations()).map(([number, { state }]) => [number, state]),
      )
    }
    async function bucketsOf(generation: number): Promise<number> {
      return (await hands.keys(`${tableKeys.bucketPrefix(tenant, 'games', generation)}*`)).length
    }
    /** What the active generation of itemcf has for a player. */
    async function served(rowKey: string): Promise<unknown> {
      const live = (await readLiveTenant(tools.catalog, tenant))!
      const model = live.state.models['games']!
      const { generation, entry } = activeGeneration(model, 'itemcf')!
      const table = { ...entry, address: { tenantId: tenant, modelId: 'games', generation } }
      const key = [{ source: 'claim', name: 'sub', column: 'player_id' }] as const
      const codec = compileRecordSchema(model.record)
      return JSON.parse(await showRow(tools.tables, codec, table, key, [rowKey])).score
    }
    async function failureOf(promise: Promise<unknown>): Promise<string> {
      const error = await promise.then(
        () => null,
        (reason: Error) => reason,
      )
      expect(error).toBeInstanceOf(OperationError)
      return error!.message
    }
    async function latest(): Promise<readonly string[]> {
      return (await tools.catalog.history(tenant, 1))[0]!.what
    }

    describe('rolling back', () => {
      test('makes the previous generation active and quarantines the bad one, without copying', async () => {
        await publish(players(200, 1))
        await publish(players(200, 2))
        const back = await rollBackItemcf()
        expect(back).toMatchObject({ generation: 1, replaced: 2, rows: 200, version: 'itemcf' })
        expect(await states()).toEqual({ 1: 'active', 2: 'quarantined' })
        expect(await served('player-0')).toBe(1)
        const [entry] = await tools.catalog.history(tenant, 1)
        expect(entry).toMatchObject({
          who: 'tester',
          why: 'to see',
          what: ['rolls games/itemcf back from generation 2 to 1 (200 rows)', 'quarantines generation 2'],
        })
        const { 1: first, 2: second } = await generations()
        expect(first).toMatchObject({ lastActiveAt: null, quarantinedAt: null })
        expect(second!.quarantinedAt).toBe(second!.lastActiveAt)
      })

      test('goes to the one that was active last, not to the one with the highest number', async () => {
        for (const base of [1, 2, 3]) await publish(players(150, base))
        await activateGeneration(1)
        expect(await states()).toEqual({ 1: 'active', 2: 'previous', 3: 'previous' })
        expect(await rollBackItemcf()).toMatchObject({ generation: 3, replaced: 1 })
      })

      test('is refused where there is nothing to go back to, or it is damaged', async () => {
        expect(await failureOf(rollBackItemcf())).toMatch(/has no active generation to roll back from/)
        await publish(players(10))
        expect(await failureOf(rollBackItemcf())).toMatch(
          /has no previous generation to go back to; generation 1 stays active/,
        )
        await publish(players(10, 1))
        await hands.del(`${tableKeys.bucketPrefix(tenant, 'games', 1)}0`)
        expect(await failureOf(rollBackItemcf())).toMatch(/generation 1 of games\/itemcf is damaged in Redis/)
        expect(await states()).toEqual({ 1: 'previous', 2: 'active' })
      })

      test('keeps its content from being activated by a publish again, and a person may all the same', async () => {
        await publish(players(200, 1))
        await publish(players(200, 2))
        await rollBackItemcf()
        const again = await publish(players(200, 2))
        expect(again).toMatchObject({ outcome: 'refused', generation: 3, quarantined: true, failedGates: [] })
        expect(await states()).toEqual({ 1: 'active', 2: 'quarantined', 3: 'loaded' })
        expect(await latest()).toEqual([
          'loads generation 3 of games/itemcf (200 rows), not active: its content was rolled back from',
        ])
        // A job that tries again makes no second copy.
        expect(await publish(players(200, 2))).toMatchObject({ outcome: 'refused', generation: 3 })
        expect(await states()).toEqual({ 1: 'active', 2: 'quarantined', 3: 'loaded' })
        expect(await failureOf(activateGeneration(3))).toMatch(/its content was rolled back from before/)
        expect(await failureOf(activateGeneration(2))).toMatch(/it was rolled back from at 20/)
        await activateGeneration(2, true)
        expect(await states()).toEqual({ 1: 'previous', 2: 'active', 3: 'loaded' })
        expect(await latest()).toEqual([
          'activates generation 2 of games/itemcf (200 rows), despite its rollback',
        ])
      })
    })

    describe('the gates', () => {
      const gated = (gates: Record<string, number>) => applyDocument(tools, documentOf(tenant, { gates }))

      test('each has a table that it stops, which is loaded and not active', async () => {
        const stopped: Record<string, () => Promise<PublishReport>> = {
          minRows: async () => {
            await gated({ minRows: 250 })
            return publish(players(249))
          },
          minRetainedKeys: () => publish(players(300, 0, 'regular', 151)),
          maxBadRowShare: () => publish(rowsOf(columns, badRows(16, 300)), 'itemcf', 20),
          maxMeanChange: () => publish(players(300, 300)),
          maxEnumShareChange: () => publish(players(300, 0, 'newcomer')),
          maxBytes: async () => {
            await gated({ maxBytes: 2_000 })
            return publish(players(300, 1))
          },
        }
        expect(Object.keys(stopped).sort()).toEqual([...gateNames].sort())
        await publish(players(300))
        let generation = 1
        for (const [gate, attempt] of Object.entries(stopped)) {
          await applyDocument(tools, documentOf(tenant, { deadlineMs: 50 + generation }))
          const report = await attempt()
          generation++
          expect({ gate, ...report }).toMatchObject({ gate, outcome: 'refused', generation })
          expect(report.failedGates.map((finding) => finding.gate)).toEqual([gate])
          expect((await states())[generation]).toBe('loaded')
          expect(await latest()).toEqual([
            `loads generation ${generation} of games/itemcf (${report.rows} rows), not active: ${gate}`,
          ])
          expect((await generations())[generation]!.findings).toEqual(report.failedGates)
          expect(await served('player-0')).toBe(0)
        }
        expect(await hands.hgetall(tableKeys.manifests(tenant, 'games'))).toEqual({})
      })

      const badRows = (bad: number, total: number) =>
        Array.from({ length: total }, (_, index) => [`player-${index}`, index < bad ? -1 : index, 'regular'])

      test('say by how much', async () => {
        await publish(players(300))
        const report = await publish(players(300, 0, 'regular', 225))
        const [finding] = report.failedGates
        expect(finding).toMatchObject({ gate: 'minRetainedKeys', field: null, allowed: 0.5 })
        expect(finding!.found).toBeCloseTo(0.25, 1)
        expect((await publish(players(300, 350))).failedGates).toEqual([
          { gate: 'maxMeanChange', field: 'score', found: 0.35, allowed: 0.25 },
        ])
        expect((await publish(players(300, 0, 'newcomer'))).failedGates).toEqual([
          { gate: 'maxEnumShareChange', field: 'segment=newcomer', found: 1, allowed: 0.25 },
        ])
      })

      test('compare nothing at a first publish, nor with a table of few rows', async () => {
        expect(await publish(players(500, 900, 'newcomer'))).toMatchObject({ outcome: 'activated' })
        expect(await publish(players(99), 'popular')).toMatchObject({ outcome: 'activated' })
        expect(await publish(players(99, 900, 'newcomer', 5_000), 'popular')).toMatchObject({
          outcome: 'activated',
        })
      })

      test('judge anew what was refused, when the same content comes again', async () => {
        await publish(players(300))
        const refused = await publish(players(300, 350))
        expect(refused).toMatchObject({ outcome: 'refused', generation: 2 })
        expect(await publish(players(300, 350))).toMatchObject({ outcome: 'refused', generation: 2 })
        await gated({ maxMeanChange: 1, minRows: 400 })
        expect(await publish(players(300, 350))).toMatchObject({ outcome: 'refused', generation: 2 })
        expect((await generations())[2]!.findings.map(({ gate }) => gate)).toEqual(['minRows'])
        expect(await latest()).toEqual([
          'finds again generation 2 of games/itemcf (300 rows), not active: minRows',
        ])
        await gated({ maxMeanChange: 1 })
        expect(await publish(players(300, 350))).toMatchObject({ outcome: 'activated', generation: 2 })
        expect(await states()).toEqual({ 1: 'previous', 2: 'active' })
        expect((await generations())[2]!.findings).toEqual([])
      })

      test('can be overruled by a person', async () => {
        await publish(players(300))
        await publish(players(300, 350))
        expect(await failureOf(activateGeneration(2))).toMatch(
          /is loaded and was not activated:\n {2}maxMeanChange: the mean of score moves by 35 % of its range; at most 25 % are allowed\nto activate it all the same: --despite-gates --reason/,
        )
        expect(await activateGeneration(2, true)).toMatchObject({ generation: 2, replaced: 1 })
        expect(await served('player-0')).toBe(350)
        expect(await latest()).toEqual([
          'activates generation 2 of games/itemcf (300 rows), despite maxMeanChange',
        ])
      })

      test('let a table through whose predecessor is lost', async () => {
        await publish(players(300))
        await hands.unlink(...(await hands.keys(`${tableKeys.bucketPrefix(tenant, 'games', 1)}*`)))
        expect(await publish(players(300, 10, 'regular', 9_000))).toMatchObject({ outcome: 'activated' })
      })

      test('have faults that are told with their paths', async () => {
        const error = await gated({ minRows: 0.5, maxMeanChange: 2, minRow: 1 }).catch(
          (reason: FaultsError) => reason,
        )
        expect(error).toBeInstanceOf(FaultsError)
        const faults = (error as FaultsError).faults.map(({ path, problem }) => `${path}: ${problem}`)
        expect(faults.sort()).toEqual([
          'models.games.gates.maxMeanChange: must be 1 or less',
          'models.games.gates.minRow: is not a known field here',
          'models.games.gates.minRows: must be a whole number',
        ])
      })
    })

    describe('the same content', () => {
      test('as the active generation’s is unchanged: nothing is loaded, whatever the order of the rows', async () => {
        const first = await publish(players(500))
        const { publishedAt } = (await generations())[1]!
        const rows = Array.from({ length: 500 }, (_, index) => [
          `player-${499 - index}`,
          499 - index,
          'regular',
        ])
        const again = await publish(rowsOf(columns, rows))
        expect(again).toMatchObject({
          outcome: 'unchanged',
          generation: 1,
          catalogRevision: first.catalogRevision + 1,
        })
        expect(await states()).toEqual({ 1: 'active' })
        // Young again, for whoever watches its age.
        expect(Date.parse((await generations())[1]!.publishedAt)).toBeGreaterThan(Date.parse(publishedAt))
        expect(await bucketsOf(2)).toBe(0)
        const changed = await publish(players(500, 1))
        expect(changed).toMatchObject({ outcome: 'activated', generation: 2 })
      })

      test('is loaded all the same where the active table is damaged', async () => {
        await publish(players(500))
        await hands.del(`${tableKeys.bucketPrefix(tenant, 'games', 1)}3`)
        expect(await publish(players(500))).toMatchObject({ outcome: 'activated', generation: 2 })
        expect(await served('player-7')).toBe(7)
      })

      test('in another version is that version’s own', async () => {
        await publish(players(500))
        expect(await publish(players(500), 'popular')).toMatchObject({ outcome: 'activated' })
      })
    })

    describe('collecting', () => {
      test('keeps the active one and the newest previous; older ones go after ten minutes, then are forgotten', async () => {
        for (const base of [1, 2, 3, 4]) await publish(players(200, base))
        expect(await collect(9 * minute)).toEqual({ collected: [], forgotten: 0 })
        const { collected } = await collect(11 * minute)
        expect(collected.map(({ generation }) => generation)).toEqual([1, 2])
        expect(await states()).toEqual({ 1: 'collected', 2: 'collected', 3: 'previous', 4: 'active' })
        for (const [generation, buckets] of [
          [1, 0],
          [2, 0],
          [3, 3],
          [4, 3],
        ] as const)
          expect(await bucketsOf(generation)).toBe(buckets)
        expect(await latest()).toEqual([
          'generation 1 of games is collected',
          'generation 2 of games is collected',
        ])
        expect(await failureOf(activateGeneration(1))).toMatch(/is collected: its rows are gone/)
        expect(await rollBackItemcf()).toMatchObject({ generation: 3 })
        expect(await collect(6 * day)).toMatchObject({ forgotten: 0 })
        expect(await collect(8 * day)).toMatchObject({ forgotten: 2 })
        // What was rolled back from is remembered, though its rows are gone.
        expect(await states()).toEqual({ 3: 'active', 4: 'collected' })
        expect(await publish(players(200, 4))).toMatchObject({ outcome: 'refused', quarantined: true })
      })

      test('takes away what was refused or rolled back from, after three days', async () => {
        await publish(players(300))
        await publish(players(300, 1))
        await rollBackItemcf()
        await publish(players(300, 600))
        expect(await states()).toEqual({ 1: 'active', 2: 'quarantined', 3: 'loaded' })
        expect((await collect(2 * day)).collected).toEqual([])
        const { collected } = await collect(3 * day + minute)
        expect(collected.map(({ generation, why }) => `${generation}: ${why.slice(0, 24)}`)).toEqual(
          ['2: it was rolled back from ', '3: it was refused at '].map((line) =>
            expect.stringContaining(line.slice(0, 18)),
          ),
        )
        expect(await states()).toEqual({ 1: 'active', 2: 'collected', 3: 'collected' })
      })

      test('takes away all tables of a version that left the document, but not before ten minutes', async () => {
        await publish(players(200), 'popular')
        await publish(players(200, 1))
        await publish(players(200, 2))
        await applyDocument(tools, documentOf(tenant, {}, ['popular']))
        expect((await collect(minute)).collected).toEqual([])
        expect((await collect(11 * minute)).collected.map(({ why }) => why)).toEqual([
          'its version was deleted',
          'its version was deleted',
        ])
        expect(await states()).toEqual({ 1: 'active', 2: 'collected', 3: 'collected' })
      })

      test('goes on where a collector died, and says the same beforehand', async () => {
        for (const base of [1, 2, 3]) await publish(players(2_000, base))
        let trips = 0
        const dying: TableStore = {
          ...tools.tables,
          async removeBuckets(...given) {
            if (++trips === 1) return tools.tables.removeBuckets(given[0], 0, 10)
            throw new Error('killed')
          },
        }
        const at = new Date(Date.now() + 11 * minute)
        const plan = await planTenantCollection(services(at), tenant)
        expect(plan.collectable.map(({ generation }) => generation)).toEqual([1])
        expect(await bucketsOf(1)).toBe(25)
        trips = 1
        await expect(collectTables(services(at, dying), tenant, 'tester')).rejects.toThrow('killed')
        expect(await states()).toEqual({ 1: 'collecting', 2: 'previous', 3: 'active' })
        expect(await failureOf(activateGeneration(1))).toMatch(/is collecting: its rows are gone/)
        const next = await collectTables(services(at), tenant, 'tester')
        expect(next.collected).toMatchObject([{ generation: 1, why: 'its collection was cut off' }])
        expect(await states()).toEqual({ 1: 'collected', 2: 'previous', 3: 'active' })
        expect(await bucketsOf(1)).toBe(0)
      })

      test('is done by gateways, too, by the one that has the admin plane', async () => {
        await publish(players(200, 1))
        const manifest = {
          ...(await generations())[1]!,
          state: 'loading',
          token: 'dead',
          startedAt: '2026-08-01T12:00:00.000Z',
          heartbeatAt: '2026-08-01T12:00:00.000Z',
          problem: null,
        }
        const { publishedAt, activatedAt, lastActiveAt, quarantinedAt, collectedAt, findings, ...dead } =
          manifest
        const address = { tenantId: tenant, modelId: 'games', generation: 9 }
        await tools.tables.putManifest(address, dead as Manifest)
        await tools.tables.writeBuckets(address, 'dead', [{ number: 2, rows: [] }])
        const settings = testSettings(redis.url, { RECGATE_COLLECT_EVERY_MS: '20' })
        const { gateway } = await startGateway(settings)
        try {
          await until('it is collected', async () => (await states())[9] === 'collected')
        } finally {
          await gateway.stop()
        }
        expect(await bucketsOf(9)).toBe(0)
        expect(await states()).toEqual({ 1: 'active', 9: 'collected' })
        const [, begun] = await tools.catalog.history(tenant, 2)
        expect(begun).toMatchObject({
          who: 'recgate',
          why: 'collection',
          what: ['collects generation 9 of games/itemcf (200 rows): its publisher is gone'],
        })
      })

      test('is one process’ work at a time', async () => {
        const name = { lease: 'collector', tenantId: tenant } as const
        const holder = JSON.stringify({ token: 'x', by: 'gateway-7', since: '2026-08-01T12:00:00.000Z' })
        expect(await tools.leases.take(name, holder, 60_000)).toBeNull()
        expect(await failureOf(collect(0))).toBe(
          `tenant ${tenant}'s tables are being collected already (by gateway-7, since 2026-08-01T12:00:00.000Z)`,
        )
        await tools.leases.release(name, holder)
        expect(await collect(0)).toEqual({ collected: [], forgotten: 0 })
        expect(await tools.leases.holder(name)).toBeNull()
      })
    })

    describe('a publisher that lost its generation', () => {
      /** The store, with something done once, while the publisher stands still before its first bucket. */
      function interrupted(interruption: () => Promise<unknown>): Tools {
        let isDone = false
        const tables: TableStore = {
          ...tools.tables,
          async writeBuckets(...given) {
            if (!isDone) {
              isDone = true
              await interruption()
            }
            return tools.tables.writeBuckets(...given)
          },
        }
        return { ...tools, tables }
      }
      const lapse = () => hands.del(tableKeys.versionLease(tenant, 'games', 'itemcf'))
      const publishWith = (other: Tools, source: RowSource) =>
        publishRows(other, [tenant, 'games', 'itemcf'], source)

      test('to a collector stops, says so, and leaves nothing', async () => {
        await publish(players(300))
        const zombie = interrupted(async () => {
          await lapse()
          const { collected } = await collect(0)
          expect(collected).toMatchObject([{ generation: 2, why: 'its publisher is gone' }])
        })
        const failure = await failureOf(publishWith(zombie, players(300, 1)))
        expect(failure).toMatch(/generation 2 of games is no longer this publish's own/)
        expect(await states()).toEqual({ 1: 'active', 2: 'collected' })
        expect(await bucketsOf(2)).toBe(0)
        expect(await hands.hgetall(tableKeys.manifests(tenant, 'games'))).toEqual({})
        expect(await served('player-5')).toBe(5)
      })

      test('to another publisher stops, and the other one’s is served', async () => {
        const zombie = interrupted(async () => {
          await lapse()
          await publish(players(300, 7))
          // The other one is at it again when the first comes back.
          const name = { lease: 'version', tenantId: tenant, modelId: 'games', versionId: 'itemcf' } as const
          await tools.leases.take(name, '{}', 60_000)
        })
        const failure = await failureOf(publishWith(zombie, players(300, 1)))
        expect(failure).toBe('the publishing of games/itemcf was taken over by another process')
        expect(await states()).toEqual({ 2: 'active' })
        expect(await bucketsOf(1)).toBe(0)
        expect(await served('player-5')).toBe(12)
      })

      test('right before its activation activates nothing', async () => {
        await publish(players(300))
        const generationCatalog: Tools['generationCatalog'] = (authorship) => {
          const real = tools.generationCatalog(authorship)
          return {
            ...real,
            change: (tenantId, plan) =>
              real.change(tenantId, async (live) => {
                // As if it had stood still since the catalog was read.
                await lapse()
                await collect(0)
                return plan(live)
              }),
          }
        }
        const failure = await failureOf(publishWith({ ...tools, generationCatalog }, players(300, 1)))
        expect(failure).toMatch(/no longer this publish's own/)
        expect(await states()).toEqual({ 1: 'active', 2: 'collected' })
      })

      test('is left alone while it lives, however old its manifest is', async () => {
        const slow = interrupted(async () => {
          expect((await collect(30 * day)).collected).toEqual([])
        })
        expect(await publishWith(slow, players(300))).toMatchObject({ outcome: 'activated' })
      })
    })

    describe('reading back', () => {
      const at = async (generation: number) => ({
        ...(await generations())[generation]!,
        address: { tenantId: tenant, modelId: 'games', generation },
      })
      const codec = compileRecordSchema(recordSchemaDocument.parse(record))

      test('verifies every row, and finds each kind of damage', async () => {
        await publish(players(1_000))
        const table = await at(1)
        const check = () => rereadTable(tools.tables, table.address, table, () => undefined)
        expect(await check()).toEqual({
          rows: 1_000,
          contentHash: table.contentHash,
          damagedBuckets: 0,
          misplacedRows: 0,
          isSound: true,
        })
        const key = (bucket: number) => tableKeys.bucketPrefix(tenant, 'games', 1) + bucket
        const rowKey = (await hands.hkeys(key(5))).find((name) => name !== '')!
        const packed = await hands.hgetBuffer(key(5), rowKey)
        await hands.hset(key(5), rowKey, Buffer.from([1, 0, 0]))
        expect(await check()).toMatchObject({ rows: 1_000, isSound: false })
        await hands.hdel(key(5), rowKey)
        expect(await check()).toMatchObject({ rows: 999, isSound: false })
        await hands.hset(key(6), rowKey, packed!)
        expect(await check()).toMatchObject({ rows: 1_000, misplacedRows: 1, isSound: false })
        await hands.del(key(7))
        expect(await check()).toMatchObject({ damagedBuckets: 1, isSound: false })
      })

      test('tells two generations apart, whatever their sizes', async () => {
        await publish(players(3_000))
        const rows = Array.from({ length: 5_000 }, (_, index) => [
          `player-${index + 500}`,
          // Every tenth has another score; every hundredth another segment, too.
          (index + 500 + (index % 10 === 0 ? 1 : 0)) % 1_001,
          index % 100 === 0 ? 'newcomer' : 'regular',
        ])
        await publish(rowsOf(columns, rows))
        const progress: string[] = []
        const diff = await diffTables(tools.tables, codec, await at(1), await at(2), (done, total) =>
          progress.push(`${done}/${total}`),
        )
        expect(diff).toEqual({
          rows: { before: 3_000, after: 5_000 },
          added: 2_500,
          removed: 500,
          changed: 250,
          unchanged: 2_250,
          fields: [
            { field: 'score', changed: 250 },
            { field: 'segment', changed: 25 },
          ],
        })
        expect(progress).toEqual(['1/1'])
        const back = await diffTables(tools.tables, codec, await at(2), await at(1), () => undefined)
        expect(back).toMatchObject({ added: 500, removed: 2_500, changed: 250 })
      })

      test('shows a row, and says why it can’t', async () => {
        await publish(players(300))
        const table = await at(1)
        const key = [{ source: 'claim', name: 'sub', column: 'player_id' }] as const
        const show = (...values: string[]) => showRow(tools.tables, codec, table, key, values)
        expect(JSON.parse(await show('player-42'))).toEqual({ score: 42, segment: 'regular' })
        expect(await failureOf(show('nobody'))).toBe('generation 1 of games has no row "nobody"')
        expect(await failureOf(show('a', 'b'))).toBe('the row key has 1 value (sub), not 2')
        expect(await failureOf(show(''))).toMatch(/^the row key's sub is empty/)
        for (const name of await hands.keys(`${tableKeys.bucketPrefix(tenant, 'games', 1)}*`))
          await hands.hset(name, '', 'another')
        expect(await failureOf(show('player-42'))).toMatch(/is damaged in Redis/)
      })
    })

    describe('memory', () => {
      const withMemory = (
        usedBytes: number,
        maxBytes: number | null,
        evictionPolicy = 'noeviction',
      ): Tools => ({
        ...tools,
        tables: {
          ...tools.tables,
          serverMemory: async () => [{ usedBytes, maxBytes, evictionPolicy }],
        },
      })
      const target = () => [tenant, 'games', 'itemcf'] as const

      test('that a table needs is measured, or estimated near it', async () => {
        const { memoryBytes, rows } = await publish(players(8_000))
        // DESIGN: 39 bytes a row with numeric ids and a 24-byte record; here a longer id and a shorter record.
        expect(memoryBytes / rows).toBeGreaterThan(15)
        expect(memoryBytes / rows).toBeLessThan(45)
      })

      test('that isn’t there refuses the table with the figures, and nothing is left', async () => {
        const full = withMemory(99_950_000, 100_000_000)
        const failure = await failureOf(publishRows(full, target(), players(8_000)))
        expect(failure).toMatch(
          /^the table needs about 0\.\d\d MB of Redis' memory \(8000 rows in 100 buckets, \d\d bytes a row\), and a server that has to take 0\.\d\d MB of it uses 100 MB of 100 MB \(maxmemory\) already\. Nothing was loaded: /,
        )
        expect(await bucketsOf(1)).toBe(0)
        expect(await hands.hgetall(tableKeys.manifests(tenant, 'games'))).toEqual({})
        expect(await publishRows(withMemory(99_950_000, null), target(), players(8_000))).toMatchObject({
          outcome: 'activated',
        })
      })

      test('of a tenant is its share, its other tables counted', async () => {
        const half = { ...withMemory(0, 600_000), memoryShareOf: () => 0.5 }
        expect(await publishRows(half, target(), players(8_000))).toMatchObject({ outcome: 'activated' })
        expect(await failureOf(publishRows(half, target(), players(8_000, 1)))).toMatch(
          /tenant studio-\d+ may have 0\.30 MB \(memoryShare 0\.5\), of which its other tables take 0\.\d\d MB/,
        )
        const whole = withMemory(0, 600_000)
        expect(await publishRows(whole, target(), players(8_000, 1))).toMatchObject({ outcome: 'activated' })
      })

      test('that is evicted when it is full is warned of', async () => {
        const { warnings } = await publishRows(withMemory(0, 1e9, 'allkeys-lru'), target(), players(10))
        expect(warnings).toEqual([
          expect.stringMatching(/maxmemory-policy is allkeys-lru: .* throws tables away/),
        ])
        const quiet = await publishRows(withMemory(0, 1e9, 'volatile-lru'), target(), players(10, 1))
        expect(quiet.warnings).toEqual([])
      })

      test('of a Cluster is each server’s own', async () => {
        const servers = [10e6, 99.97e6].map((usedBytes) => ({
          usedBytes,
          maxBytes: 100e6,
          evictionPolicy: 'noeviction',
        }))
        const cluster = { ...tools, tables: { ...tools.tables, serverMemory: async () => servers } }
        expect(await failureOf(publishRows(cluster, target(), players(8_000)))).toMatch(
          /a server that has to take 0\.\d\d MB of it uses 100 MB of 100 MB/,
        )
      })

      test('is written on replicas before the activation, or that is warned of', async () => {
        const tables = { ...tools.tables, replicated: async () => ({ replicas: 2, missing: 1 }) }
        const report = await publishRows({ ...tools, tables }, target(), players(10))
        expect(report.outcome).toBe('activated')
        expect(report.warnings).toEqual([
          `1 of 2 replicas lacked rows ${limits.replicasWaitMs / 1000} s after they were written; a failover now would lose them`,
        ])
      })
    })
  })
}
