import { type ChildProcess, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { activeGeneration } from '../../src/domain/tenant-state.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { rereadTable } from '../../src/tables/verify.ts'
import { startCommandProxy } from '../support/command-proxy.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'

/** The last of two shards' publishers dies after any of its commands: whoever takes its place brings the run to its end. */

const publisher = fileURLToPath(new URL('shard-publisher.ts', import.meta.url))
const compileCache = join(tmpdir(), 'recgate-tests-compile-cache')
const rowsOfShard = 200
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

/** A tenant whose table is served; a run of its first shard, or of none. */
async function newTenant(shardsLoaded: number): Promise<string> {
  const tenant = `shards-${++tenants}`
  const games = {
    key: [{ claim: 'sub', column: 'player_id' }],
    record: { score: { type: 'uint', max: 100 } },
    default: 'none',
    versions: ['itemcf'],
    control: 'itemcf',
    weights: { itemcf: 100 },
  }
  await applyDocument(tools, { format: 1, tenant, issuers: [], models: { games } })
  const players = Array.from({ length: rowsOfShard * 2 }, (_, row) => [`player-${row}`, before])
  await publishRows(tools, [tenant, 'games', 'itemcf'], rowsOf(['player_id', 'score'], players))
  if (shardsLoaded > 0)
    expect(await runShard(tenant, 0, redis.url).ended).toMatchObject({ code: 0, said: 'loaded' })
  return tenant
}

function runShard(tenant: string, index: number, url: string) {
  const numbers = [index, 2, rowsOfShard, after].map(String)
  const child = spawn(process.execPath, [publisher, url, tenant, ...numbers], {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compileCache },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const ended = new Promise<{ code: number | null; said: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, said }))
  })
  return { child, ended }
}

/** Runs a shard behind a proxy, and kills it after its nth command; 0: never. Answers its commands' names. */
async function killedAfter(tenant: string, index: number, at: number): Promise<readonly string[]> {
  const running: { child?: ChildProcess } = {}
  const proxy = await startCommandProxy(redis.url, (count) => {
    if (count === at) running.child!.kill('SIGKILL')
    return count === at
  })
  const { child, ended } = runShard(tenant, index, proxy.url)
  running.child = child
  await ended
  await proxy.close()
  return proxy.names
}

/** Checks that one whole table is served, and answers its rows' score. */
async function served(tenant: string): Promise<number> {
  const { state } = await findLiveTenant(tools.catalog, tenant)
  const { generation, entry } = activeGeneration(state.models['games']!, 'itemcf')!
  const address = { tenantId: tenant, modelId: 'games', generation }
  const check = await rereadTable(tools.tables, address, entry, () => undefined)
  expect(check).toMatchObject({ rows: rowsOfShard * 2, isSound: true })
  return entry.statistics.means['score']!
}

/** As if half a minute had passed: a report stays, and so does the hold of a run that is begun. */
async function lapse(tenant: string): Promise<void> {
  const claims = await hands.keys(`rg:m:${tenant}:games::*`)
  for (const key of [...claims, tableKeys.versionLease(tenant, 'games', 'itemcf')]) {
    const text = (await hands.get(key)) ?? ''
    if (!text.includes('"report"') && !/"generation":\d/.test(text)) await hands.del(key)
  }
}

/** The end of every row of equal commands, thinned out, and the last ones. */
function points(names: readonly string[], wanted: number): number[] {
  const ends = names.flatMap((name, index) => (name === names[index + 1] ? [] : [index + 1]))
  const stride = Math.max(1, Math.floor(ends.length / wanted))
  const last = names.map((_, index) => index + 1).slice(-8)
  return [...new Set([...ends.filter((_, index) => index % stride === 0), ...last])]
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all([worker(), worker()])
}

test.each([
  ['first', 0, 10],
  ['last', 1, 14],
] as const)(
  'the %s shard’s publisher, killed after any of its commands',
  {
    timeout: 300_000,
  },
  async (_, index, wanted) => {
    const names = await killedAfter(await newTenant(index), index, 0)
    const chosen = points(names, wanted)
    const scores = new Set<number>()
    await eachOf(chosen, async (at) => {
      const tenant = await newTenant(index)
      await killedAfter(tenant, index, at)
      scores.add(await served(tenant))
      await lapse(tenant)
      for (const again of [index, 1 - index]) {
        const { code, said } = await runShard(tenant, again, redis.url).ended
        expect({ at, command: names[at - 1], again, code, said }).toMatchObject({ code: 0 })
      }
      expect(await served(tenant), `after command ${at}, ${names[at - 1]}`).toBe(after)
    })
    expect(scores).toEqual(new Set(index === 0 ? [before] : [before, after]))
    process.stderr.write(
      `tests: a shard's publisher was killed at ${chosen.length} of ${names.length} commands\n`,
    )
  },
)
