import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Authority, createAuthority } from './certificates.ts'

/** A real key server over TLS, whose every answer a test chooses, and which counts who comes. */

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface KeyServer {
  /** `https://localhost:PORT/jwks.json`, or at another host. */
  url(host?: string): string
  readonly authority: Authority
  /** TCP connections so far, whatever became of them. */
  readonly connections: () => number
  /** Of those, the ones that are open. */
  readonly open: () => number
  /** Requests that arrived whole. */
  readonly requests: () => number
  answerWith(answer: Answer): void
  /** 200 with these keys. */
  serve(...keys: readonly unknown[]): void
  /** Takes requests and never answers, until another answer is chosen. */
  hang(): void
  /** Answers those that hang as requests are answered now. */
  release(): void
  /** Nothing listens there any more, and no connection is left. */
  stop(): Promise<void>
}

export async function startKeyServer(host = '127.0.0.1'): Promise<KeyServer> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-key-server-'))
  const authority = await createAuthority(directory)
  const files = await authority.issue('keys')
  const [cert, key] = await Promise.all([readFile(files.certificate), readFile(files.key)])
  const sockets = new Set<Socket>()
  const hanging: [IncomingMessage, ServerResponse][] = []
  let [connections, requests] = [0, 0]
  const hang: Answer = (...exchange) => void hanging.push(exchange)
  let answer: Answer = hang
  const server = createServer({ cert, key }, (request, response) => {
    requests++
    answer(request, response)
  })
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: (name = 'localhost') => `https://${name}:${port}/jwks.json`,
    authority,
    connections: () => connections,
    open: () => sockets.size,
    requests: () => requests,
    answerWith(next) {
      answer = next
    },
    serve(...keys) {
      answer = (_request, response) => sendJson(response, { keys })
    },
    hang() {
      answer = hang
    },
    release() {
      for (const exchange of hanging.splice(0)) answer(...exchange)
    },
    async stop() {
      await new Promise((resolve) => {
        server.close(resolve)
        for (const socket of sockets) socket.destroy()
      })
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(value))
}
