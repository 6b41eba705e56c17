import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { figureP99, mustAnswerAll, mustNotMixUp } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { measurePeak } from '../support/measure-peak.ts'
import { setStage, untilServed } from '../support/stage.ts'

const deadlineMs = 50
const minutes = 30
/** Less than the players' copies take: what is filled within a bound must be full before a slope says anything. */
const nearCacheBytes = 262_144

export const soak: Scenario = {
  name: 'soak',
  fault: '30 min soak at 60 % of peak, tables republished and rolled back every minute',
  mustHold: 'heap slope ≈ 0; 0 failed; no answer from a wrong generation (a checker reads every one)',
  missing: cannotRunTopologies,
  async run(ground) {
    // For trying the row; a shorter one isn't reached, and says so.
    const turnsLong = Number(process.env['FAULTS_SOAK_MINUTES'] ?? minutes)
    const [turns, turnMs, peakMs] = ground.isLong ? [turnsLong, 60_000, 10_000] : [2, 4_500, 1_000]
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, {
      redisUrl: redis.url,
      deadlineMs,
      players: 2_000,
      env: { RECGATE_NEAR_CACHE_BYTES: String(nearCacheBytes) },
    })
    const { perSecond: peak } = await measurePeak(stage, peakMs)
    const rate = Math.round(peak * (ground.isLong ? 0.6 : 0.1))
    ground.setting(
      `${rate} requests/s of a peak of ${Math.round(peak)}, a near cache of ${nearCacheBytes} bytes, so that it is full from the first minute on`,
    )
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    const startedAt = Date.now()
    const heaps: number[] = []
    for (let turn = 0; turn < turns; turn++) {
      const turnEndsAt = startedAt + (turn + 1) * turnMs
      if (turn % 2 === 0) await stage.publish('itemcf', load)
      else await stage.rollBack('itemcf', load)
      await pause(Math.max(0, turnEndsAt - Date.now()))
      heaps.push((await stage.gateway.use()).heapUsed)
    }
    const endedAt = Date.now()
    await load.drain()

    await mustAnswerAll(ground, load, startedAt, endedAt)
    await mustNotMixUp(ground, load, startedAt, endedAt)
    ground.must('publishes and rollbacks', turns, `${turns}`, true)
    ground.figure('minutes', (turns * turnMs) / 60_000, `${minutes}`, turns >= minutes)
    // What is filled once, caches and compiled code, has been by then.
    const settled = heaps.slice(Math.floor(heaps.length / 3))
    const perHour = settled.length < 2 ? 0 : (slope(settled) * 3_600_000) / turnMs / heaps[0]!
    const found = `${(perHour * 100).toFixed(1)} % an hour, from ${megabytes(heaps[0]!)} to ${megabytes(heaps.at(-1)!)}`
    ground.figure('heap slope, after a collection each', found, '≤ 5 % an hour', perHour <= 0.05)
    await figureP99(ground, load, {
      from: startedAt,
      to: endedAt,
      what: 'over all of it',
      boundMs: deadlineMs + 10,
    })
  },
}

/** Of the line of least squares, a step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const covariance = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0)
  const variance = values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0)
  return covariance / variance
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
