import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import { makeKey } from '../../support/tokens.ts'
import type { Scenario } from '../scenario.ts'
import { mustNotMixUp } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { addTenant, others, setStage, sumOf, tenant, tokensFor, untilServed } from '../support/stage.ts'

const noisy = 'noisy'
const quotaPerSecond = 100
const timesQuota = 10
/** Of the victim's rate. With more of them it is the machine's two cores, which all clients share, that are measured. */
const timesJunk = 4

const served = /^200 (split|override|sibling|stale|default)$/

export const noisyTenant: Scenario = {
  name: 'noisy-tenant',
  fault: 'one tenant at 10× its quota; junk tokens claiming a victim’s issuer',
  mustHold: 'the others: < 0.1 % errors, p99 ≤ 1.5×; the victim’s quota untouched',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, phaseMs] = ground.isLong ? [500, 30_000] : [200, 2_000]
    const victimQuota = { requestsPerSecond: rate * 1.5, burst: rate * 2, concurrency: 500 }
    ground.setting(
      `victim ${rate} requests/s under a quota of ${victimQuota.requestsPerSecond}/s; ` +
        `${quotaPerSecond * timesQuota} requests/s of a tenant with ${quotaPerSecond}/s; then ${rate * timesJunk} junk tokens/s`,
    )
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, {
      redisUrl: redis.url,
      deadlineMs: 200,
      document: { quota: victimQuota },
    })
    const quota = { requestsPerSecond: quotaPerSecond, burst: quotaPerSecond, concurrency: 100 }
    const noisyPlayers = await addTenant(stage.tools, noisy, {
      players: 100,
      deadlineMs: 200,
      document: { quota },
    })
    const junkPlayers = await tokensFor(tenant, await makeKey('ES256', 'k1'), 400)
    const victim = await stage.load({ ratePerSecond: rate })
    await untilServed(victim)
    const calm = { from: Date.now(), to: 0 }
    await pause(phaseMs)
    calm.to = Date.now()
    const loud = await stage.load({ ratePerSecond: quotaPerSecond * timesQuota, players: noisyPlayers })
    const beside = { from: Date.now(), to: 0 }
    await pause(phaseMs)
    beside.to = Date.now()
    await loud.drain()
    const junk = await stage.load({ ratePerSecond: rate * timesJunk, players: junkPlayers })
    const attacked = { from: Date.now(), to: 0 }
    await pause(phaseMs)
    attacked.to = Date.now()
    await junk.drain()
    await victim.drain()

    const before = await victim.stretch(calm.from, calm.to)
    for (const [what, { from, to }] of [
      ['beside the noisy tenant', beside],
      ['under junk tokens', attacked],
    ] as const) {
      const { outcomes, p99Ms } = await victim.stretch(from, to)
      const errors = sumOf(outcomes) - sumOf(outcomes, served)
      ground.must(
        `${what}: the victim’s requests not answered 200`,
        others(outcomes, served),
        '< 0.1 %',
        errors < sumOf(outcomes) / 1_000,
      )
      const bound = `≤ 1.5 × ${before.p99Ms.toFixed(1)} ms`
      ground.figure(`${what}: the victim’s p99`, `${p99Ms.toFixed(1)} ms`, bound, p99Ms <= 1.5 * before.p99Ms)
    }
    await mustNotMixUp(ground, victim, calm.from, attacked.to)
    const { outcomes } = await loud.stretch(beside.from, beside.to)
    const within = sumOf(outcomes, served)
    const withinMax = quota.burst + quotaPerSecond * ((beside.to - beside.from) / 1000) * 1.1
    ground.must(
      'the noisy tenant: answers beyond its quota',
      Math.max(0, within - withinMax),
      '0',
      within <= withinMax,
    )
    const refused = others(outcomes, served)
    const rest = others(outcomes, /^(200 |429 )/)
    ground.must(
      'the noisy tenant: what is refused',
      refused,
      '429 alone',
      refused !== 'none' && rest === 'none',
    )
    const { outcomes: ofJunk } = await junk.stretch(attacked.from, attacked.to)
    const taken = sumOf(ofJunk) - sumOf(ofJunk, /^(401 token-invalid|503 busy)$/)
    ground.must('junk tokens that got anything but a 401, or a 503', taken, '0', taken === 0)
  },
}
