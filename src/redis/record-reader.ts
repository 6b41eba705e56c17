import { limits } from '../domain/limits.ts'
import type { RecordReader } from '../serving/ports.ts'
import type { BreakerEvent } from './breaker-event.ts'
import { isCluster, type RedisClient } from './client.ts'
import { createClusterReads } from './cluster-reads.ts'
import { type CountedBreakers, createNodeBreakers } from './node-breakers.ts'
import { createScriptReads } from './script-reads.ts'
import { createTurningClock } from './turning-clock.ts'
import type { Settle, WaitingRead } from './waiting-read.ts'

/** How often deadlines are looked at: one timer for all reads costs less than one each. */
const sweepMs = 5

export interface RecordReaderOptions {
  /** Milliseconds that never run backwards. */
  readonly clock?: () => number
  /** Told when a Redis fails reads, and when it answers them again. */
  readonly report?: (event: BreakerEvent) => void
}

export interface GuardedRecordReader extends RecordReader {
  readonly breakers: CountedBreakers
}

/**
 * Gathers the reads of one turn of the event loop, has them sent together, and answers each by its deadline. A read that
 * needs a Redis which fails reads is answered at once.
 */
export function createRecordReader(
  client: RedisClient,
  { clock = () => performance.now(), report = () => undefined }: RecordReaderOptions = {},
): GuardedRecordReader {
  const turning = createTurningClock(clock)
  const breakers = createNodeBreakers({ clock, turningMs: turning.now, report })
  /** Not sent yet. */
  let queued: WaitingRead[] = []
  /** Sent and not looked at since; those answered meanwhile leave at the next sweep. */
  let waiting: WaitingRead[] = []
  let inFlight = 0
  let isSweeping = false

  const settle: Settle = (waitingRead, result) => {
    if (waitingRead.settle === null) return
    inFlight--
    waitingRead.settle(result)
    waitingRead.settle = null
  }

  const sender = isCluster(client)
    ? createClusterReads(client, settle, breakers)
    : createScriptReads(client, settle, breakers.create)

  function flush(): void {
    const reads = queued
    queued = []
    sender.send(reads)
  }

  function sweepLater(): void {
    turning.expect(clock() + sweepMs)
    setTimeout(sweep, sweepMs)
  }

  /** Replies that lie there are read first: a process that was held up takes them rather than to call them late. */
  function sweep(): void {
    turning.fired()
    setImmediate(expire)
  }

  function expire(): void {
    const now = clock()
    waiting = waiting.filter((waitingRead) => {
      if (waitingRead.settle !== null && waitingRead.deadlineAt <= now)
        settle(waitingRead, { from: 'none', cause: 'deadline' })
      return waitingRead.settle !== null
    })
    isSweeping = waiting.length > 0
    if (isSweeping) sweepLater()
  }

  return {
    breakers,
    read(read, deadlineAt, modelDeadlineAt = deadlineAt) {
      if (read.own === null && read.control === null)
        return Promise.resolve({ from: 'none', cause: 'no-table' })
      if (!sender.canSend() || inFlight >= limits.readsInFlightMax)
        return Promise.resolve({ from: 'none', cause: 'store' })
      return new Promise((resolve) => {
        const waitingRead: WaitingRead = { read, deadlineAt, modelDeadlineAt, settle: resolve }
        inFlight++
        if (queued.length === 0) setImmediate(flush)
        queued.push(waitingRead)
        waiting.push(waitingRead)
        if (!isSweeping) sweepLater()
        isSweeping = true
      })
    },
  }
}
