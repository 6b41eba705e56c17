import { get } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Editions, outcomeOf } from './check-answer.ts'
import { type ConnectionEnd, type HttpConnection, openConnection } from './http-connection.ts'
import { createTally, type Tally } from './tally.ts'

/**
 * Clients that don't wait for each other: requests are due at a rate, whatever becomes of those before, and each is
 * timed from when it was due. What waits for a connection counts in full.
 */

export interface LoadOptions {
  /** Of the gateways' data planes, on loopback. */
  readonly ports: readonly number[]
  /** Null: each connection asks again as soon as it has its answer, which measures the peak. */
  readonly ratePerSecond: number | null
  readonly connectionsMax: number
  /** A client's time-out, for each try. */
  readonly giveUpMs: number
  /** Tries after the first, each at once after a time-out, a broken connection or a 5xx. */
  readonly retries: number
  /** Asked for in turn; `group` is put before its outcomes. */
  readonly players: readonly { readonly player: number; readonly token: string; readonly group?: string }[]
  readonly editions: Editions
}

interface Waiting {
  readonly index: number
  readonly dueAt: number
  triesLeft: number
  /** When this try was begun. */
  triedAt: number
}

interface Client {
  readonly connection: HttpConnection
  serving: Waiting | null
}

export interface OpenLoop {
  readonly tally: Tally
  setRate(ratePerSecond: number | null): void
  setEditions(editions: Editions): void
  /** One for each player; null: none. */
  setGroups(groups: readonly (string | null)[]): void
  /** Tries begun in each second of Unix time. */
  readonly tries: ReadonlyMap<number, number>
  counts(): {
    readonly due: number
    readonly pending: number
    /** How late the generator itself was, 99th percentile: on a busy machine part of every latency is its own. */
    readonly ownP99Ms: number
  }
  /** No more requests are due; resolves when each of those that were has its end. */
  drain(): Promise<void>
}

const unixMs = (): number => performance.timeOrigin + performance.now()

const tickMs = 1
const sweepMs = 20
/** How often a gateway that said goodbye is asked whether it is back, as a load balancer does. */
const healthMs = 100

export function startOpenLoop(options: LoadOptions): OpenLoop {
  const { ports, connectionsMax, giveUpMs, retries, players } = options
  const tally = createTally()
  const tries = new Map<number, number>()
  const requests = players.map(
    ({ token }) =>
      `GET /recommendations HTTP/1.1\r\nHost: faults\r\nAccept: application/json\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  )
  let groups: readonly (string | null)[] = players.map(({ group }) => group ?? null)
  let editions = options.editions
  let rate = options.ratePerSecond
  let [rateSince, dueSinceRate] = [unixMs(), 0]
  let [due, pending, nextPort] = [0, 0, 0]
  let isDraining = false
  let idle: Client[] = []
  const clients = new Set<Client>()
  let waiting: Waiting[] = []
  const leaving = new Set<number>()

  function issue(dueAt: number): void {
    due++
    pending++
    begin({ index: (due * 7919) % players.length, dueAt, triesLeft: retries, triedAt: dueAt })
  }

  function begin(request: Waiting): void {
    const second = Math.floor(request.triedAt / 1000)
    tries.set(second, (tries.get(second) ?? 0) + 1)
    const client = idle.shift()
    if (client !== undefined) send(client, request)
    else {
      waiting.push(request)
      if (clients.size < connectionsMax) open()
    }
  }

  function send(client: Client, request: Waiting): void {
    client.serving = request
    client.connection.send(requests[request.index]!)
  }

  function open(): void {
    const able = ports.filter((port) => !leaving.has(port))
    // With all of them away, the first one is tried: a client has no other either.
    const port = able[nextPort++ % able.length] ?? ports[0]!
    const client: Client = {
      connection: openConnection(port, {
        onOpen: () => free(client),
        onAnswer: (answer, isLast) => {
          const request = client.serving!
          client.serving = null
          const outcome = outcomeOf(answer, players[request.index]!.player, editions)
          if (isLast) leave(client)
          if (answer.status >= 500) failed(request, outcome)
          else finish(request, outcome)
          if (!isLast) free(client)
          else if (waiting.length > 0) open()
        },
        onEnd: (end) => ended(client, end),
      }),
      serving: null,
    }
    clients.add(client)
  }

  function free(client: Client): void {
    // The newest: they stand for clients each with a timer of its own. With the oldest first, every answer would be as late
    // as clients are patient, whatever the gateway did.
    const request = waiting.pop()
    if (request !== undefined) send(client, request)
    else {
      idle.push(client)
      // Of a closed loop, whose connections never rest.
      if (rate === null && !isDraining) issue(unixMs())
    }
  }

  function leave(client: Client): void {
    clients.delete(client)
    const { port } = client.connection
    if (ports.length === 1 || leaving.has(port)) return
    leaving.add(port)
    askHealth(port)
  }

  function askHealth(port: number): void {
    const again = () => setTimeout(askHealth, healthMs, port).unref()
    const request = get({ port, host: '127.0.0.1', path: '/healthz', agent: false }, (response) => {
      response.resume()
      if (response.statusCode === 200) leaving.delete(port)
      else again()
    })
    request.on('error', again)
  }

  function ended(client: Client, end: ConnectionEnd): void {
    const request = client.serving
    leave(client)
    // Nobody's request: the server may close what rests.
    if (end === 'idle') idle = idle.filter((other) => other !== client)
    else if (request !== null) failed(request, `error ${end}`)
    else if (end === 'malformed') throw new Error('a gateway answered what nobody asked')
    // Another gateway may take what this one refused: with one alone, what waits has failed.
    if (end === 'refused' && ports.length === 1)
      for (const refused of waiting.splice(0)) failed(refused, 'error refused')
    else if (waiting.length > 0 && clients.size < connectionsMax) open()
  }

  function failed(request: Waiting, outcome: string): void {
    if (request.triesLeft === 0) finish(request, outcome)
    // Not from within the failure: a gateway that refuses at once would be asked without end.
    else setImmediate(() => begin({ ...request, triesLeft: request.triesLeft - 1, triedAt: unixMs() }))
  }

  function finish({ index, dueAt }: Waiting, outcome: string): void {
    pending--
    const group = groups[index]
    tally.add(dueAt, unixMs(), group == null ? outcome : `${group}: ${outcome}`)
  }

  function tick(): void {
    if (rate === null || isDraining) return
    const now = unixMs()
    for (; rateSince + (dueSinceRate * 1000) / rate <= now; dueSinceRate++)
      issue(rateSince + (dueSinceRate * 1000) / rate)
  }

  function sweep(): void {
    const lateSince = unixMs() - giveUpMs
    for (const client of clients) {
      const request = client.serving
      if (request === null || request.triedAt > lateSince) continue
      client.connection.destroy()
      clients.delete(client)
      failed(request, 'error timeout')
    }
    const late = waiting.filter(({ triedAt }) => triedAt <= lateSince)
    if (late.length > 0) waiting = waiting.filter(({ triedAt }) => triedAt > lateSince)
    for (const request of late) failed(request, 'error timeout')
    while (waiting.length > 0 && clients.size < Math.min(connectionsMax, waiting.length)) open()
  }

  function setRate(ratePerSecond: number | null): void {
    rate = ratePerSecond
    ;[rateSince, dueSinceRate] = [unixMs(), 0]
    if (rate === null) {
      for (let resting = idle.length; resting > 0; resting--) issue(unixMs())
      while (clients.size < connectionsMax) open()
    }
  }

  const ownDelay = monitorEventLoopDelay({ resolution: tickMs })
  ownDelay.enable()
  setRate(rate)
  const timers = [setInterval(tick, tickMs), setInterval(sweep, sweepMs)]

  return {
    tally,
    tries,
    setRate,
    setEditions(next) {
      editions = next
    },
    setGroups(next) {
      groups = next
    },
    counts: () => ({ due, pending, ownP99Ms: ownDelay.percentile(99) / 1e6 - tickMs }),
    async drain() {
      isDraining = true
      while (pending > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      for (const timer of timers) clearInterval(timer)
      for (const { connection } of clients) connection.destroy()
    },
  }
}
