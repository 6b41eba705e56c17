import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { backAfterMs, figureP99, mustAnswerAll, settingCalm } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { setStage, untilServed } from '../support/stage.ts'

const deadlineMs = 50

export const redisKilled: Scenario = {
  name: 'redis-killed',
  fault: 'Redis killed, 10 s, back',
  mustHold:
    'every answer 200 with its reason; no 5xx; p99 ≤ deadline + 10 ms; `split` again ≤ 2 s after return',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, awayMs] = ground.isLong ? [1_000, 10_000] : [300, 2_000]
    ground.setting(`${rate} requests/s, deadline ${deadlineMs} ms, ${awayMs / 1000} s away`)
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    await settingCalm(ground, load, ground.isLong ? 10_000 : 500)
    await redis.server.client.save()
    const killedAt = Date.now()
    await redis.server.kill()
    await pause(awayMs)
    await redis.restart()
    const backAt = Date.now()
    await untilServed(load)
    await pause(ground.isLong ? 5_000 : 500)
    const endedAt = Date.now()
    await load.drain()

    await mustAnswerAll(ground, load, killedAt, endedAt)
    const { outcomes } = await load.stretch(killedAt + 500, backAt - 100)
    const read = outcomes['200 split'] ?? 0
    ground.must('answers read from Redis while there was none', read, '0', read === 0)
    await figureP99(ground, load, {
      from: killedAt,
      to: endedAt,
      what: 'from the kill to the end',
      boundMs: deadlineMs + 10,
    })
    const afterMs = await backAfterMs(load, backAt, endedAt)
    ground.figure('`split` again after', `${afterMs} ms`, '≤ 2,000 ms', afterMs !== null && afterMs <= 2_000)
  },
}
