import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { metricNames } from '../../../src/metrics/names.ts'
import { catalogKeys } from '../../../src/redis/keys.ts'
import { startStandalone } from '../../support/redis-topologies.ts'
import { until } from '../../support/until.ts'
import type { Scenario } from '../scenario.ts'
import { mustAnswerAll } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { metricOf, setStage, sumOf, tenant, untilServed } from '../support/stage.ts'

interface Trouble {
  readonly what: string
  /** As the metric calls it. */
  readonly problem: 'broken' | 'vanished' | 'backwards'
  happen(hands: Redis): Promise<unknown>
}

const entry = catalogKeys.tenant(tenant)
const index = catalogKeys.index(tenant)

const troubles: readonly Trouble[] = [
  {
    what: 'document broken',
    problem: 'broken',
    async happen(hands) {
      const revision = await hands.hincrby(entry, 'revision', 1)
      await hands.hset(entry, { document: '{"format":1', token: 'broken' })
      await hands.set(index, `${revision} broken`)
    },
  },
  {
    what: 'deleted by hand',
    problem: 'vanished',
    happen: (hands) => hands.del(entry, index),
  },
  {
    what: 'revision backwards',
    problem: 'backwards',
    async happen(hands) {
      await hands.hset(entry, { revision: 1, token: 'old' })
      await hands.set(index, '1 old')
    },
  },
]

export const catalogBroken: Scenario = {
  name: 'catalog-broken',
  fault: 'catalog document broken, deleted by hand, revision backwards',
  mustHold: 'last good snapshot serves; metric ≤ 10 s',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, phaseMs] = ground.isLong ? [500, 15_000] : [300, 300]
    ground.setting(`${rate} requests/s, ${phaseMs / 1000} s for each once it is told of`)
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs: 1_000 })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    const hands = redis.server.client
    const kept = { entry: await hands.hgetall(entry), index: await hands.get(index) }
    const told = (problem: string) => metricOf(stage.gateway, metricNames.catalogBroken.name, { problem })
    const startedAt = Date.now()
    for (const { what, problem, happen } of troubles) {
      const happenedAt = Date.now()
      await happen(hands)
      await until(`the metric says ${problem}`, async () => (await told(problem)) > 0)
      const toldMs = Date.now() - happenedAt
      ground.figure(`${what}: in the metrics after`, `${toldMs} ms`, '≤ 10,000 ms', toldMs <= 10_000)
      await pause(phaseMs)
      await hands.hset(entry, kept.entry as Record<string, string>)
      await hands.set(index, kept.index!)
      await until(`the metric says that ${problem} is over`, async () => (await told(problem)) === 0)
    }
    const endedAt = Date.now()
    await load.drain()
    await mustAnswerAll(ground, load, startedAt, endedAt)
    const { outcomes } = await load.stretch(startedAt, endedAt)
    const notRead = sumOf(outcomes) - sumOf(outcomes, /200 split/)
    ground.must('answers by another than the last good snapshot', notRead, '0', notRead === 0)
  },
}
