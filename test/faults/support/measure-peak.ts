import { setTimeout as pause } from 'node:timers/promises'
import type { Stage } from './stage.ts'
import { sumOf } from './stage.ts'

/** Useful answers a second of clients that ask again as soon as they have an answer. */
export async function measurePeak(stage: Stage, forMs: number, connections = 64): Promise<number> {
  const load = await stage.load({ ratePerSecond: null, connectionsMax: connections, giveUpMs: 5_000 })
  // Tokens are verified once, and code is compiled, before what counts.
  await pause(forMs / 2)
  const from = Date.now()
  await pause(forMs)
  const { outcomes } = await load.stretch(from, from + forMs)
  await load.drain()
  await load.stop()
  return (sumOf(outcomes, useful) / forMs) * 1000
}

/** An answer with a reason, whichever. */
export const useful = /^200 (split|override|sibling|stale|default)$/
