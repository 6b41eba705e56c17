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
  stop(): Promise<void>
}

/** `ownPort` 0 takes any that is free. */
export async function startTcpProxy(targetPort: number, ownPort = 0): Promise<TcpProxy> {
  const open = new Set<{ forget(): void }>()
  const sockets = new Set<Socket>()
  let connections = 0
  let swallowing = false
  const server = createServer((near) => {
    connections++
    const far = createConnection({ port: targetPort, host: '127.0.0.1' })
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
      from.on('data', (chunk) => forgotten || to.write(chunk))
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
