import { type AddressInfo, Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { limits } from '../../domain/limits.ts'

/**
 * Connections that the kernel has taken and this process hasn't: first come, first served, some 500 of them. A process
 * with too much to do takes one a turn of its event loop, so that soon each one's client has given up before it is
 * taken; it costs the work of a request all the same, which keeps the next waiting. Measured with a tenth of a core at
 * twice its peak: 0 to 11 % of the peak's answers, and the same after the load was back at half, for as long as it was
 * looked at. So where requests wait too long for their turn, or where what is taken turns out to have been left, the
 * listening socket is closed for a moment: the kernel resets what waits and refuses what comes, at no cost to this
 * process, and clients and load balancers know at once. Connections that were taken stay, and are served meanwhile.
 */

/** What a stretch of time was like. */
export interface AcceptSample {
  /** Requests, and how long before they were seen they may have come, in ms on average. */
  readonly requests: number
  readonly meanWaitMs: number
  /** Connections taken, and those that ended after a request without an answer. */
  readonly accepted: number
  readonly abandoned: number
  /** Of the stretch, 0 to 1, the event loop was at work. */
  readonly utilization: number
}

/** Whether what waits in the queue is stale, sample for sample; only what lasts for two counts, as a single stall doesn't. */
export function createAcceptJudge(waitMsMax: number): (sample: AcceptSample) => boolean {
  let wasStale = false
  return ({ meanWaitMs, accepted, abandoned, utilization }) => {
    const isLate = meanWaitMs > waitMsMax
    const isLeft =
      utilization > limits.acceptBusyMin &&
      abandoned >= limits.acceptAbandonedMin &&
      abandoned * 2 >= accepted
    const isStale = isLate || isLeft
    const lasts = isStale && wasStale
    wasStale = isStale
    return lasts
  }
}

export interface AcceptQueue {
  /** For every request, when its handling begins, in ms of `performance.now()`. */
  arrived(at: number): void
  /** Takes connections again, if it doesn't, and goes on doing so whatever comes. */
  release(): Promise<void>
}

export interface AcceptQueueOptions {
  /** Mean wait of requests for their turn above which nobody is let in. */
  readonly waitMsMax: number
  /** Called whenever the queue is emptied. */
  readonly onFlush: () => void
}

/** @param server it listens where it was made to; while the queue is being emptied it doesn't, for `acceptSampleMs` */
export function createAcceptQueue(server: Server, { waitMsMax, onFlush }: AcceptQueueOptions): AcceptQueue {
  const isStale = createAcceptJudge(waitMsMax)
  const turns = createTurnWaits()
  let address: AddressInfo | null = null
  let [accepted, abandoned] = [0, 0]
  let sampling: NodeJS.Timeout | undefined

  server.on('connection', (socket: Socket) => {
    accepted++
    socket.once('close', () => {
      if (socket.bytesRead > 0 && socket.bytesWritten === 0) abandoned++
    })
  })
  server.once('listening', () => {
    address = server.address() as AddressInfo
    sampling = setInterval(sample, limits.acceptSampleMs)
    sampling.unref()
  })

  function sample(): void {
    const stale = isStale({ ...turns.take(), accepted, abandoned })
    accepted = 0
    abandoned = 0
    if (!server.listening) open()
    else if (stale) {
      // Not Node's own for HTTP, which closes as idle what has a request that wasn't read yet.
      Server.prototype.close.call(server)
      onFlush()
    }
  }

  function open(): void {
    // Whoever has the port meanwhile may let go of it: the next sample tries again.
    server.once('error', ignore)
    server.listen({ host: address!.address, port: address!.port }, () => server.off('error', ignore))
  }

  return {
    arrived: turns.arrived,
    async release() {
      clearInterval(sampling)
      if (address === null || server.listening) return
      await new Promise<void>((resolve) => {
        server.once('listening', resolve)
        server.once('error', () => resolve())
        open()
      })
    },
  }
}

const ignore = (): void => undefined

/** How long requests may have waited for their turn of the event loop: since the last turn began, less what it slept. */
function createTurnWaits(): {
  arrived(at: number): void
  take(): Pick<AcceptSample, 'requests' | 'meanWaitMs' | 'utilization'>
} {
  let isInTurn = false
  let [turnAt, idleAtTurn, waitAtTurn] = [performance.now(), 0, 0]
  let [waitMs, requests] = [0, 0]
  let last = performance.eventLoopUtilization()
  const endTurn = () => {
    isInTurn = false
  }
  return {
    arrived(at) {
      if (!isInTurn) {
        isInTurn = true
        const idle = performance.nodeTiming.idleTime
        waitAtTurn = at - turnAt - (idle - idleAtTurn)
        turnAt = at
        idleAtTurn = idle
        setImmediate(endTurn)
      }
      waitMs += waitAtTurn + at - turnAt
      requests++
    },
    take() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      const taken = { requests, meanWaitMs: requests === 0 ? 0 : waitMs / requests, utilization }
      waitMs = 0
      requests = 0
      return taken
    },
  }
}
