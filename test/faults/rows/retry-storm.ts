import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { cannotHoldCpu, holdCpu } from '../support/hold-cpu.ts'
import { mustAnswerAll } from '../support/judge.ts'
import { measurePeak } from '../support/measure-peak.ts'
import { setStage } from '../support/stage.ts'

const corePercent = 10
const deadlineMs = 500

export const retryStorm: Scenario = {
  name: 'retry-storm',
  fault:
    'a retry storm: clients with 1 s time-outs and three retries, Redis stopped 20 s (Playtika’s self denial of service)',
  mustHold: 'offered load falls back to normal ≤ 10 s after; no metastable state',
  missing: cannotHoldCpu,
  async run(ground) {
    const [stoppedMs, calmMs] = ground.isLong ? [20_000, 10_000] : [2_500, 1_500]
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    await measurePeak(stage, ground.isLong ? 4_000 : 1_000)
    // With cores to spare no load is high, and no retry adds to one.
    await holdCpu(ground, stage.gateway.pid(), corePercent)
    const rate = Math.round((await measurePeak(stage, calmMs)) * 0.6)
    ground.setting(
      `${rate} requests/s, 60 % of the peak at ${corePercent} % of a core; Redis stopped for ${stoppedMs / 1000} s`,
    )
    const load = await stage.load({ ratePerSecond: rate, connectionsMax: 1_000, giveUpMs: 1_000, retries: 3 })
    await pause(calmMs)
    const stoppedAt = Date.now()
    redis.server.process.kill('SIGSTOP')
    await pause(stoppedMs)
    redis.server.process.kill('SIGCONT')
    const backAt = Date.now()
    await pause(ground.isLong ? 20_000 : 3_000)
    const endedAt = Date.now()
    await load.drain()

    const meanwhile = await load.tries(stoppedAt, backAt)
    const after = await load.tries(backAt + 1_000, endedAt)
    const normal = rate * 1.1
    const normalAt = after.findIndex((tries, second) =>
      after.slice(second).every((later) => later <= normal && tries <= normal),
    )
    ground.must(
      'offered load at the end, as tries a request due',
      ((after.at(-1) ?? 0) / rate).toFixed(2),
      '≤ 1.10',
      (after.at(-1) ?? Number.POSITIVE_INFINITY) <= normal,
    )
    const found = normalAt === -1 ? 'never' : `${normalAt + 1} s`
    ground.figure(
      'offered load is normal again after',
      found,
      '≤ 10 s',
      normalAt !== -1 && normalAt + 1 <= 10,
    )
    const most = Math.max(...meanwhile) / rate
    ground.figure(
      'greatest offered load meanwhile, as tries a request due',
      most.toFixed(2),
      '≤ 1.10',
      most <= 1.1,
    )
    await mustAnswerAll(ground, load, stoppedAt, endedAt)
  },
}
