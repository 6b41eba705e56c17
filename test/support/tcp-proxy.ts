import { createConnection, createServer, type Socket } from 'node:net'

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
  /** What befalls the server's replies from now on, on every connection; nothing of what is left out does. */
  disturb(disturbance: Disturbance): void
  stop(): Promise<void>
}

export interface Disturbance {
  /** Each piece arrives so much later. */
  readonly delayMs?: number
  /** Each piece arrives in pieces of at most so many bytes. */
  readonly sliceBytes?: number
  /** Each so manieth piece is cut in its middle, and its connection reset. */
  readonly resetEvery?: number
}

/** `ownPort` 0 takes any that is free. */
export async function startTcpProxy(targetPort: number, ownPort = 0): Promise<TcpProxy> {
  const open = new Set<{ forget(): void }>()
  const sockets = new Set<Socket>()
  let connections = 0
  let swallowing = false
  let disturbance: Disturbance = {}
  let replies = 0

  function deliver(near: Socket, chunk: Buffer): void {
    const { sliceBytes = chunk.length, resetEvery = 0 } = disturbance
    if (resetEvery > 0 && ++replies % resetEvery === 0) {
      near.write(chunk.subarray(0, chunk.length / 2), () => near.resetAndDestroy())
      return
    }
    for (let start = 0; start < chunk.length; start += sliceBytes)
      near.write(chunk.subarray(start, start + sliceBytes))
  }

  /** Timers of one length keep their order, so that pieces do; a change of the length resets what is under way. */
  function reply(near: Socket, chunk: Buffer): void {
    const { delayMs = 0 } = disturbance
    if (delayMs === 0) deliver(near, chunk)
    else setTimeout(deliver, delayMs, near, chunk)
  }

  const server = createServer((near) => {
    connections++
    const far = createConnection({ port: targetPort, host: '127.0.0.1' })
    // Each write is a piece of its own.
    near.setNoDelay(true)
    far.setNoDelay(true)
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
      from.on('data', (chunk: Buffer) => {
        if (forgotten) return
        if (from === far) reply(near, chunk)
        else far.write(chunk)
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
    disturb(next) {
      // What was delayed would be overtaken by what isn't.
      if ((disturbance.delayMs ?? 0) > (next.delayMs ?? 0)) for (const socket of sockets) socket.destroy()
      disturbance = next
    },
    swallowAll: () => {
      swallowing = true
      for (const pair of open) pair.forget()
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
