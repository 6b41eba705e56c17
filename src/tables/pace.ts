import { limits } from '../domain/limits.ts'

/**
 * When a writer rests, so that Redis' readers come first where Redis is slow. What is usual is the least that a bucket
 * took lately; a trip that took several times as long was kept waiting by others, and each such trip in a row makes the
 * rest after it longer, up to so many times the trip's own length.
 */
export interface Pace {
  /** After a trip of so many buckets: how long to rest before the next, in milliseconds; 0 mostly. */
  restAfter(buckets: number, tookMs: number): number
}

export function createPace(): Pace {
  let usualMs = Number.POSITIVE_INFINITY
  let slowTrips = 0
  return {
    restAfter(buckets, tookMs) {
      const bucketMs = tookMs / buckets
      // Forgets slowly: a server that became slower for good isn't waited for until the end.
      usualMs = Math.min(bucketMs, usualMs * forgetting)
      const isSlow = tookMs > limits.slowTripMs && bucketMs > usualMs * slowTimes
      slowTrips = isSlow ? slowTrips + 1 : 0
      if (!isSlow) return 0
      return Math.min(limits.writerRestMsMax, tookMs * Math.min(2 ** (slowTrips - 1), restTimesMax))
    },
  }
}

/** Trips over which a measure of what is usual becomes half as strict: some 70. */
const forgetting = 1.01
const slowTimes = 4
const restTimesMax = 8
