import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { backAfterMs, figureP99, mustAnswerAll, settingCalm } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { setStage, untilServed } from '../support/stage.ts'

const deadlineMs = 50
/** A gateway has four connections; each may be tried anew twice a second at most, and some are lost at the return. */
const connectionsPerSecondMax = 10

export const redisStopped: Scenario = {
  name: 'redis-stopped',
  fault: 'Redis stopped (SIGSTOP) 30 s',
  mustHold:
    'every answer 200 with its reason; no 5xx; p99 ≤ deadline + 10 ms; `split` again ≤ 2 s after return; memory growth < 10 %; nothing left queued; no reconnect storm',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, awayMs, warmMs] = ground.isLong ? [1_000, 30_000, 30_000] : [300, 3_000, 500]
    ground.setting(`${rate} requests/s, deadline ${deadlineMs} ms, stopped for ${awayMs / 1000} s`)
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    await settingCalm(ground, load, warmMs)
    const memoryBefore = await stage.gateway.use()
    const { client, process } = redis.server
    const before = await connectionsOf(client)
    const stoppedAt = Date.now()
    process.kill('SIGSTOP')
    await pause(awayMs)
    const memoryMeanwhile = await stage.gateway.use()
    process.kill('SIGCONT')
    const backAt = Date.now()
    await untilServed(load)
    await pause(ground.isLong ? 5_000 : 500)
    const endedAt = Date.now()
    const after = await connectionsOf(client)
    const memoryAfter = await stage.gateway.use()
    await load.drain()

    await mustAnswerAll(ground, load, stoppedAt, endedAt)
    const { outcomes } = await load.stretch(stoppedAt + 500, backAt - 100)
    const read = outcomes['200 split'] ?? 0
    ground.must('answers read from Redis while it stood', read, '0', read === 0)
    const tried = after.received - before.received
    const triedMax = Math.ceil(((endedAt - stoppedAt) / 1000) * connectionsPerSecondMax)
    ground.must('connections that Redis was asked for', tried, `≤ ${triedMax}`, tried <= triedMax)
    ground.must(
      'connections afterwards',
      after.open,
      `≤ ${before.open}, as before`,
      after.open <= before.open,
    )
    const queued = (await load.counts()).pending
    ground.must('requests without an end', queued, '0', queued === 0)
    await figureP99(ground, load, {
      from: stoppedAt,
      to: endedAt,
      what: 'from the stop to the end',
      boundMs: deadlineMs + 10,
    })
    const afterMs = await backAfterMs(load, backAt, endedAt)
    ground.figure('`split` again after', `${afterMs} ms`, '≤ 2,000 ms', afterMs !== null && afterMs <= 2_000)
    for (const [what, grown] of [
      ['heap growth while it stood', memoryMeanwhile.heapUsed / memoryBefore.heapUsed - 1],
      ['heap growth at the end', memoryAfter.heapUsed / memoryBefore.heapUsed - 1],
      ['growth of the resident memory at the end', memoryAfter.rss / memoryBefore.rss - 1],
    ] as const)
      ground.figure(what, `${(grown * 100).toFixed(1)} %`, '< 10 %', grown < 0.1)
  },
}

async function connectionsOf(client: Redis): Promise<{ readonly open: number; readonly received: number }> {
  const [clients, stats] = [await client.info('clients'), await client.info('stats')]
  return {
    open: Number(/^connected_clients:(\d+)/m.exec(clients)?.[1]),
    received: Number(/^total_connections_received:(\d+)/m.exec(stats)?.[1]),
  }
}
