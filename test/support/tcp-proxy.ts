import { createConnection, createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'

/** Stands between a client and a server, so that a network can fail as networks do. */
export interface TcpProxy {
  readonly port: number
  /** How many connections there were so far. */
  readonly connections: () => number
  /**
   * Swallows every byte of the connections that are open now, in both directions, and closes none: what a firewall
   * does that forgot them. New ones work.
   */
  forgetOpenOnes(): void
  /** As the former, also for those to come: a server that can't be reached and doesn't say so. */
  swallowAll(): void
  /** How replies travel from now on, over all connections; null: as they come. */
  setWeather(weather: Weather | null): void
  stop(): Promise<void>
}

/** What can happen to a reply on its way. */
export interface Weather {
  /** What comes in one piece arrives so much later, and never before what came before it. */
  readonly delayMs?: () => number
  /** It goes on in slices of 1 to so many bytes, each in a packet of its own. */
  readonly sliceBytesMax?: number
  /** The chance, 0 to 1, that the connection is reset before a slice, or before what comes in one piece. */
  readonly resetChance?: number
}

/** `ownPort` 0 takes any that is free. */
export async function startTcpProxy(targetPort: number, ownPort = 0): Promise<TcpProxy> {
  const open = new Set<{ forget(): void }>()
  const sockets = new Set<Socket>()
  let connections = 0
  let swallowing = false
  let weather: Weather | null = null

  /** One after the other; a socket that is closed meanwhile takes no more. */
  async function travel(chunk: Buffer, to: Socket, dueAt: number): Promise<void> {
    const { sliceBytesMax = chunk.length, resetChance = 0 } = weather ?? {}
    const heldMs = dueAt - performance.now()
    if (heldMs > 0) await pause(heldMs)
    for (let start = 0; start < chunk.length && !to.destroyed; ) {
      if (Math.random() < resetChance) {
        to.resetAndDestroy()
        return
      }
      const end = start + Math.ceil(Math.random() * sliceBytesMax)
      to.write(chunk.subarray(start, end))
      start = end
      if (start < chunk.length) await nextTurn()
    }
  }

  const server = createServer((near) => {
    connections++
    const far = createConnection({ port: targetPort, host: '127.0.0.1' })
    near.setNoDelay(true)
    far.setNoDelay(true)
    /** Replies that are on their way; null: none. */
    let travelling: Promise<void> | null = null
    const reply = (chunk: Buffer) => {
      if (weather === null && travelling === null) {
        near.write(chunk)
        return
      }
      const dueAt = performance.now() + (weather?.delayMs?.() ?? 0)
      const mine = (travelling ?? Promise.resolve()).then(() => travel(chunk, near, dueAt))
      travelling = mine
      void mine.then(() => {
        if (travelling === mine) travelling = null
      })
    }
    let forgotten = swallowing
    const pair = {
      forget: () => {
        forgotten = true
      },
    }
    open.add(pair)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (forgotten) return
        if (from === far) reply(chunk)
        else to.write(chunk)
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        open.delete(pair)
        if (!forgotten || from === near) to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(ownPort, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    connections: () => connections,
    forgetOpenOnes: () => {
      for (const pair of open) pair.forget()
    },
    swallowAll: () => {
      swallowing = true
      for (const pair of open) pair.forget()
    },
    setWeather: (next) => {
      weather = next
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Takes connections and never answers, as a process that hangs. */
export async function startSilentServer(): Promise<Pick<TcpProxy, 'port' | 'connections' | 'stop'>> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    connections: () => connections,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
