import type { Redis } from 'ioredis'
import { limits } from '../domain/limits.ts'
import { createTurningClock } from './turning-clock.ts'

/** How often connections are looked at. */
const lookMs = 50

/** What ioredis keeps from those who use it. */
interface Owing {
  readonly commandQueue: { readonly length: number }
}

/** Since when a connection that owes answers has given no byte. */
interface Silence {
  readonly bytesRead: number
  /** By the turning clock. */
  readonly since: number
}

/** Ends the connections of reads that owe answers and say nothing: whatever waits for them fails, and they are made anew. */
export interface SilenceWatch {
  /** Reads are asked for that are given so long: from now on a connection may take as long to answer them. */
  given(ms: number): void
  /** For good. */
  stop(): void
}

/**
 * A connection may be silent for as long as the longest of the reads is given that were asked for lately, and for
 * `limits.silenceMsMin` at least; while it is being connected, for `limits.greetingSilenceMsMin`.
 *
 * ioredis' own `socketTimeout` knows one duration for all, and is a plain timer: Node runs those before it reads sockets, so
 * that a process which stood still for as long ends its connections although the answers lie there. Here replies that
 * have arrived are read before a connection is judged, and time in which this process stood still is nobody's silence.
 * Nothing is done for a command: ioredis' queue tells whether answers are due.
 */
export function watchSilence(connections: () => readonly Redis[]): SilenceWatch {
  const turning = createTurningClock(() => performance.now())
  const patience = createPatience(() => performance.now())
  const silences = new WeakMap<Redis['stream'], Silence>()
  let timer: NodeJS.Timeout

  function lookLater(): void {
    turning.expect(performance.now() + lookMs)
    timer = setTimeout(() => {
      turning.fired()
      lookLater()
      setImmediate(look)
    }, lookMs)
    timer.unref()
  }

  function look(): void {
    const now = turning.now()
    const patienceMs = patience.ms()
    for (const connection of connections()) {
      const { stream, status } = connection
      const { commandQueue } = connection as unknown as Owing
      if (status !== 'ready' && status !== 'connect') continue
      const silence = silences.get(stream)
      if (commandQueue.length === 0) silences.delete(stream)
      else if (silence?.bytesRead !== stream.bytesRead)
        silences.set(stream, { bytesRead: stream.bytesRead, since: now })
      else {
        const leastMs = status === 'ready' ? limits.silenceMsMin : limits.greetingSilenceMsMin
        // The same words each time: the log has one line for a reason.
        if (now - silence.since >= Math.max(patienceMs, leastMs))
          stream.destroy(new Error('the server is silent while answers are due'))
      }
    }
  }

  lookLater()
  return { given: patience.given, stop: () => clearTimeout(timer) }
}

/**
 * The longest that reads were given lately: for as long as any of them can wait, and twice that at most. Not of those
 * under way alone, since a connection that is being made anew has none, and must be waited for as they would be.
 */
function createPatience(clock: () => number) {
  let changedAt = clock()
  let [before, since] = [0, 0]
  return {
    given(ms: number): void {
      if (ms > since) since = Math.min(ms, limits.deadlineMsMax)
    },
    ms(): number {
      if (clock() - changedAt >= limits.deadlineMsMax) {
        changedAt = clock()
        ;[before, since] = [since, 0]
      }
      return Math.max(before, since)
    },
  }
}
