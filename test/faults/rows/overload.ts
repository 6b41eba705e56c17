import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Ground, Scenario } from '../scenario.ts'
import { atATenth, cannotHoldCpu, holdToATenth } from '../support/hold-to-a-tenth.ts'
import { mustNotMixUp } from '../support/judge.ts'
import type { Load } from '../support/load.ts'
import { meter, useful } from '../support/measure-peak.ts'
import { others, type Stage, setStage, sumOf } from '../support/stage.ts'

/** A stop of cpulimit takes up to a tenth of a second, which is no fault of Redis. */
const deadlineMs = 500
const shares = [
  { times: 2, leastShare: 0.9 },
  { times: 10, leastShare: 0.8 },
] as const

/** Useful, or refused with a code. */
const inOrder = /^(200 (split|override|sibling|stale|default)|503 busy)$/
/** And refused at the door, or given up by its client, which only the figure of useful answers judges. */
const inOrderOrLate =
  /^(200 (split|override|sibling|stale|default)|503 busy|error (refused|unanswered|timeout))$/

export const overload: Scenario = {
  name: 'overload',
  fault: '2× and 10× the measured peak, 60 s each (gateway held to a tenth of a core)',
  mustHold:
    'useful answers ≥ 90 % and ≥ 80 % of peak; their p99 ≤ 3× that at half load; ops plane answers; normal ≤ 10 s after',
  missing: cannotHoldCpu,
  async run(ground) {
    const [forMs, calmMs] = ground.isLong ? [60_000, 15_000] : [2_500, 1_500]
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    const peak = await holdToATenth(ground, stage)
    const half = peak / 2
    ground.setting(`deadline ${deadlineMs} ms; clients give up after 1 s, and share 1,000 connections`)
    const load = await stage.load({ ratePerSecond: half, connectionsMax: 1_000, giveUpMs: 1_000 })
    const calmFrom = Date.now()
    await pause(calmMs)
    const { p99Ms: calmP99Ms } = await load.stretch(calmFrom + 500, Date.now(), useful.source)
    for (const { times, leastShare } of shares) {
      await pushed(ground, { stage, load, peak, times, leastShare, forMs, calmP99Ms })
      await becomesNormal(ground, load, { half, times, calmP99Ms })
    }
    await load.drain()
    await mustNotMixUp(ground, load, calmFrom, Date.now())
  },
}

async function pushed(
  ground: Ground,
  push: {
    stage: Stage
    load: Load
    peak: number
    times: number
    leastShare: number
    forMs: number
    calmP99Ms: number
  },
): Promise<void> {
  const { stage, load, peak, times, leastShare, forMs, calmP99Ms } = push
  const from = Date.now()
  const rateOf = await meter(stage, load)
  await load.setRate(peak * times)
  const opsFailures = await askOps(stage, from + forMs)
  const to = Date.now()
  const rate = await rateOf()
  await load.setRate(peak / 2)
  // Until the last of them has its answer, or its client has given up.
  await pause(1_500)
  const { outcomes, p99Ms } = await load.stretch(from, to, useful.source)
  const disorderly = others(outcomes, inOrderOrLate)
  ground.must(`${times}×: neither useful, nor refused, nor late`, disorderly, 'none', disorderly === 'none')
  const answered = sumOf(outcomes, useful)
  ground.must(`${times}×: useful answers`, `${answered}`, '> 0', answered > 0)
  ground.must(`${times}×: the ops plane’s failures`, opsFailures, '0', opsFailures === 0)
  const share = atATenth(rate) / peak
  ground.figure(
    `${times}×: useful answers, of the peak’s`,
    `${(share * 100).toFixed(0)} % (${Math.round(rate.perSecond)}/s at ${rate.corePercent.toFixed(1)} % of a core; besides ${others(outcomes, useful)})`,
    `≥ ${leastShare * 100} %`,
    share >= leastShare,
  )
  const bound = `≤ 3 × ${calmP99Ms.toFixed(0)} ms`
  ground.figure(`${times}×: their p99`, `${p99Ms.toFixed(0)} ms`, bound, p99Ms <= 3 * calmP99Ms)
}

/** Twice a second; answers how many failed. */
async function askOps({ gateway }: Stage, until: number): Promise<number> {
  let failures = 0
  while (Date.now() < until) {
    for (const path of ['/healthz', '/metrics'])
      await gateway.ops(path).then(
        ({ status }) => {
          if (status !== 200) failures++
        },
        () => failures++,
      )
    await pause(500)
  }
  return failures
}

async function becomesNormal(
  ground: Ground,
  load: Load,
  { half, times, calmP99Ms }: { half: number; times: number; calmP99Ms: number },
): Promise<void> {
  const since = Date.now()
  await load.setRate(half)
  const giveUpMs = 30_000
  let normalMs: number | null = null
  while (normalMs === null && Date.now() < since + giveUpMs) {
    await pause(1_200)
    const now = Date.now()
    const { outcomes, p99Ms } = await load.stretch(now - 1_200, now - 200)
    const isOrderly = sumOf(outcomes) > 0 && others(outcomes, inOrder) === 'none'
    // In the short form no time is judged.
    if (isOrderly && (!ground.isLong || p99Ms <= 3 * calmP99Ms)) normalMs = now - since
  }
  const found = normalMs === null ? `not within ${giveUpMs} ms` : `${normalMs} ms`
  ground.must(
    `after ${times}×`,
    normalMs === null ? 'not normal' : 'normal',
    'normal again',
    normalMs !== null,
  )
  ground.figure(`after ${times}×: normal in`, found, '≤ 10,000 ms', normalMs !== null && normalMs <= 10_000)
}
