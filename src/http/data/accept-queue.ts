import { type AddressInfo, connect, Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { limits } from '../../domain/limits.ts'

/**
 * Connections that the kernel has taken and this process hasn't: first come, first served, some 500 of them. A process
 * with too much to do takes one a turn of its event loop, so that soon each one's client has given up before it is
 * taken; it costs the work of a request all the same, which keeps the next waiting. Measured with a tenth of a core at
 * twice its peak: 0 to 11 % of the peak's answers, and the same after the load was back at half, for as long as it was
 * looked at. So where requests wait too long for their turn, or newcomers to be taken, the listening socket is closed for
 * a moment: the kernel resets what waits and refuses what comes, at no cost to this process, and clients and load
 * balancers know at once. Connections that were taken are served meanwhile; where there are so many that their requests
 * wait too long, each ends with its next answer, until they don't.
 *
 * No system tells how long a connection has waited. A busy process asks by one of its own, which stands in the same queue
 * as all: what strangers do after they were taken, or that they leave early, says nothing of the queue.
 */

/** What a stretch of time was like. */
export interface AcceptSample {
  /** Its end, in ms on a clock that never runs backwards. */
  readonly at: number
  /** How long before they were seen requests may have come, in ms on average. */
  readonly meanWaitMs: number
  /** How long a connection waited to be taken, in ms; so far, where it waits still. */
  readonly acceptWaitMs: number
}

/** What is to be done about it. */
export interface AcceptVerdict {
  /** Reset what waits to be accepted. */
  readonly emptiesQueue: boolean
  /** Let the next answer on each connection that was accepted be its last. */
  readonly endsConnections: boolean
}

const asEver: AcceptVerdict = { emptiesQueue: false, endsConnections: false }

/**
 * What is to be done, sample for sample. The queue is to be emptied where it has been stale for as long as clients have
 * patience. A stall, or a crowd that comes at once, is over sooner, and who waits in it is served. While an overload
 * lasts that was found so, two stale samples in a row are enough. And where it is requests that wait, there are too many
 * connections.
 */
export function createAcceptJudge(waitMsMax: number): (sample: AcceptSample) => AcceptVerdict {
  let staleSince: number | null = null
  let emptiedAt = Number.NEGATIVE_INFINITY
  return ({ at, meanWaitMs, acceptWaitMs }) => {
    if (Math.max(meanWaitMs, acceptWaitMs) <= waitMsMax) {
      staleSince = null
      return asEver
    }
    if (staleSince === null) {
      staleSince = at
      return asEver
    }
    const isOverload = at - emptiedAt <= limits.acceptOverloadMs
    if (!isOverload && at - staleSince < limits.acceptStaleMs) return asEver
    emptiedAt = at
    return { emptiesQueue: true, endsConnections: meanWaitMs > waitMsMax }
  }
}

export interface AcceptQueue {
  /** For every request, when its handling begins, in ms of `performance.now()`. */
  arrived(at: number): void
  /** Whether there are too many connections, so that each may have one more answer. */
  endsConnections(): boolean
  /** Takes connections again, if it doesn't, and goes on doing so whatever comes. */
  release(): Promise<void>
}

export interface AcceptQueueOptions {
  /** Wait of requests for their turn, on average, or of a newcomer, above which nobody is let in. */
  readonly waitMsMax: number
  /** Called whenever the queue is emptied. */
  readonly onFlush: () => void
}

/**
 * @param server has its `maxConnections`, and listens where it was made to; while the queue is being emptied it doesn't,
 * for `acceptSampleMs`
 */
export function createAcceptQueue(server: Server, { waitMsMax, onFlush }: AcceptQueueOptions): AcceptQueue {
  const judge = createAcceptJudge(waitMsMax)
  const turns = createTurnWaits()
  const newcomer = createNewcomer(server)
  let address: AddressInfo | null = null
  let sampling: NodeJS.Timeout | undefined
  let endsConnections = false

  server.once('listening', () => {
    address = server.address() as AddressInfo
    sampling = setInterval(sample, limits.acceptSampleMs)
    sampling.unref()
  })

  function sample(): void {
    const { meanWaitMs, utilization } = turns.take()
    const verdict = judge({ at: performance.now(), meanWaitMs, acceptWaitMs: newcomer.take() })
    endsConnections = verdict.endsConnections
    if (!server.listening) open()
    else if (verdict.emptiesQueue) {
      // Not Node's own for HTTP, which closes as idle what has a request that wasn't read yet.
      Server.prototype.close.call(server)
      newcomer.leave()
      onFlush()
    } else if (utilization > limits.acceptBusyMin)
      server.getConnections((_, connections) => {
        // Where as many may wait as there are places, it would take somebody's, or be counted as one that was dropped.
        if (connections + limits.acceptQueueMax < server.maxConnections) newcomer.come(address!)
      })
  }

  function open(): void {
    // Whoever has the port meanwhile may let go of it: the next sample tries again.
    server.once('error', ignore)
    server.listen({ host: address!.address, port: address!.port })
  }
  server.on('listening', () => server.off('error', ignore))

  return {
    arrived: turns.arrived,
    endsConnections: () => endsConnections,
    async release() {
      clearInterval(sampling)
      newcomer.leave()
      if (address === null || server.listening) return
      await new Promise<void>((resolve) => {
        server.once('listening', resolve)
        server.once('error', () => resolve())
        open()
      })
    },
  }
}

/** One connection of the process to itself at a time, which says nothing and is over when it has been taken. */
function createNewcomer(server: Server): {
  come(to: AddressInfo): void
  /** The wait of the last one, in ms, once; 0 where there was none. */
  take(): number
  leave(): void
} {
  let socket: Socket | null = null
  let cameAt = 0
  let waitedMs = 0
  const leave = () => {
    socket?.destroy()
    socket = null
  }
  server.on('connection', ({ remotePort }: Socket) => {
    if (socket === null || socket.localPort !== remotePort) return
    waitedMs = performance.now() - cameAt
    leave()
  })
  return {
    come({ address, port }) {
      if (socket !== null) return
      cameAt = performance.now()
      const own = connect(port, anyAddress.get(address) ?? address)
      socket = own
      own.unref()
      // Refused at the door, or dropped as one connection too many: nothing is known then.
      own.on('error', ignore).once('close', () => {
        if (socket === own) socket = null
      })
    },
    take() {
      const taken = socket === null ? waitedMs : performance.now() - cameAt
      waitedMs = 0
      return taken
    },
    leave,
  }
}

const anyAddress: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

const ignore = (): void => undefined

/** How long requests may have waited for their turn of the event loop: since the last turn began, less what it slept. */
function createTurnWaits(): {
  arrived(at: number): void
  /** Since it was asked last; `utilization` is the part of it, 0 to 1, that the event loop was at work. */
  take(): { readonly meanWaitMs: number; readonly utilization: number }
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
      const taken = { meanWaitMs: requests === 0 ? 0 : waitMs / requests, utilization }
      waitMs = 0
      requests = 0
      return taken
    },
  }
}
