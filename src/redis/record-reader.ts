import { limits } from '../domain/limits.ts'
import type { RecordReader, RecordReadResult } from '../serving/ports.ts'
import { isCluster, type RedisClient } from './client.ts'
import { createClusterReads } from './cluster-reads.ts'
import { createScriptReads } from './script-reads.ts'
import { createSharedReads } from './shared-reads.ts'
import type { Settle, WaitingRead } from './waiting-read.ts'

/** How often deadlines are looked at: one timer for all reads costs less than one each. */
const sweepMs = 5

/**
 * Gathers the reads of one turn of the event loop, has them sent together, and answers each by its deadline. Redis is
 * asked for a row once at a time; reads of it that come meanwhile wait for the same answer.
 * `clock` gives milliseconds that never run backwards.
 */
export function createRecordReader(
  client: RedisClient,
  clock: () => number = () => performance.now(),
): RecordReader {
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

  const send = isCluster(client) ? createClusterReads(client, settle) : createScriptReads(client, settle)

  function start(waitingRead: WaitingRead): void {
    if (!shared.follow(waitingRead)) {
      if (queued.length === 0) setImmediate(flush)
      queued.push(waitingRead)
    }
    waiting.push(waitingRead)
    if (!isSweeping) setTimeout(expire, sweepMs)
    isSweeping = true
  }

  function flush(): void {
    const reads = queued
    queued = []
    send(reads)
  }

  function expire(): void {
    const now = clock()
    waiting = waiting.filter((waitingRead) => {
      if (waitingRead.settle !== null && waitingRead.deadlineAt <= now)
        answer(waitingRead, { from: 'none', cause: 'deadline' })
      return waitingRead.settle !== null
    })
    isSweeping = waiting.length > 0
    if (isSweeping) setTimeout(expire, sweepMs)
  }

  return {
    read(read, deadlineAt) {
      if (read.own === null && read.control === null)
        return Promise.resolve({ from: 'none', cause: 'no-table' })
      if (client.status !== 'ready' || inFlight >= limits.readsInFlightMax)
        return Promise.resolve({ from: 'none', cause: 'store' })
      return new Promise((resolve) => {
        inFlight++
        start({ read, deadlineAt, settle: resolve, followers: null, isOver: false })
      })
    },
  }
}
