import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import { limits } from '../../domain/limits.ts'
import { createPressureJudge, type PressureBounds } from './pressure.ts'

/** What the whole process may take on. Blind to tenants: before a signature has verified nobody is one. */
export interface GateBounds extends Omit<PressureBounds, 'heapBytesMax'> {
  /** Requests that are being answered at one time. */
  readonly inFlightMax: number
  /** Default: nine tenths of what V8 may take. */
  readonly heapBytesMax?: number | undefined
}

/** Turns requests away before anything is spent on them. */
export interface RequestGate {
  /** False: there is too much to do. A request that was let in must `leave`. */
  enter(): boolean
  leave(): void
  inFlight(): number
  /** Samples this process from when the server is ready until it closes. */
  watch(app: FastifyInstance): void
}

export function createRequestGate(bounds: GateBounds): RequestGate {
  const heapBytesMax = bounds.heapBytesMax ?? getHeapStatistics().heap_size_limit * limits.heapShareMax
  const judge = createPressureJudge({ ...bounds, heapBytesMax })
  let inFlight = 0
  let isUnderPressure = false
  return {
    enter() {
      if (inFlight >= bounds.inFlightMax || isUnderPressure) return false
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
      let judging: NodeJS.Timeout | undefined
      app.addHook('onReady', async () => {
        // Every other sample, so that none is judged twice.
        let judgedAt = performance.now()
        judging = setInterval(() => {
          const now = performance.now()
          isUnderPressure = judge({ ...app.memoryUsage(), elapsedMs: now - judgedAt })
          judgedAt = now
        }, limits.pressureSampleMs * 2)
        judging.unref()
      })
      app.addHook('onClose', async () => clearInterval(judging))
    },
  }
}
