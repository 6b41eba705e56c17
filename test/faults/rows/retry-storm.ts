import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { cannotHoldCpu, holdToATenth } from '../support/hold-to-a-tenth.ts'
import { mustAnswerAll, mustNotMixUp } from '../support/judge.ts'
import type { Load } from '../support/load.ts'
import { others, setStage, sumOf } from '../support/stage.ts'

const deadlineMs = 500
/** Tries a request due, at most, where hardly any is a retry. */
const normalTimes = 1.1
/** Of four tries. */
const triesMs = 4_000
const answered = /^200 (split|override|sibling|stale|default)$/

export const retryStorm: Scenario = {
  name: 'retry-storm',
  fault:
    'a retry storm: clients with 1 s time-outs and three retries, Redis stopped 20 s (Playtika’s self denial of service)',
  mustHold: 'offered load falls back to normal ≤ 10 s after; no metastable state',
  missing: cannotHoldCpu,
  async run(ground) {
    const [stoppedMs, calmMs, peakShare] = ground.isLong ? [20_000, 10_000, 0.6] : [2_500, 1_500, 0.3]
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    // With cores to spare no load is high, and no retry adds to one.
    const rate = Math.round((await holdToATenth(ground, stage)) * peakShare)
    ground.setting(`${rate} requests/s, ${peakShare * 100} % of it; Redis stopped for ${stoppedMs / 1000} s`)
    const load = await stage.load({ ratePerSecond: rate, connectionsMax: 1_000, giveUpMs: 1_000, retries: 3 })
    await pause(calmMs)
    const stoppedAt = Date.now()
    redis.server.process.kill('SIGSTOP')
    await pause(stoppedMs)
    redis.server.process.kill('SIGCONT')
    const backAt = Date.now()
    const normalMs = await untilNormal(load, rate, backAt)
    await pause(triesMs + (ground.isLong ? 10_000 : 1_000))
    const endedAt = Date.now()
    await load.drain()

    const meanwhile = await load.tries(stoppedAt, backAt)
    const found = normalMs === null ? 'never' : `${normalMs} ms`
    ground.must(
      'offered load',
      normalMs === null ? 'stays high' : 'falls',
      'falls back to normal',
      normalMs !== null,
    )
    ground.figure(
      'offered load is normal after',
      found,
      '≤ 10,000 ms',
      normalMs !== null && normalMs <= 10_000,
    )
    const most = Math.max(...meanwhile) / rate
    const { outcomes } = await load.stretch(stoppedAt, endedAt)
    const due = sumOf(outcomes)
    const lost = due - sumOf(outcomes, answered)
    ground.setting(
      `lost, with all their tries: ${shareOf(lost, due)} of the ${due} requests due from the stop to the end (${others(outcomes, answered)}); ` +
        `meanwhile at most ${most.toFixed(2)} tries a request due`,
    )
    await mustNotMixUp(ground, load, stoppedAt, endedAt)
    // A request is tried for up to four seconds, so those that were due before may still be told.
    await mustAnswerAll(ground, load, backAt + (normalMs ?? 0) + triesMs, endedAt)
  },
}

function shareOf(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`
}

/** How long after `since` no more was tried in a second than was due in it; null: not within half a minute. */
async function untilNormal(load: Load, rate: number, since: number): Promise<number | null> {
  const giveUpAt = since + 30_000
  while (Date.now() < giveUpAt) {
    await pause(1_000)
    const second = Math.floor(Date.now() / 1000) * 1000
    const [tries = Number.POSITIVE_INFINITY] = await load.tries(second - 1_000, second)
    if (second - 1_000 >= since && tries <= rate * normalTimes) return second - since
  }
  return null
}
