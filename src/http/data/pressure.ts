/** What one process may be burdened with. */
export interface PressureBounds {
  /** Mean delay of the event loop over a sample. */
  readonly eventLoopDelayMsMax: number
  /** The part of a sample that the event loop was at work, 0 to 1; 1 is never too much. */
  readonly eventLoopUtilizationMax: number
  readonly heapBytesMax: number
}

/** As @fastify/under-pressure gives it, and when. */
export interface PressureSample {
  /** In ms; infinite where a sample holds no measurement, because less than two turns of the event loop fell into it. */
  readonly eventLoopDelay: number
  readonly eventLoopUtilized: number
  readonly heapUsed: number
  /** Since the sample before was judged, in ms: a turn of the event loop was hardly longer. */
  readonly elapsedMs: number
}

/**
 * Whether there is too much to do, sample for sample. Only what lasts counts: a single stall of the whole process is over
 * when it is seen, and refusing what comes after it would help nobody.
 */
export function createPressureJudge(bounds: PressureBounds): (sample: PressureSample) => boolean {
  let wasTooMuch = false
  return ({ eventLoopDelay, eventLoopUtilized, heapUsed, elapsedMs }) => {
    const isTooMuch =
      Math.min(eventLoopDelay, elapsedMs) > bounds.eventLoopDelayMsMax ||
      eventLoopUtilized > bounds.eventLoopUtilizationMax ||
      heapUsed > bounds.heapBytesMax
    const lasts = isTooMuch && wasTooMuch
    wasTooMuch = isTooMuch
    return lasts
  }
}
