import { limits } from '../domain/limits.ts'
import type { RecordReader, RecordReadResult } from '../serving/ports.ts'
import type { BreakerEvent } from './breaker-event.ts'
import { isCluster, type RedisClient } from './client.ts'
import { createClusterReads } from './cluster-reads.ts'
import { type CountedBreakers, createNodeBreakers } from './node-breakers.ts'
import { createScriptReads } from './script-reads.ts'
import { createSharedReads } from './shared-reads.ts'
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
 * Gathers the reads of one turn of the event loop, has them sent together, and answers each by its deadline. Redis is
 * asked for a row once at a time; reads of it that come meanwhile wait for the same answer. A read that needs a Redis
 * which fails reads is answered at once.
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

  const shared = createSharedReads()

  function answer(waitingRead: WaitingRead, result: RecordReadResult): void {
    if (waitingRead.settle === null) return
    inFlight--
    waitingRead.settle(result)
    waitingRead.settle = null
  }

  const settle: Settle = (waitingRead, result) => {
    waitingRead.isOver = true
    waitingRead.read.heard?.(result)
    answer(waitingRead, result)
    if (waitingRead.followers !== null) for (const follower of waitingRead.followers) answer(follower, result)
  }

  const sender = isCluster(client)
    ? createClusterReads(client, settle, breakers)
    : createScriptReads(client, settle, breakers.create)

  function start(waitingRead: WaitingRead): void {
    if (!shared.follow(waitingRead)) {
      if (queued.length === 0) setImmediate(flush)
      queued.push(waitingRead)
    }
    waiting.push(waitingRead)
    if (!isSweeping) sweepLater()
    isSweeping = true
  }

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
        answer(waitingRead, { from: 'none', cause: 'deadline' })
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
      if (!sender.canSend()) return Promise.resolve({ from: 'none', cause: 'store' })
      if (inFlight >= limits.readsInFlightMax) return Promise.resolve({ from: 'none', cause: 'shed' })
      return new Promise((resolve) => {
        inFlight++
        start({ read, deadlineAt, modelDeadlineAt, settle: resolve, followers: null, isOver: false })
      })
    },
  }
}
