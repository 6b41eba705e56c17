import { setTimeout as pause } from 'node:timers/promises'
import type { Ground } from '../scenario.ts'
import type { Load } from './load.ts'
import { others, sumOf } from './stage.ts'

/** What most rows of the table ask of their answers. */

/** An answer with a reason: from the tables, or from a rung below. */
const answered = /(^|: )200 (split|override|sibling|stale|default)$/

/** Of the requests due from one moment to the other: every one was answered 200 with its reason, and rightly. */
export async function mustAnswerAll(ground: Ground, load: Load, from: number, to: number): Promise<void> {
  const { outcomes } = await load.stretch(from, to)
  const rest = others(outcomes, answered)
  ground.must('requests that were not answered 200 with a reason', rest, 'none', rest === 'none')
  const asked = sumOf(outcomes)
  ground.must('requests', asked, '> 0', asked > 0)
}

/** Nothing was mixed up, whatever else befell. */
export async function mustNotMixUp(ground: Ground, load: Load, from: number, to: number): Promise<void> {
  const { outcomes } = await load.stretch(from, to)
  const wrong = sumOf(outcomes, /WRONG/)
  ground.must('answers with another player’s record, or of a wrong generation', wrong, '0', wrong === 0)
}

/** Milliseconds from `since` until answers come from the tables again: nine of ten in a tenth of a second. */
export async function backAfterMs(load: Load, since: number, until: number): Promise<number | null> {
  const buckets = await load.timeline(since, until, 100)
  const at = buckets.findIndex((outcomes, index) => {
    const all = sumOf(outcomes)
    return all > 0 && sumOf(outcomes, /200 (split|override)$/) >= 0.9 * all && index >= 0
  })
  return at === -1 ? null : at * 100
}

/** A figure is worth what the machine was: the same before anything happened. */
export async function settingCalm(ground: Ground, load: Load, calmMs: number): Promise<void> {
  const from = Date.now()
  await pause(calmMs)
  const { p50Ms, p99Ms } = await load.stretch(from, from + calmMs)
  ground.setting(`before the fault: median ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`)
}

export async function figureP99(
  ground: Ground,
  load: Load,
  { from, to, what, boundMs }: { from: number; to: number; what: string; boundMs: number },
): Promise<number> {
  const { p50Ms, p99Ms, maxMs } = await load.stretch(from, to)
  const { ownP99Ms } = await load.counts()
  const shown =
    `${p99Ms.toFixed(1)} ms (median ${p50Ms.toFixed(1)}, worst ${maxMs.toFixed(0)}; ` +
    `the load generator’s own lateness, p99 ${ownP99Ms.toFixed(1)})`
  ground.figure(`p99 ${what}`, shown, `≤ ${boundMs.toFixed(0)} ms`, p99Ms <= boundMs)
  return p99Ms
}
