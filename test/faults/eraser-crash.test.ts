import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { startDying } from '../support/dying-process.ts'
import { eraseUnit, expectSound, keysWithUnit } from '../support/erasure.ts'
import { testRedis } from '../support/redis.ts'
import { testClient } from '../support/redis-clients.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'

/** An erasure that dies after any of its commands is finished by the next one, and every figure is right. */

const eraser = fileURLToPath(new URL('eraser.ts', import.meta.url))
const erased = 'player-7'

let redis: LocalRedis
let hands: RedisClient
let tools: Tools
let tenants = 0

beforeAll(async () => {
  redis = await testRedis()
  hands = testClient('tables', redis.url)
  await redisReady(hands, 10_000)
  tools = await testTools(redis.url)
})
afterAll(async () => {
  tools?.close()
  hands?.disconnect()
  await redis?.stop()
})

const shape = {
  record: { score: { type: 'uint', max: 1_000 } },
  default: 'none',
  versions: ['itemcf'],
  control: 'itemcf',
  weights: { itemcf: 100 },
}
const players = (base: number) =>
  rowsOf(
    ['sub', 'score'],
    Array.from({ length: 200 }, (_, index) => [`player-${index}`, base + index]),
  )
const levels = () =>
  rowsOf(
    ['sub', 'level', 'score'],
    Array.from({ length: 300 }, (_, index) => [`player-${index % 100}`, Math.floor(index / 100), 1]),
  )

/** A tenant of its own, with two generations of one model and one of another, five rows of the player altogether. */
async function newTenant(): Promise<string> {
  const tenant = `erase-${++tenants}`
  const offers = { ...shape, key: [{ claim: 'sub' }, { query: 'level', uint: { max: 9 } }] }
  const models = { games: { ...shape, key: [{ claim: 'sub' }] }, offers }
  await applyDocument(tools, { format: 1, tenant, issuers: [], models })
  await publishRows(tools, [tenant, 'games', 'itemcf'], players(0))
  await publishRows(tools, [tenant, 'games', 'itemcf'], players(1))
  await publishRows(tools, [tenant, 'offers', 'itemcf'], levels())
  return tenant
}

/** Kills an erasure after its nth command and does it again; answers in how many buckets the dead one left rows. */
async function diesAfter(at: number, { meetsOthers }: { readonly meetsOthers: boolean }): Promise<number> {
  const tenant = await newTenant()
  const { proxy, ended } = await startDying(redis.url, eraser, [tenant, erased], at, (child) =>
    child.kill('SIGKILL'),
  )
  await ended
  await proxy.close()
  const { length: left } = await keysWithUnit(hands, tenant, erased)
  if (meetsOthers) {
    // Another player's erasure and publishes of both kinds meet what the dead one left.
    await eraseUnit(tools, tenant, 'player-8')
    await publishRows(tools, [tenant, 'games', 'itemcf'], players(2))
    await publishRows(tools, [tenant, 'offers', 'itemcf'], levels())
  }
  await eraseUnit(tools, tenant, erased)
  expect(await keysWithUnit(hands, tenant, erased), `after command ${at}`).toEqual([])
  expect(await expectSound(tools, tenant), `after command ${at}`).toBeGreaterThanOrEqual(3)
  return left
}

test('killed after any of its commands, it is finished by the next, also where publishes come between', {
  timeout: 300_000,
}, async () => {
  const whole = await startDying(redis.url, eraser, [await newTenant(), erased], 0, () => undefined)
  expect(await whole.ended).toEqual({ code: 0, signal: null, said: '5' })
  await whole.proxy.close()
  const { length } = whole.proxy.names
  const left = new Map<number, number>()
  // Two at a time: each is a process.
  for (let at = 1; at <= length; at += 2)
    await Promise.all(
      [at, at + 1].map(async (one) => left.set(one, await diesAfter(one, { meetsOthers: at % 4 === 1 }))),
    )
  // Both ends were met.
  expect([left.get(1)! > 0, left.get(length)]).toEqual([true, 0])
  process.stderr.write(`tests: an erasure was killed at each of its ${length} commands\n`)
})
