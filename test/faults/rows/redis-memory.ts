import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { metricNames } from '../../../src/metrics/names.ts'
import { type Standalone, startStandalone } from '../../support/redis-topologies.ts'
import { until } from '../../support/until.ts'
import type { Ground, Scenario } from '../scenario.ts'
import { mustAnswerAll } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { metricOf, type Stage, setStage, sumOf, tenant, untilServed } from '../support/stage.ts'

/** Fifty buckets a version, so that evictions meet buckets rather than anything else. */
const players = 4_000
const bucketsEvicted = 20

export const redisMemory: Scenario = {
  name: 'redis-memory',
  fault: 'Redis full (`noeviction`), evicting, restarted empty',
  mustHold: 'reads go on or fall back with `table-damaged`, never `unknown-row`; loud metrics; no crash',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, phaseMs] = ground.isLong ? [500, 15_000] : [300, 1_000]
    ground.setting(`${rate} requests/s, ${phaseMs / 1000} s for each state of Redis`)
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, players, deadlineMs: 1_000 })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    const startedAt = Date.now()

    await fill(redis.server.client)
    const full = { from: Date.now(), to: 0 }
    await pause(phaseMs)
    full.to = Date.now()

    const evicted = await evict(redis.server.client)
    await pause(phaseMs)
    const damagedByEviction = await causes(stage, 'table-damaged')

    const emptyAt = await restartEmpty(redis)
    await until('the vanished tenant is told of', async () => (await vanished(stage)) > 0)
    const toldMs = Date.now() - emptyAt
    await pause(phaseMs)
    const endedAt = Date.now()
    await load.drain()

    const { outcomes } = await load.stretch(full.from, full.to)
    const notRead = sumOf(outcomes) - sumOf(outcomes, /200 split/)
    ground.must('full: answers not read from Redis', notRead, '0', notRead === 0)
    ground.must('evicting: keys evicted', evicted, `≥ ${bucketsEvicted}`, evicted >= bucketsEvicted)
    ground.must(
      'evicting: answers that fell, cause `table-damaged`',
      damagedByEviction,
      '> 0',
      damagedByEviction > 0,
    )
    const damaged = (await causes(stage, 'table-damaged')) - damagedByEviction
    ground.must('restarted empty: answers that fell, cause `table-damaged`', damaged, '> 0', damaged > 0)
    const unknown = await causes(stage, 'unknown-row')
    ground.must('answers with cause `unknown-row`', unknown, '0', unknown === 0)
    await mustAnswerAll(ground, load, startedAt, endedAt)
    mustLive(ground, stage)
    ground.figure(
      'the vanished catalog is in the metrics after',
      `${toldMs} ms`,
      '≤ 10,000 ms',
      toldMs <= 10_000,
    )
  },
}

async function fill(client: Redis): Promise<void> {
  await client.config('SET', 'maxmemory-policy', 'noeviction')
  await client.config('SET', 'maxmemory', 1)
  await until('Redis refuses to write', () =>
    client.set('more', 'x').then(
      () => false,
      ({ message }: Error) => message.startsWith('OOM'),
    ),
  )
}

/** Takes room away, little by little. */
async function evict(client: Redis): Promise<number> {
  await client.config('SET', 'maxmemory', 0)
  await client.config('SET', 'maxmemory-policy', 'allkeys-random')
  const figure = async (section: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info(section))?.[1])
  let evicted = 0
  await until('buckets are evicted', async () => {
    await client.config('SET', 'maxmemory', (await figure('memory', 'used_memory')) - 2_000)
    evicted = await figure('stats', 'evicted_keys')
    return evicted >= bucketsEvicted
  })
  await client.config('SET', 'maxmemory', 0)
  return evicted
}

async function restartEmpty(redis: Standalone): Promise<number> {
  await redis.server.kill()
  await redis.restart()
  return Date.now()
}

function causes({ gateway }: Stage, cause: string): Promise<number> {
  return metricOf(gateway, metricNames.requests.name, { tenant, cause })
}

function vanished({ gateway }: Stage): Promise<number> {
  return metricOf(gateway, metricNames.catalogBroken.name, { problem: 'vanished' })
}

function mustLive(ground: Ground, { gateway }: Stage): void {
  ground.must('the gateway', gateway.isRunning() ? 'runs' : 'has ended', 'runs', gateway.isRunning())
}
