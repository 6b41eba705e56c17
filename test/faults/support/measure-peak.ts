import { setTimeout as pause } from 'node:timers/promises'
import type { Load } from './load.ts'
import { type Stage, sumOf } from './stage.ts'

/** An answer with a reason, whichever. */
export const useful = /^200 (split|override|sibling|stale|default)$/

export interface Rate {
  /** Useful answers. */
  readonly perSecond: number
  /** What the gateway took for them, in percent of one core. */
  readonly corePercent: number
}

/** Of clients that ask again as soon as they have an answer. */
export async function measurePeak(stage: Stage, forMs: number): Promise<Rate> {
  const load = await stage.load({ ratePerSecond: null, connectionsMax: 64, giveUpMs: 5_000 })
  // Tokens are verified once, and code is compiled, before what counts.
  await pause(forMs / 2)
  const rateOf = await meter(stage, load)
  await pause(forMs)
  const rate = await rateOf()
  await load.drain()
  await load.stop()
  return rate
}

/** From now until the function is called that it gives back. */
export async function meter({ gateway }: Stage, load: Load): Promise<() => Promise<Rate>> {
  const { cpuMicroseconds: before } = await gateway.use()
  const from = Date.now()
  return async () => {
    const to = Date.now()
    const { cpuMicroseconds: after } = await gateway.use()
    const { outcomes } = await load.stretch(from, to)
    return {
      perSecond: (sumOf(outcomes, useful) / (to - from)) * 1000,
      corePercent: (after - before) / 10 / (to - from),
    }
  }
}
