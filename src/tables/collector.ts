import { OperationError } from '../domain/errors.ts'
import { jitteredMs } from '../domain/jitter.ts'
import type { Collection } from './collect.ts'

export type CollectorEvent =
  | { readonly event: 'collected'; readonly tenantId: string; readonly collection: Collection }
  /** The store forbids it: nothing is tried again. */
  | { readonly event: 'forbidden'; readonly error: Error }
  | { readonly event: 'failed'; readonly error: Error }

export interface CollectorOptions {
  readonly tenants: () => Promise<readonly string[]>
  readonly collect: (tenantId: string) => Promise<Collection>
  /** ±25 %. */
  readonly everyMs: number
  readonly isForbidden: (error: Error) => boolean
  readonly report: (event: CollectorEvent) => void
}

/** Collects every tenant's tables now and then, until it is closed. Several processes take turns by the tenants' leases. */
export function startCollector(options: CollectorOptions): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let running: Promise<void> = Promise.resolve()

  /** False: it never makes sense again. */
  async function collectAll(): Promise<boolean> {
    for (const tenantId of await options.tenants()) {
      if (closed) return false
      try {
        const collection = await options.collect(tenantId)
        if (collection.collected.length + collection.forgotten > 0)
          options.report({ event: 'collected', tenantId, collection })
      } catch (error) {
        // Another process has its turn.
        if (error instanceof OperationError) continue
        if (options.isForbidden(error as Error)) {
          options.report({ event: 'forbidden', error: error as Error })
          return false
        }
        options.report({ event: 'failed', error: error as Error })
      }
    }
    return true
  }

  function schedule(): void {
    if (closed) return
    timer = setTimeout(() => {
      running = collectAll().then(
        (goesOn) => {
          if (goesOn) schedule()
        },
        (error: Error) => {
          options.report({ event: 'failed', error })
          schedule()
        },
      )
    }, jitteredMs(options.everyMs))
    timer.unref()
  }

  schedule()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
