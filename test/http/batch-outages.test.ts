import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { createGate, type Gate } from '../support/gate.ts'
import {
  applyDocument,
  publishRows,
  type RunningGateway,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { until } from '../support/until.ts'
import { answeredBatch, batchScope, itemsOf, postBatch } from './batch-client.ts'
import { ask } from './client.ts'
import { scrape, valuesOf } from './exposition.ts'
import { gamesModel, gamesRows, playerId, range, type StudioIssuer, studioIssuer } from './games.ts'

/** Batches while Redis is damaged, away or hangs: units fall as single requests do, each by itself. */

const tenant = 'steam-studio'
const players = range(40)
const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: batches are not tried while Redis is away; install redis-server\n')

let redis: LocalRedis
let gate: Gate
let tools: Tools
let hands: Redis
let issuer: StudioIssuer
let served: RunningGateway
let service: string

const documentOf = (games: Record<string, unknown> = {}) => ({
  format: 1,
  tenant,
  issuers: [issuer.entry()],
  models: { games: { ...gamesModel, ...games }, strict: { ...gamesModel, default: 'none' } },
})

beforeEach(async () => {
  if (binary === null) return
  redis = await startRedisServer(binary)
  gate = await createGate(redis.url)
  await gate.open()
  tools = await testTools(redis.url)
  hands = new Redis(redis.url)
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  await applyDocument(tools, documentOf())
  for (const version of ['popular', 'itemcf'])
    await publishRows(tools, [tenant, 'games', version], gamesRows(players, version.length))
  await publishRows(tools, [tenant, 'strict', 'popular'], gamesRows(players, 3))
  served = await startGateway(testSettings(gate.url, { RECGATE_CATALOG_REDIS_URL: redis.url }))
  service = await issuer.token({ sub: 'server', model: ['games', 'strict'], scope: batchScope })
})

afterEach(async () => {
  if (binary === null) return
  await served.gateway.stop()
  hands.disconnect()
  tools.close()
  await gate.shut()
  await redis.stop()
})

const batchOf = (indexes: readonly number[], model = 'games') =>
  answeredBatch(served.data, { model, units: indexes.map(playerId) }, service)

const singlesOf = (indexes: readonly number[], model = 'games') =>
  Promise.all(
    indexes.map(async (index) => {
      const token = await issuer.token({ sub: playerId(index), model })
      return JSON.parse((await ask(`${served.data}/recommendations`, { token })).body.toString()) as unknown
    }),
  )

const reasonsOf = (items: Awaited<ReturnType<typeof batchOf>>) =>
  new Set(items.map((item) => ('reason' in item ? item.reason : item.code)))

async function rowsAreRead(): Promise<void> {
  await until('rows are read', async () => [...reasonsOf(await batchOf(players))].join() === 'split')
}

describe.skipIf(binary === null)('a batch', () => {
  test('while a part of the table is damaged: the rest has its own rows', async () => {
    await rowsAreRead()
    const [bucket = ''] = await hands.keys(`rg:t:${tenant}:games:*`)
    await hands.del(bucket)
    const items = await batchOf(players)
    expect([...reasonsOf(items)].sort()).toEqual(expect.arrayContaining(['split']))
    expect(items).toEqual(await singlesOf(players))
    const units = valuesOf(await scrape(served.ops), metricNames.batchUnits)
    const damaged = Object.entries(units).filter(([labels]) => labels.includes('table-damaged'))
    expect(damaged.length).toBeGreaterThan(0)
  })

  test('while a record can not be decoded: its unit falls, and no other', async () => {
    await rowsAreRead()
    const keys = await hands.keys(`rg:t:${tenant}:games:*`)
    // In every version's table, so that no sibling stands in.
    for (const key of keys)
      if ((await hands.hexists(key, playerId(7))) === 1) await hands.hset(key, playerId(7), '\x01')
    const items = await batchOf(players)
    expect(items.filter((item) => 'reason' in item && item.reason === 'split')).toHaveLength(
      players.length - 1,
    )
    // Its copy is from before, or it has none.
    expect(items[7]).toMatchObject({ reason: expect.stringMatching(/^(stale|default|sibling)$/) })
  })

  test('while Redis is away: copies for whoever was answered before, and the default record for the others', async () => {
    const known = players.slice(0, 20)
    await until('some were read', async () => [...reasonsOf(await batchOf(known))].join() === 'split')
    await gate.shut()
    const items = await batchOf(players)
    expect([...reasonsOf(items.slice(0, 20))]).toEqual(['stale'])
    expect([...reasonsOf(items.slice(20))]).toEqual(['default'])
    expect(items).toEqual(await singlesOf(players))
    const strict = await batchOf(players, 'strict')
    expect([...reasonsOf(strict)]).toEqual(['store-unavailable'])
    await gate.open()
    await rowsAreRead()
  })

  test('while Redis hangs: answered by one deadline, the model’s or the client’s', async () => {
    const revision = await applyDocument(tools, documentOf({ deadlineMs: 200 }))
    const revisionServed = () => served.gateway.snapshots.current()?.tenants.get(tenant)?.revision
    await until('the change is served', () => revisionServed() === revision)
    await rowsAreRead()
    const pid = Number(/^process_id:(\d+)/m.exec(await hands.info('server'))![1])
    process.kill(pid, 'SIGSTOP')
    try {
      const units = [...players.map(playerId), ...range(900).map((index) => `stranger-${index}`)]
      const headers = { 'recgate-deadline-ms': '20' }
      const items = itemsOf(
        await postBatch(served.data, { model: 'games', units }, { token: service, headers }),
      )
      expect([...reasonsOf(items.slice(0, 40))]).toEqual(['stale'])
      expect([...reasonsOf(items.slice(40))]).toEqual(['default'])
      expect([...reasonsOf(await batchOf(players))]).toEqual(['stale'])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await rowsAreRead()
  })
})
