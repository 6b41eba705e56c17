import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Between a client and Redis: hands commands on one by one, so that something can happen right after the nth. */
export interface CommandProxy {
  readonly url: string
  /** The commands handed on so far, by name. */
  readonly names: readonly string[]
  /** Hands on what it held back, and everything from then on. */
  resume(): void
  close(): Promise<void>
}

/** @param onCommand called with the number of commands handed on, from 1; true holds back all that follow. */
export async function startCommandProxy(
  redisUrl: string,
  onCommand: (count: number) => boolean,
): Promise<CommandProxy> {
  const { hostname, port, pathname } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  const names: string[] = []
  const waiting: (() => void)[] = []
  let isHolding = false

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.pipe(client)
    let rest: Buffer = Buffer.alloc(0)
    const handOn = () => {
      while (!isHolding) {
        const end = commandEnd(rest)
        if (end === -1) return
        names.push(nameOf(rest))
        upstream.write(rest.subarray(0, end))
        rest = rest.subarray(end)
        isHolding = onCommand(names.length)
      }
      waiting.push(handOn)
    }
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      handOn()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    names,
    resume() {
      isHolding = false
      for (const handOn of waiting.splice(0)) handOn()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Where the first command of RESP 2, an array of bulk strings, ends; -1: it isn't whole. */
function commandEnd(bytes: Buffer): number {
  const head = bytes.indexOf('\r\n')
  if (head === -1) return -1
  let end = head + 2
  for (let left = Number(bytes.toString('latin1', 1, head)); left > 0; left--) {
    const line = bytes.indexOf('\r\n', end)
    if (line === -1) return -1
    end = line + 2 + Number(bytes.toString('latin1', end + 1, line)) + 2
  }
  return end <= bytes.length ? end : -1
}

function nameOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, 64).split('\r\n')[2]?.toUpperCase() ?? ''
}
