import { connect, createServer, type Socket } from 'node:net'

/** A way to a server that can be shut and opened again on the same port: an outage that loses no data. */
export interface Gate {
  /** The server's URL, by way of the gate. */
  readonly url: string
  /** Cuts every connection, and refuses new ones. */
  shut(): Promise<void>
  open(): Promise<void>
}

/** Shut at first. `close` it by `shut`. */
export async function createGate(targetUrl: string): Promise<Gate> {
  const target = new URL(targetUrl)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.pipe(other)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  const shut = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy()
      if (server.listening) server.close(() => resolve())
      else resolve()
    })
  const port = await listen(0)
  await shut()
  const url = new URL(targetUrl)
  url.port = String(port)
  return { url: url.href, shut, open: () => listen(port).then(() => undefined) }
}
