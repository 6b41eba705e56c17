import { jitteredMs } from '../domain/jitter.ts'
import { limits } from '../domain/limits.ts'

/** Where the processes of a fleet stand that live. */
export interface ProcessRoll {
  /** Says that this process lives, for so long at least; answers how many do. Rejects where it can't be written. */
  beat(liveMs: number): Promise<number>
  /** This process is about to end. */
  leave(): Promise<void>
}

export interface ProcessCountOptions {
  readonly roll: ProcessRoll
  /** ±25 %. */
  readonly everyMs: number
  /** Told when the number of live processes is another one, 1 or more. */
  readonly onCount: (processes: number) => void
  /** Whether the store doesn't let this process write; what else fails is an outage, which is known elsewhere. */
  readonly isForbidden: (error: Error) => boolean
  /** Once, until it is allowed again. */
  readonly onForbidden: (error: Error) => void
}

export interface ProcessCount {
  /** Resolves when it is known, or can't be known at present, how many processes live. */
  start(): Promise<void>
  /** How many live; what was known last where the store is away, 1 at first. */
  current(): number
  /** Others take over this process' share. */
  close(): Promise<void>
}

/** Counts the live processes of the fleet, until it is closed. */
export function countProcesses(options: ProcessCountOptions): ProcessCount {
  const { roll, everyMs, onCount, isForbidden, onForbidden } = options
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let isToldForbidden = false
  let current = 1
  /** What the last beat found. */
  let found = 1
  let beating: Promise<void> = Promise.resolve()

  function take(count: number): void {
    // Fewer only when two beats in a row say so: a store that came back empty learns in between of those that live.
    const processes = Math.max(1, count, found)
    found = count
    if (processes === current) return
    current = processes
    onCount(processes)
  }

  async function beat(): Promise<void> {
    try {
      take(await roll.beat(everyMs * limits.heartbeatsMissedMax))
      isToldForbidden = false
    } catch (error) {
      if (isToldForbidden || !isForbidden(error as Error)) return
      isToldForbidden = true
      onForbidden(error as Error)
    }
  }

  function schedule(): void {
    if (closed) return
    timer = setTimeout(() => {
      beating = beat().then(schedule)
    }, jitteredMs(everyMs))
    timer.unref()
  }

  return {
    async start() {
      beating = beat().then(schedule)
      await beating
    },
    current: () => current,
    async close() {
      closed = true
      clearTimeout(timer)
      await beating
      // It is forgotten by itself otherwise.
      await roll.leave().catch(() => undefined)
    },
  }
}
