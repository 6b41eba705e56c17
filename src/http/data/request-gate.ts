import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import { limits } from '../../domain/limits.ts'

/** What the whole process may take on. Blind to tenants: before a signature has verified nobody is one. */
export interface GateBounds {
  /** Requests that are being answered at one time. */
  readonly inFlightMax: number
  /** Mean delay of the event loop over a sample. */
  readonly eventLoopDelayMsMax: number
  /** The part of a sample that the event loop was at work, 0 to 1; 1 is never too much. */
  readonly eventLoopUtilizationMax: number
  /** Default: nine tenths of what V8 may take. */
  readonly heapBytesMax?: number | undefined
}

/** Turns requests away before anything is spent on them. */
export interface RequestGate {
  /** False: there is too much to do. A request that was let in must `leave`. */
  enter(): boolean
  leave(): void
  inFlight(): number
  /** Begins to sample this process, until the server closes. */
  watch(app: FastifyInstance): void
}

export function createRequestGate(bounds: GateBounds): RequestGate {
  const { inFlightMax, eventLoopDelayMsMax, eventLoopUtilizationMax } = bounds
  const heapBytesMax = bounds.heapBytesMax ?? getHeapStatistics().heap_size_limit * limits.heapShareMax
  let inFlight = 0
  let isUnderPressure = false
  return {
    enter() {
      if (inFlight >= inFlightMax || isUnderPressure) return false
      inFlight++
      return true
    },
    leave() {
      inFlight--
    },
    inFlight: () => inFlight,
    watch(app) {
      // Without bounds the plugin samples and adds no hook, which would be run for every request, health checks
      // included, and write a refusal of its own.
      app.register(underPressure, {
        sampleInterval: limits.pressureSampleMs,
        // Since the last sample; the plugin's default is since the process began.
        eventLoopUtilizationMode: 'interval',
      })
      app.addHook('onReady', async () => {
        let wasTooMuch = false
        // Every other sample, so that none is judged twice. Only what lasts counts: a single stall of the whole process
        // is over when it is seen, and the plugin gives a sample without a measurement an infinite delay.
        const judging = setInterval(() => {
          const { eventLoopDelay, eventLoopUtilized, heapUsed } = app.memoryUsage()
          const isTooMuch =
            eventLoopDelay > eventLoopDelayMsMax ||
            eventLoopUtilized > eventLoopUtilizationMax ||
            heapUsed > heapBytesMax
          isUnderPressure = isTooMuch && wasTooMuch
          wasTooMuch = isTooMuch
        }, limits.pressureSampleMs * 2)
        judging.unref()
        app.addHook('onClose', async () => clearInterval(judging))
      })
    },
  }
}
