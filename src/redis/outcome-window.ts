import { CircuitState, type IBreaker } from 'cockatiel'
import { limits } from '../domain/limits.ts'

/** Parts of the window: what is older than it by less than one of them may count no more. */
const partsOfWindow = 10
const partMs = limits.breakerWindowMs / partsOfWindow

interface Part {
  /** Which part of all time it counts. */
  number: number
  outcomes: number
  failures: number
}

/**
 * Has a breaker open when more than half of the outcomes within `limits.breakerWindowMs` were failures, and there were
 * `limits.breakerOutcomesMin` at least. What is older never counts, however little came since.
 *
 * cockatiel's SamplingBreaker goes by the wall clock, and forgets a fifth of its window at each outcome that comes late
 * enough, however late: set back, the clock has successes of any age outvote failures; and four failures, ten quiet minutes
 * and one more would open.
 *
 * @param clock milliseconds that never run backwards
 */
export function createOutcomeWindow(clock: () => number): IBreaker {
  const parts: Part[] = Array.from({ length: partsOfWindow }, () => empty(Number.NEGATIVE_INFINITY))

  function count(failures: 0 | 1): number {
    const now = Math.floor(clock() / partMs)
    let part = parts[now % partsOfWindow]!
    if (part.number !== now) {
      part = empty(now)
      parts[now % partsOfWindow] = part
    }
    part.outcomes++
    part.failures += failures
    return now
  }

  return {
    // Nobody saves it.
    state: null,
    success(state) {
      // A probe was answered: what was before says nothing any more.
      if (state === CircuitState.HalfOpen) for (const part of parts) part.number = Number.NEGATIVE_INFINITY
      count(0)
    },
    failure(state) {
      const now = count(1)
      if (state !== CircuitState.Closed) return true
      let [outcomes, failures] = [0, 0]
      for (const part of parts) {
        if (part.number <= now - partsOfWindow) continue
        outcomes += part.outcomes
        failures += part.failures
      }
      return outcomes >= limits.breakerOutcomesMin && failures * 2 > outcomes
    },
  }
}

function empty(number: number): Part {
  return { number, outcomes: 0, failures: 0 }
}
