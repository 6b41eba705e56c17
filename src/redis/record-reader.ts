import { limits } from '../domain/limits.ts'
import type { RecordReader, RecordReadResult } from '../serving/ports.ts'
import { createReadBound, type ReadBound } from '../serving/read-bound.ts'
import type { BreakerEvent } from './breaker-event.ts'
import { isCluster, type RedisClient, waitsOf } from './client.ts'
import { createClusterReads } from './cluster-reads.ts'
import { type CountedBreakers, createNodeBreakers } from './node-breakers.ts'
import { createScriptReads } from './script-reads.ts'
import { createSharedReads } from './shared-reads.ts'
import { createTurningClock } from './turning-clock.ts'
import type { Settle, WaitingRead } from './waiting-read.ts'

/** How often deadlines are looked at: one timer for all reads costs less than one each. */
const sweepMs = 5

export interface RecordReaderOptions {
  /** Of the reads that Redis owes an answer; default: `limits.readsInFlightMax` of them. */
  readonly bound?: ReadBound
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
 * which fails reads is answered at once, and so is one that Redis would have to be asked for beyond the bound of what it owes.
 */
export function createRecordReader(
  client: RedisClient,
  options: RecordReaderOptions = {},
): GuardedRecordReader {
  const { clock = () => performance.now(), report = () => undefined } = options
  const { bound = createReadBound(limits.readsInFlightMax) } = options
  const turning = createTurningClock(clock)
  const waits = waitsOf(client)
  const breakers = createNodeBreakers({ clock, turningMs: turning.now, report })
  /** Not sent yet. */
  let queued: WaitingRead[] = []
  /** Neither answered nor over when they were looked at; those that are meanwhile leave at the next sweep. */
  let waiting: WaitingRead[] = []
  /** Reads that somebody waits for. */
  let awaited = 0
  let isSweeping = false

  const shared = createSharedReads()

  function answer(waitingRead: WaitingRead, result: RecordReadResult): void {
    if (waitingRead.settle === null) return
    awaited--
    waitingRead.settle(result)
    waitingRead.settle = null
  }

  const settle: Settle = (waitingRead, result, now) => {
    if (waitingRead.isOver) return
    waitingRead.isOver = true
    if (waitingRead.owed !== null) {
      if (result.from === 'none' && result.cause === 'store') bound.failed(waitingRead.owed)
      else bound.answered(waitingRead.owed, now)
      waitingRead.owed = null
    }
    waitingRead.read.heard?.(result, now)
    answer(waitingRead, result)
    if (waitingRead.followers !== null) for (const follower of waitingRead.followers) answer(follower, result)
  }

  const sender = isCluster(client)
    ? createClusterReads(client, settle, { breakers, clock })
    : createScriptReads(client, settle, { createBreaker: breakers.create, clock })

  function start(waitingRead: WaitingRead): void {
    if (!shared.follow(waitingRead)) {
      waitingRead.owed = bound.enter()
      if (waitingRead.owed === null) {
        waitingRead.isOver = true
        answer(waitingRead, { from: 'none', cause: 'shed' })
        return
      }
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
    const now = clock()
    let latestDeadlineAt = now
    for (const { owed, modelDeadlineAt } of reads) {
      if (owed !== null) bound.sent(owed, now, modelDeadlineAt)
      if (modelDeadlineAt > latestDeadlineAt) latestDeadlineAt = modelDeadlineAt
    }
    waits(latestDeadlineAt - now)
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
      if (waitingRead.owed !== null && !bound.isOwed(waitingRead.owed, now)) waitingRead.owed = null
      return waitingRead.settle !== null || waitingRead.owed !== null
    })
    isSweeping = waiting.length > 0
    if (isSweeping) sweepLater()
  }

  return {
    breakers,
    read(read, deadlineAt, modelDeadlineAt = deadlineAt) {
      if (read.own === null && read.control === null)
        return Promise.resolve({ from: 'none', cause: 'no-table' })
      if (!sender.canSend()) {
        // The connection that is being made must not be given up sooner than this read would have been.
        waits(modelDeadlineAt - clock())
        return Promise.resolve({ from: 'none', cause: 'store' })
      }
      if (awaited >= limits.readsInFlightMax) return Promise.resolve({ from: 'none', cause: 'shed' })
      return new Promise((resolve) => {
        awaited++
        start({
          read,
          deadlineAt,
          modelDeadlineAt,
          settle: resolve,
          followers: null,
          isOver: false,
          owed: null,
        })
      })
    },
  }
}
