import { limits } from '../domain/limits.ts'

/** How a read went that had been let through; `neutral`: it says nothing about the store's speed. */
export type ReadPace = 'quick' | 'slow' | 'neutral'

/**
 * How many reads may wait for the store at one time. A read beyond is shed: it would wait for longer than it has, and
 * make the others late, too.
 */
export interface ReadBound {
  /** False: the read is to be shed. One that was let through must `leave`. */
  enter(): boolean
  leave(pace: ReadPace): void
  inFlight(): number
  /** How many may be in flight at present. */
  size(): number
}

/**
 * Follows the store: half as many where most reads of a window were slow, a sixteenth more where they weren't, up to
 * `max` (additive increase would take minutes, and nothing is lost by being wrong: reads beyond what the store can do
 * are slow at once). A window is as many reads as may be in flight, about one trip's worth, so that there is no timer.
 *
 * Measured against fixed bounds in docs/decisions/0014-shed-by-measured-latency.md.
 */
export function createReadBound(max: number): ReadBound {
  const min = Math.min(limits.readsInFlightMin, max)
  let size = max
  let inFlight = 0
  let quick = 0
  let slow = 0
  /** Reads that were under way when the bound shrank say nothing about the smaller one. */
  let unjudged = 0

  function judge(): void {
    if (slow > quick) {
      size = Math.max(min, size >> 1)
      unjudged = inFlight
    } else size = Math.min(max, size + Math.max(1, size >> 4))
    quick = 0
    slow = 0
  }

  return {
    enter() {
      if (inFlight >= size) return false
      inFlight++
      return true
    },
    leave(pace) {
      inFlight--
      if (unjudged > 0) {
        unjudged--
        return
      }
      if (pace === 'neutral') return
      if (pace === 'quick') quick++
      else slow++
      if (quick + slow >= Math.min(size, limits.readsJudgedMax)) judge()
    },
    inFlight: () => inFlight,
    size: () => size,
  }
}
