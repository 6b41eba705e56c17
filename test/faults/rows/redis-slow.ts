import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import { startTcpProxy, type TcpProxy, type Weather } from '../../support/tcp-proxy.ts'
import type { Scenario } from '../scenario.ts'
import { figureP99, mustAnswerAll, settingCalm } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { setStage, sumOf, untilServed } from '../support/stage.ts'

interface Phase {
  readonly what: string
  begin(proxy: TcpProxy): void
  /** Whether answers still come from Redis meanwhile, all or some of them. */
  readonly isRead: boolean
  /** As many times as long as the others: while connections break a breaker may be open for a second. */
  readonly times?: number
}

const under = (what: string, weather: Weather, isRead: boolean): Phase => ({
  what,
  begin: (proxy) => proxy.setWeather(weather),
  isRead,
})

const deadlineMs = 50
const phases: readonly Phase[] = [
  under('+30 ms', { delayMs: () => 30 }, true),
  under('+500 ms', { delayMs: () => 500 }, false),
  { what: 'half-open', begin: (proxy) => proxy.forgetOpenOnes(), isRead: true },
  under('replies sliced', { sliceBytesMax: 3 }, true),
  { ...under('reset mid-reply', { sliceBytesMax: 20, resetChance: 0.003 }, true), times: 3 },
]

export const redisSlow: Scenario = {
  name: 'redis-slow',
  fault: 'Redis slow (+30 ms, +500 ms), half-open, reset mid-reply, sliced replies',
  mustHold: 'served within the deadline or from the ladder; no reply to the wrong player',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, phaseMs] = ground.isLong ? [500, 15_000] : [300, 1_200]
    ground.setting(
      `${rate} requests/s, deadline ${deadlineMs} ms, ${phaseMs / 1000} s for each fault, thrice that for resets`,
    )
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const proxy = await startTcpProxy(redis.server.port)
    ground.onEnd(proxy.stop)
    const gatewayRedisUrl = `redis://127.0.0.1:${proxy.port}`
    const stage = await setStage(ground, { redisUrl: redis.url, gatewayRedisUrl, deadlineMs })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    await settingCalm(ground, load, ground.isLong ? 10_000 : 500)
    const startedAt = Date.now()
    const stretches: { phase: Phase; from: number; to: number }[] = []
    for (const phase of phases) {
      const from = Date.now()
      phase.begin(proxy)
      await pause(phaseMs * (phase.times ?? 1))
      stretches.push({ phase, from, to: Date.now() })
      proxy.setWeather(null)
      await untilServed(load)
    }
    const endedAt = Date.now()
    await load.drain()

    await mustAnswerAll(ground, load, startedAt, endedAt)
    for (const { phase, from, to } of stretches) {
      const { outcomes } = await load.stretch(from + 300, to)
      const read = sumOf(outcomes, /200 split/)
      const bound = phase.isRead ? '> 0' : '0'
      ground.must(`${phase.what}: answers read from Redis`, read, bound, phase.isRead ? read > 0 : read === 0)
      await figureP99(ground, load, { from, to, what: `at ${phase.what}`, boundMs: deadlineMs + 10 })
    }
    await manyAtOnce()

    /** With a deadline that slow replies meet, so that a thousand wait for theirs while connections break. */
    async function manyAtOnce(): Promise<void> {
      const [fast, ms, resetChance] = ground.isLong ? [6_000, 30_000, 5e-5] : [1_000, 2_500, 1.5e-3]
      await stage.changeDeadline(5_000)
      const crowd = await stage.load({ ratePerSecond: 200, connectionsMax: 4_000, giveUpMs: 10_000 })
      await untilServed(crowd)
      const from = Date.now()
      proxy.setWeather({ delayMs: () => 200, sliceBytesMax: 200, resetChance })
      await crowd.setRate(fast)
      let waitingMax = 0
      while (Date.now() < from + ms) {
        waitingMax = Math.max(waitingMax, (await crowd.counts()).pending)
        await pause(20)
      }
      const to = Date.now()
      await crowd.setRate(1)
      await crowd.drain()
      proxy.setWeather(null)
      ground.setting(
        `then ${fast} requests/s with a deadline of 5 s over replies of +200 ms, sliced and reset`,
      )
      await mustAnswerAll(ground, crowd, from, to)
      const { outcomes } = await crowd.stretch(from, to)
      const read = sumOf(outcomes, /200 split/)
      ground.must('read from Redis all the same', read, '> 0', read > 0)
      ground.figure('requests that waited at one time', waitingMax, '≥ 1,000', waitingMax >= 1_000)
    }
  },
}
