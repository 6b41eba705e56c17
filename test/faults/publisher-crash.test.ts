import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLiveTenant } from '../../src/catalog/live-tenant.ts'
import {
  findRedisServer,
  freePort,
  type LocalRedis,
  startRedisServer,
} from '../../src/commands/local-redis.ts'
import { randomToken, type Tools } from '../../src/compose.ts'
import { activeGeneration } from '../../src/domain/tenant-state.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { collectTables } from '../../src/tables/collect.ts'
import { rereadTable } from '../../src/tables/verify.ts'
import { type DyingProcess, startDying } from '../support/dying-process.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, publishRows, rowsOf, testSettings, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

/** A publisher that dies, or stands still, after any of its commands: what was served stays served. */

const publisher = fileURLToPath(new URL('publisher.ts', import.meta.url))
/** Some rows for each of a few buckets; small, since they are published a hundred times. */
const rows = 400
const [before, after] = [7, 8]

let redis: LocalRedis
let hands: Redis
let tools: Tools
let tenants = 0

beforeAll(async () => {
  redis = await testRedis()
  hands = new Redis(redis.url)
  tools = await testTools(redis.url)
})
afterAll(async () => {
  tools?.close()
  hands?.disconnect()
  await redis?.stop()
})

const documentOf = (tenant: string) => ({
  format: 1,
  tenant,
  issuers: [],
  models: {
    games: {
      key: [{ claim: 'sub', column: 'player_id' }],
      record: { score: { type: 'uint', max: 100 } },
      default: 'none',
      versions: ['itemcf'],
      control: 'itemcf',
      weights: { itemcf: 100 },
    },
  },
})
const players = (score: number) =>
  rowsOf(
    ['player_id', 'score'],
    Array.from({ length: rows }, (_, index) => [`player-${index}`, score]),
  )

/** A tenant of its own, whose table is served. */
async function newTenant(): Promise<string> {
  const tenant = `crash-${++tenants}`
  await applyDocument(tools, documentOf(tenant))
  await publishRows(tools, [tenant, 'games', 'itemcf'], players(before))
  return tenant
}

/** A publisher behind a proxy, to which something is done after its nth command; 0: never. */
function startPublisher(
  tenant: string,
  at: number,
  what: (child: ChildProcess) => void,
): Promise<DyingProcess> {
  return startDying(redis.url, publisher, [tenant, String(rows), String(after)], at, what)
}

/** Checks that one whole table is served, and answers its rows' score. */
async function served(tenant: string): Promise<number> {
  const { state } = await findLiveTenant(tools.catalog, tenant)
  const { generation, entry } = activeGeneration(state.models['games']!, 'itemcf')!
  const address = { tenantId: tenant, modelId: 'games', generation }
  expect(await rereadTable(tools.tables, address, entry, () => undefined)).toMatchObject({
    rows,
    isSound: true,
  })
  return entry.statistics.means['score']!
}

/** The lease lapses, a collector comes by; then nothing is left but what is served and what a rollback needs. */
async function collected(tenant: string): Promise<void> {
  await hands.del(tableKeys.versionLease(tenant, 'games', 'itemcf'))
  await collectTables(
    {
      store: tools.tables,
      leases: tools.leases,
      catalog: tools.generationCatalog({ who: 'tester', why: 'collect' }),
      newToken: randomToken,
      now: () => new Date(),
    },
    tenant,
    'tester',
  )
  const { state } = await findLiveTenant(tools.catalog, tenant)
  const kept = Object.entries(state.models['games']!.generations).flatMap(([number, entry]) =>
    entry.state === 'active' || entry.state === 'previous' ? [[Number(number), entry.buckets]] : [],
  )
  const expected = kept.flatMap(([generation, buckets]) =>
    Array.from(
      { length: buckets! },
      (_, bucket) => tableKeys.bucketPrefix(tenant, 'games', generation!) + bucket,
    ),
  )
  expect((await hands.keys(`rg:t:${tenant}:*`)).sort()).toEqual(expected.sort())
  expect(await hands.keys(`rg:m:${tenant}:*`)).toEqual([])
}

/** Commands of a publish that nothing happens to, by name. */
async function wholePublish(): Promise<readonly string[]> {
  const tenant = await newTenant()
  const { proxy, ended } = await startPublisher(tenant, 0, () => undefined)
  expect(await ended).toEqual({ code: 0, signal: null, said: 'activated' })
  await proxy.close()
  expect(await served(tenant)).toBe(after)
  return proxy.names
}

/** Every command that changes something, the ones before and after, and some of the others. */
function points(names: readonly string[]): number[] {
  const writes = new Set(['SET', 'EVAL', 'HSET', 'HDEL', 'UNLINK'])
  const chosen = new Set<number>()
  for (const [index, name] of names.entries())
    if (writes.has(name)) for (const at of [index, index + 1]) if (at > 0) chosen.add(at)
  const stride = Math.ceil(names.length / 30)
  for (let at = 1; at <= names.length; at += stride) chosen.add(at)
  return [...chosen].sort((a, b) => a - b)
}

/** Two at a time: each is a process. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all([worker(), worker()])
}

describe('a publisher', () => {
  test('killed after any of its commands leaves what was served, or all that is new', {
    timeout: 300_000,
  }, async () => {
    const names = await wholePublish()
    const chosen = points(names)
    expect(chosen.length).toBeGreaterThanOrEqual(50)
    const outcomes = new Map<number, number>()
    await eachOf(chosen, async (at) => {
      const tenant = await newTenant()
      const { proxy, ended } = await startPublisher(tenant, at, (child) => child.kill('SIGKILL'))
      const { code, signal } = await ended
      // The last command may be answered before the signal comes.
      expect([signal, code]).toContain(at >= names.length - 2 ? (signal ?? 0) : 'SIGKILL')
      await proxy.close()
      const score = await served(tenant)
      expect([before, after], `after command ${at}, ${names[at - 1]}`).toContain(score)
      outcomes.set(at, score)
      await collected(tenant)
      expect(await served(tenant)).toBe(score)
      const again = await publishRows(tools, [tenant, 'games', 'itemcf'], players(after))
      expect(again.outcome).toBe(score === after ? 'unchanged' : 'activated')
      expect(await served(tenant)).toBe(after)
    })
    // Both ends were met: early kills change nothing, late ones nothing any more.
    expect(new Set(outcomes.values())).toEqual(new Set([before, after]))
    const order = [...outcomes].sort(([a], [b]) => a - b).map(([, score]) => score)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    process.stderr.write(`tests: a publisher was killed at ${chosen.length} of ${names.length} commands\n`)
  })

  test('stopped, collected meanwhile and woken up writes into nothing that is served', {
    timeout: 60_000,
  }, async () => {
    const names = await wholePublish()
    const firstBucket = names.indexOf('HSET', names.indexOf('HSET') + 1) + 1
    const activation = names.lastIndexOf('EVAL', names.length - 3) + 1
    const chosen = [firstBucket, firstBucket + 3, firstBucket + 12, activation - 2, activation - 1]
    await eachOf(chosen, async (at) => {
      const tenant = await newTenant()
      const stopped = await startPublisher(tenant, at, (child) => child.kill('SIGSTOP'))
      await until('it stands still', () => stopped.proxy.names.length === at)
      await collected(tenant)
      stopped.child.kill('SIGCONT')
      stopped.proxy.resume()
      const { code, said } = await stopped.ended
      await stopped.proxy.close()
      expect({ at, code, said }).toEqual({
        at,
        code: 1,
        said: expect.stringMatching(/^generation 2 of games is no longer this publish's own/),
      })
      expect(await served(tenant)).toBe(before)
      expect(await hands.keys(`${tableKeys.bucketPrefix(tenant, 'games', 2)}*`)).toEqual([])
      expect(await hands.hgetall(tableKeys.manifests(tenant, 'games'))).toEqual({})
    })
  })
})

const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: a full and a restarting Redis are skipped; install redis-server\n')

describe.skipIf(binary === null)('a Redis', () => {
  /** The catalog stays; the tables' Redis is the test's own. */
  async function withTables(server: LocalRedis): Promise<Tools> {
    const { composeTools } = await import('../../src/compose.ts')
    const { createLog } = await import('../../src/commands/output.ts')
    const settings = testSettings(server.url, { RECGATE_CATALOG_REDIS_URL: redis.url })
    return composeTools(settings, createLog('silent'))
  }
  const many = (score: number) =>
    rowsOf(
      ['player_id', 'score'],
      Array.from({ length: 60_000 }, (_, index) => [`player-${index}`, (score + index) % 101]),
    )

  test('that fills up in the middle of a publish activates nothing, and is freed of what came in', async () => {
    const server = await startRedisServer(binary!, ['--maxmemory', '2500000'])
    const own = await withTables(server)
    const tenant = `full-${++tenants}`
    try {
      await applyDocument(tools, documentOf(tenant))
      await publishRows(own, [tenant, 'games', 'itemcf'], players(before))
      // The preflight says it beforehand, with the figures.
      await expect(publishRows(own, [tenant, 'games', 'itemcf'], many(1))).rejects.toThrow(
        /the table needs about \d\.\d\d MB .* \(60000 rows .*maxmemory/,
      )
      // Somebody else's data came in between.
      const blind = { ...own, tables: { ...own.tables, serverMemory: async () => null } }
      await expect(publishRows(blind, [tenant, 'games', 'itemcf'], many(1))).rejects.toThrow(/OOM/)
      const left = new Redis(server.url)
      expect((await left.keys('rg:t:*')).length).toBe(5)
      left.disconnect()
      const again = await publishRows(own, [tenant, 'games', 'itemcf'], players(after))
      expect(again.outcome).toBe('activated')
    } finally {
      own.close()
      await server.stop()
    }
  })

  test('that restarts empty in the middle ends the publish; the next one loads all of it again', async () => {
    const port = await freePort()
    const start = () => startRedisServer(binary!, ['--port', String(port)])
    let server = await start()
    const own = await withTables({ ...server, url: `redis://127.0.0.1:${port}` })
    const tenant = `restart-${++tenants}`
    try {
      await applyDocument(tools, documentOf(tenant))
      await publishRows(own, [tenant, 'games', 'itemcf'], players(before))
      let trips = 0
      const restarting: Tools = {
        ...own,
        tables: {
          ...own.tables,
          async writeBuckets(...given) {
            if (++trips === 2) {
              await server.stop()
              server = await start()
            }
            return own.tables.writeBuckets(...given)
          },
        },
      }
      await expect(publishRows(restarting, [tenant, 'games', 'itemcf'], many(1))).rejects.toThrow()
      await until('the connection is back', async () =>
        own.tables.exists({ tenantId: tenant, modelId: 'games', generation: 1 }).then(
          () => true,
          () => false,
        ),
      )
      const back = new Redis(`redis://127.0.0.1:${port}`)
      expect((await back.keys('rg:t:*')).length).toBe(0)
      back.disconnect()
      // The same content as the active generation's, whose rows are gone.
      const again = await publishRows(own, [tenant, 'games', 'itemcf'], players(before))
      expect(again).toMatchObject({ outcome: 'activated', generation: 3 })
    } finally {
      own.close()
      await server.stop()
    }
  })
})
