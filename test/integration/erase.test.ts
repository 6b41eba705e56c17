import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { OperationError } from '../../src/domain/errors.ts'
import { limits } from '../../src/domain/limits.ts'
import type { TenantState } from '../../src/domain/tenant-state.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { catalogKeys, tableKeys } from '../../src/redis/keys.ts'
import { planErasure } from '../../src/tables/erase.ts'
import { liftSuppression } from '../../src/tables/lift-suppression.ts'
import type { RowSource } from '../../src/tables/ports.ts'
import { rollBack } from '../../src/tables/roll-back.ts'
import { eraseServices, eraseUnit, expectSound, keysWithUnit } from '../support/erasure.ts'
import { engines } from '../support/redis.ts'
import { testClient } from '../support/redis-clients.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'

/** A player's rows go, from wherever they are and whatever is being published, and don't come back by themselves. */

const shape = {
  record: { score: { type: 'uint', max: 1_000 } },
  default: { score: 0 },
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 100 },
  gates: { minRetainedKeys: 0, maxMeanChange: 1 },
}
const bySub = [{ claim: 'sub' }]
const byLevel = [
  { query: 'country', values: ['DE', 'FR'] },
  { claim: 'sub' },
  { query: 'level', uint: { max: 99 } },
]
const byCountry = [{ claim: 'sub' }, { query: 'country', values: ['DE', 'FR', 'US'] }]
const byDevice = [{ claim: 'device' }]
const ofAll = [{ query: 'country', values: ['DE', 'FR'] }]

function documentOf(tenant: string, keys: Readonly<Record<string, unknown>>, more: object = {}) {
  const models = Object.entries(keys).map(([modelId, key]) => {
    const isPublic = key === ofAll ? { public: true } : {}
    return [modelId, { ...shape, key, ...isPublic, ...more }]
  })
  return { format: 1, tenant, issuers: [], models: Object.fromEntries(models) }
}

/** Players `player-0` to `player-(count - 1)`, each with the score `base` and its number. */
function players(count: number, base = 0): RowSource {
  const rows = Array.from({ length: count }, (_, index) => [`player-${index}`, (base + index) % 1_001])
  return rowsOf(['sub', 'score'], rows)
}

const erased = 'player-7'

for (const engine of engines) {
  describe.skipIf(engine.skip)(`on the ${engine.name}`, () => {
    let redis: LocalRedis
    let hands: RedisClient
    let tools: Tools
    let tenants = 0
    /** Each test has a tenant of its own. */
    let tenant: string

    beforeAll(async () => {
      redis = await engine.start()
      hands = testClient('tables', redis.url)
      await redisReady(hands, 10_000)
      tools = await testTools(redis.url)
    })
    beforeEach(() => {
      tenant = `studio-${++tenants}`
    })
    afterAll(async () => {
      tools?.close()
      hands?.disconnect()
      await redis?.stop()
    })

    const apply = (keys: Readonly<Record<string, unknown>>, more?: object) =>
      applyDocument(tools, documentOf(tenant, keys, more))
    const publish = (source: RowSource, model = 'games', version = 'itemcf', by = tools) =>
      publishRows(by, [tenant, model, version], source)
    const erase = (unit = erased, modelIds: readonly string[] = []) =>
      eraseUnit(tools, tenant, unit, modelIds)
    const stateOf = async (): Promise<TenantState> => (await readLiveTenant(tools.catalog, tenant))!.state
    const left = (unit = erased) => keysWithUnit(hands, tenant, unit)

    async function failureOf(promise: Promise<unknown>): Promise<string> {
      const error = await promise.then(
        () => null,
        (reason: Error) => reason,
      )
      expect(error).toBeInstanceOf(OperationError)
      return error!.message
    }
    /** What was removed where, e.g. `games/itemcf 2 active: 1`. */
    const removed = ({ tables }: Awaited<ReturnType<typeof planErasure>>) =>
      tables.map(
        ({ modelId, version, generation, state, rows }) =>
          `${modelId}/${version} ${generation} ${state}: ${rows}`,
      )

    describe('an erasure', () => {
      test('removes the row from every version and generation, and nothing else', async () => {
        await apply({ games: bySub })
        await publish(players(200, 0), 'games', 'popular')
        for (const base of [1, 2, 3]) await publish(players(200, base))
        const services = { ...eraseServices(tools), newToken: () => 'token' }
        await rollBack(services, { tenantId: tenant, modelId: 'games', versionId: 'itemcf' })
        await apply({ games: bySub }, { gates: { minRows: 500 } })
        await publish(players(150, 9))
        const expected = [
          'games/popular 1 active: 1',
          'games/itemcf 2 previous: 1',
          'games/itemcf 3 active: 1',
          'games/itemcf 4 quarantined: 1',
          'games/itemcf 5 loaded: 1',
        ]
        const request = { tenantId: tenant, unit: erased, modelIds: [], by: 'tester' }
        expect(removed(await planErasure(services, request))).toEqual(expected)
        expect(await left()).toHaveLength(5)
        const before = await stateOf()

        const erasure = await erase()
        expect(removed(erasure)).toEqual(expected)
        expect(erasure).toMatchObject({ isNewlySuppressed: true, skipped: [], overrides: [] })
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(5)
        const after = await stateOf()
        for (const [number, entry] of Object.entries(after.models['games']!.generations)) {
          const { rows, contentHash, bytes, ...same } = entry
          const old = before.models['games']!.generations[number]!
          expect({ ...old, rows, contentHash, bytes }).toEqual({ ...same, rows, contentHash, bytes })
          expect(rows).toBe(old.rows - 1)
        }
        expect(after.erasures).toBe(before.erasures + 1)
        expect(await left('player-8')).toHaveLength(5)

        const [last, first] = await tools.catalog.history(tenant, 2)
        expect(first!.what).toContain("erases a unit's 1 row from generation 3 of games/itemcf (active)")
        expect(last!.what).toEqual(['has erased the unit'])
        for (const key of [catalogKeys.tenant(tenant), catalogKeys.suppressed(tenant)])
          expect(JSON.stringify(await hands.hgetall(key))).not.toContain(erased)
        expect(JSON.stringify(await tools.catalog.history(tenant, 100))).not.toContain(erased)
      })

      test('that was cut off is no reason to call the same rows unchanged: the next publish is without the player', async () => {
        await apply({ games: bySub })
        await publish(players(100))
        const tables = {
          ...tools.tables,
          removeRows: () => Promise.reject(new Error('the connection broke')),
        }
        await expect(eraseUnit({ ...tools, tables }, tenant, erased)).rejects.toThrow('the connection broke')
        expect(await left()).toHaveLength(1)
        expect(await publish(players(100))).toMatchObject({
          outcome: 'activated',
          generation: 2,
          suppressedRows: 1,
        })
        expect(await left()).toHaveLength(1)
        await erase()
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(2)
      })

      test('once more finds nothing, and says so', async () => {
        await apply({ games: bySub })
        await publish(players(100))
        await erase()
        const state = await stateOf()
        const again = await erase()
        expect(removed(again)).toEqual(['games/itemcf 1 active: 0'])
        expect(again.isNewlySuppressed).toBe(false)
        expect(await stateOf()).toEqual({ ...state, erasures: state.erasures + 1 })
        const [entry] = await tools.catalog.history(tenant, 1)
        expect(entry!.what).toEqual(['erases a unit: no table of the catalog has a row of it'])
      })

      test('of a player whom nobody knows suppresses him all the same', async () => {
        await apply({ games: bySub })
        expect(await erase('stranger')).toMatchObject({ tables: [], isNewlySuppressed: true })
        expect(
          await publish(
            rowsOf(
              ['sub', 'score'],
              [
                ['stranger', 1],
                ['friend', 2],
              ],
            ),
          ),
        ).toMatchObject({
          rows: 1,
          suppressedRows: 1,
        })
      })

      test('leaves the other tenant as it is', async () => {
        const other = `${tenant}-b`
        await apply({ games: bySub })
        await applyDocument(tools, documentOf(other, { games: bySub }))
        await publish(players(100))
        await publishRows(tools, [other, 'games', 'itemcf'], players(100))
        const before = await tools.catalog.read(other)
        await erase()
        expect(await keysWithUnit(hands, other, erased)).toHaveLength(1)
        expect(await tools.catalog.read(other)).toEqual(before)
        expect(await publishRows(tools, [other, 'games', 'itemcf'], players(100))).toMatchObject({
          outcome: 'unchanged',
          suppressedRows: 0,
        })
        await eraseUnit(tools, other, erased)
        const [ours, theirs] = await Promise.all([tenant, other].map((id) => tools.suppressions.read(id)))
        expect([...ours!.entries]).not.toEqual([...theirs!.entries])
      })

      test('leaves a generation that is being collected or was collected alone, and its figures sound', async () => {
        await apply({ games: bySub })
        await publish(players(100, 1))
        await publish(players(100, 2))
        const { state } = (await readLiveTenant(tools.catalog, tenant))!
        const generations = state.models['games']!.generations
        const collected = {
          ...generations[1]!,
          state: 'collected' as const,
          collectedAt: '2026-01-01T00:00:00Z',
        }
        await hands.hset(
          catalogKeys.tenant(tenant),
          'state',
          JSON.stringify({
            ...state,
            models: { games: { ...state.models['games'], generations: { ...generations, 1: collected } } },
          }),
        )
        expect(removed(await erase())).toEqual(['games/itemcf 2 active: 1'])
        expect((await stateOf()).models['games']!.generations[1]).toEqual(collected)
      })

      test('tells of buckets that it can not read', async () => {
        await apply({ games: byLevel })
        const rows = Array.from({ length: 300 }, (_, index) => ['DE', `player-${index}`, index % 50, 1])
        await publish(rowsOf(['country', 'sub', 'level', 'score'], rows))
        await hands.del(`${tableKeys.bucketPrefix(tenant, 'games', 1)}2`)
        const erasure = await erase('player-7')
        expect(erasure.tables).toMatchObject([{ generation: 1, damagedBuckets: 1 }])
      })

      test('waits for replicas, once the rows are gone, and tells of those that lag', async () => {
        await apply({ games: bySub })
        await publish(players(100))
        const rowsLeft: number[] = []
        const replicated = async () => {
          rowsLeft.push((await left()).length)
          return { replicas: 2, missing: 1 }
        }
        const lagging = { ...tools, tables: { ...tools.tables, replicated } }
        expect(await eraseUnit(lagging, tenant, erased)).toMatchObject({ replicasMissing: 1 })
        expect(rowsLeft).toEqual([0])
      })

      test('names the overrides that name the player, and leaves the document as it is', async () => {
        await apply({ games: bySub, offers: bySub }, { overrides: { itemcf: ['x', erased] } })
        const before = (await readLiveTenant(tools.catalog, tenant))!.document
        const { overrides } = await erase()
        expect(overrides).toEqual([
          { modelId: 'games', versionId: 'itemcf' },
          { modelId: 'offers', versionId: 'itemcf' },
        ])
        expect((await readLiveTenant(tools.catalog, tenant))!.document).toEqual(before)
      })
    })

    describe('a row key', () => {
      const columns = ['sub', 'country', 'score']
      const countries = ['DE', 'FR', 'US']

      test('with values that can be named is looked up for each of them', async () => {
        await apply({ games: byCountry })
        const units = Array.from({ length: 500 }, () => randomUUID())
        const rows = units.flatMap((unit) => countries.map((country, index) => [unit, country, index]))
        await publish(rowsOf(columns, rows))
        const unit = units[7]!
        const reading: number[] = []
        const tables = {
          ...tools.tables,
          readBuckets: (...[address, token, numbers]: Parameters<Tools['tables']['readBuckets']>) => {
            reading.push(numbers.length)
            return tools.tables.readBuckets(address, token, numbers)
          },
        }
        expect(removed(await eraseUnit({ ...tools, tables }, tenant, unit))).toEqual([
          'games/itemcf 1 active: 3',
        ])
        expect(Math.max(...reading)).toBeLessThanOrEqual(3)
        expect(await left(unit)).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(1)
        expect(await publish(rowsOf(columns, rows))).toMatchObject({
          outcome: 'unchanged',
          suppressedRows: 3,
          rows: 1_497,
        })
      })

      test('with parts that nobody can name is looked for in every bucket, where the unit stands and nowhere else', async () => {
        await apply({ games: byLevel })
        // Players are numbers, as levels are.
        const rows = Array.from({ length: 60 }, (_, player) =>
          ['DE', 'FR'].flatMap((country) => [3, 7, 42].map((level) => [country, String(player), level, 1])),
        ).flat()
        await publish(rowsOf(['country', 'sub', 'level', 'score'], rows))
        expect(removed(await erase('42'))).toEqual(['games/itemcf 1 active: 6'])
        expect(await expectSound(tools, tenant)).toBe(1)
        expect((await stateOf()).models['games']!.generations[1]!.rows).toBe(60 * 6 - 6)
        expect(await publish(rowsOf(['country', 'sub', 'level', 'score'], rows))).toMatchObject({
          outcome: 'unchanged',
          suppressedRows: 6,
        })
      })

      test('that was another when a generation was loaded hides no row', async () => {
        await apply({ games: byCountry }, { gates: { minRows: 5_000 } })
        const rows = Array.from({ length: 200 }, (_, index) => [`player-${index}`, countries[index % 3]!, 1])
        expect(await publish(rowsOf(columns, rows))).toMatchObject({ outcome: 'refused' })
        await apply({ games: bySub })
        await publish(players(200))
        expect(removed(await erase())).toEqual(['games/itemcf 1 loaded: 1', 'games/itemcf 2 active: 1'])
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(2)
      })

      test('of a model that was deleted hides no row', async () => {
        await apply({ games: bySub, offers: byCountry })
        await publish(players(100))
        await publish(
          rowsOf(columns, [
            ['player-7', 'DE', 1],
            ['player-8', 'DE', 1],
          ]),
          'offers',
        )
        await apply({ games: bySub })
        expect(removed(await erase())).toEqual(['games/itemcf 1 active: 1', 'offers/itemcf 1 previous: 1'])
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(2)
      })

      test('that can not name a player refuses all, with the reason, and changes nothing', async () => {
        await apply({ games: bySub, boxes: byDevice, tops: ofAll })
        await publish(players(100))
        const before = await tools.catalog.read(tenant)
        expect(await failureOf(erase())).toBe(
          "model boxes can't be erased from: its row key (claim device) has no part from the claim sub, so that nothing " +
            "tells a player's rows from others'. Publish it anew from data without the player\n" +
            'nothing was removed\nto erase from the others: --model games',
        )
        expect(await failureOf(erase(erased, ['games', 'tops']))).toMatch(
          /^model tops has no row of a player: its row key \(parameter country\) has no claim: .*\nnothing was removed$/,
        )
        expect(await failureOf(erase(erased, ['game']))).toBe(
          `tenant ${tenant} has no model game; it has games, boxes, tops`,
        )
        expect(await tools.catalog.read(tenant)).toEqual(before)
        expect(await hands.exists(catalogKeys.suppressed(tenant))).toBe(0)
        expect(await left()).toHaveLength(1)

        expect(removed(await erase(erased, ['games']))).toEqual(['games/itemcf 1 active: 1'])
        await apply({ games: bySub, tops: ofAll })
        expect(await erase()).toMatchObject({
          skipped: [{ modelId: 'tops', why: expect.stringMatching(/everybody's$/) }],
        })
      })
    })

    describe('later publishes', () => {
      test('leave the rows out, count them, and show nothing of them', async () => {
        await apply({ games: bySub })
        await erase()
        await erase('player-9')
        const rows = [
          [erased, 5_000],
          ['player-8', 8],
          ['player-9', 1],
          [erased, 1],
        ]
        const report = await publish(rowsOf(['sub', 'score'], rows))
        // Neither the unfit score nor the second row of a player who was erased is a bad row.
        expect(report).toMatchObject({ rows: 1, badRows: 0, suppressedRows: 3 })
        expect((await stateOf()).models['games']!.generations[1]!.statistics.means).toEqual({ score: 8 })
        expect(await left()).toEqual([])
        const only = rowsOf(['sub', 'score'], [[erased, 1]])
        expect(await failureOf(publish(only))).toMatch(/there is no row to publish/)
      })

      test('of the models that were not named have them', async () => {
        await apply({ games: bySub, offers: bySub })
        await publish(players(100))
        await publish(players(100), 'offers')
        expect(removed(await erase(erased, ['offers']))).toEqual(['offers/itemcf 1 active: 1'])
        expect(await publish(players(100))).toMatchObject({ outcome: 'unchanged', suppressedRows: 0 })
        expect(await publish(players(100), 'offers')).toMatchObject({
          outcome: 'unchanged',
          suppressedRows: 1,
        })
        expect(await expectSound(tools, tenant)).toBe(2)
      })

      test('have them again once that is lifted', async () => {
        await apply({ games: bySub, offers: bySub })
        const lift = (modelIds: readonly string[] = [], unit = erased) =>
          liftSuppression(eraseServices(tools), { tenantId: tenant, unit, modelIds, by: 'tester' })
        expect(await lift()).toBe(0)
        await erase()
        await erase('player-8')
        await erase(erased, ['games'])
        expect(await lift([], 'player-9')).toBe(0)
        expect(await failureOf(lift(['games']))).toMatch(/can only be lifted for all: leave --model out/)
        expect(await lift()).toBe(2)
        const [entry] = await tools.catalog.history(tenant, 1)
        expect(entry!.what).toEqual(['lets publishes have the rows of an erased unit again'])
        expect(await publish(players(100))).toMatchObject({ rows: 99, suppressedRows: 1 })
        expect(await left()).toHaveLength(1)
        await erase(erased, ['games', 'offers'])
        expect(await lift(['offers'])).toBe(1)
        expect(await publish(players(100), 'offers')).toMatchObject({ rows: 99 })
        expect(await publish(players(100, 1))).toMatchObject({ rows: 98 })
      })

      test('of content that was rolled back from are still told by it', async () => {
        await apply({ games: bySub })
        await publish(players(200, 1))
        await publish(players(200, 2))
        await rollBack(eraseServices(tools), { tenantId: tenant, modelId: 'games', versionId: 'itemcf' })
        await erase()
        expect(await publish(players(200, 2))).toMatchObject({ outcome: 'refused', quarantined: true })
      })

      test('fail where nobody can tell them whom to leave out', async () => {
        await apply({ games: bySub })
        await erase()
        await hands.hdel(catalogKeys.suppressed(tenant), 'salt')
        expect(await failureOf(publish(players(10)))).toMatch(/has lost its field "salt"/)
        expect(await left()).toEqual([])
      })
    })

    describe('during a publish', () => {
      /** So few that each is read back. */
      const few = limits.rowsReadBackMax - 100
      /** So many that they are written in two trips, after the one for the preflight. */
      const many = limits.bucketsPerTrip * limits.rowsPerBucket + 500
      /** Calls back once, before the nth call of one of the store's methods. */
      function ahead(
        method: 'putManifest' | 'writeBuckets' | 'rowCounts' | 'readRows' | 'replicated',
        nth: number,
      ) {
        return (then: () => Promise<unknown>): Tools => {
          let calls = 0
          const real: (...given: never[]) => Promise<unknown> = tools.tables[method]
          const wrapped = async (...given: never[]) => {
            if (++calls === nth) await then()
            return real(...given)
          }
          return { ...tools, tables: { ...tools.tables, [method]: wrapped } }
        }
      }
      /** The same around the nth look at who was erased. */
      function aroundLook(nth: number, when: 'before' | 'after') {
        return (then: () => Promise<unknown>): Tools => {
          let calls = 0
          const generationCatalog: Tools['generationCatalog'] = (authorship) => {
            const real = tools.generationCatalog(authorship)
            return {
              ...real,
              async suppressions(tenantId) {
                const isIt = ++calls === nth
                if (isIt && when === 'before') await then()
                const found = await real.suppressions(tenantId)
                if (isIt && when === 'after') await then()
                return found
              },
            }
          }
          return { ...tools, generationCatalog }
        }
      }
      const moments: Record<string, (then: () => Promise<unknown>) => Tools> = {
        'before it looks who was erased': aroundLook(1, 'before'),
        'right after it looked, before packing': aroundLook(1, 'after'),
        'after packing, before its manifest': ahead('putManifest', 1),
        'before the first bucket': ahead('writeBuckets', 1),
        'between the buckets': ahead('writeBuckets', 3),
        'before it looks again, after writing': aroundLook(2, 'before'),
        'right after it looked again': aroundLook(2, 'after'),
        'while it counts': ahead('rowCounts', 1),
        'while it reads back': ahead('readRows', 1),
        'before it waits for replicas': ahead('replicated', 1),
        'before it looks the last time': aroundLook(3, 'before'),
        'after it looked the last time': aroundLook(3, 'after'),
      }
      test.each(Object.entries(moments))('%s, no row comes back', async (moment, at) => {
        await apply({ games: bySub })
        await publish(players(300))
        const count = moment === 'between the buckets' ? many : few
        let erasures = 0
        const during = at(async () => {
          erasures++
          await erase()
        })
        const report = await publish(players(count, 1), 'games', 'itemcf', during)
        expect({ moment, erasures }).toEqual({ moment, erasures: 1 })
        expect(report).toMatchObject({ outcome: 'activated', rows: count - 1, suppressedRows: 1, badRows: 0 })
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(2)
        expect(await publish(players(count, 1))).toMatchObject({ outcome: 'unchanged', suppressedRows: 1 })
      })

      test('after it looked the last time, where nothing else holds a row, no row comes back', async () => {
        await apply({ games: bySub })
        const during = aroundLook(3, 'after')(() => erase())
        const report = await publish(players(few), 'games', 'itemcf', during)
        expect(report).toMatchObject({ outcome: 'activated', rows: few - 1, suppressedRows: 1 })
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(1)
      })

      test('of what stands loaded already, no row comes back', async () => {
        await apply({ games: bySub }, { gates: { minRows: 500 } })
        expect(await publish(players(300))).toMatchObject({ outcome: 'refused', generation: 1 })
        await apply({ games: bySub })
        const during = ahead('replicated', 1)(() => erase())
        const report = await publish(players(300), 'games', 'itemcf', during)
        expect(report).toMatchObject({ outcome: 'activated', generation: 1 })
        expect(await left()).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(1)
      })

      test('that failed, and could not clean up, its rows go too', async () => {
        await apply({ games: bySub })
        const failing = ahead('rowCounts', 1)(() => Promise.reject(new Error('Redis is gone')))
        const tables = { ...failing.tables, removeBuckets: () => Promise.reject(new Error('Redis is gone')) }
        await expect(publish(players(500), 'games', 'itemcf', { ...failing, tables })).rejects.toThrow(
          'Redis is gone',
        )
        expect(await left()).toHaveLength(1)
        expect(removed(await erase())).toEqual(['games/itemcf 1 failed: 1'])
        expect(await left()).toEqual([])
      })

      test('several erasures at once, of several players, leave every figure right', async () => {
        await apply({ games: bySub })
        await publish(players(400))
        const units = Array.from({ length: 6 }, (_, index) => `player-${index}`)
        const [report] = await Promise.all([
          publish(players(600, 1)),
          ...[...units, ...units.slice(0, 3)].map((unit) => erase(unit)),
        ])
        expect(report).toMatchObject({ outcome: 'activated', rows: 594 })
        for (const unit of units) expect(await left(unit)).toEqual([])
        expect(await expectSound(tools, tenant)).toBe(2)
      })
    })
  })
}
