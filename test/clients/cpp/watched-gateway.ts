import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands before a gateway, sees what a client asks it, and may do something before the client has its answer. */
export interface WatchedGateway {
  readonly url: string
  /** Since `forget`. */
  readonly seen: readonly SeenRequest[]
  forget(): void
  /** What comes between: it may wait, and may answer something else. */
  meddle(meddler: Meddler | null): void
  /** Refuses connections from then on. */
  stop(): Promise<void>
}

interface SeenRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The gateway's; the client may get another one. */
  readonly status: number
}

interface GatewayAnswer {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
  /** An answer 103 that comes before it, with these headers. */
  readonly hints?: Readonly<Record<string, string>>
}

type Meddler = (answer: GatewayAnswer, count: number) => GatewayAnswer | Promise<GatewayAnswer>

export async function watchGateway(base: string): Promise<WatchedGateway> {
  const seen: SeenRequest[] = []
  let meddler: Meddler | null = null
  const server = createServer(async (request, response) => {
    const answer = await answerOf(`${base}${request.url}`, request.headers).catch(() => null)
    if (answer === null) {
      response.destroy()
      return
    }
    seen.push({ url: request.url ?? '', headers: request.headers, status: answer.status })
    const changed = meddler === null ? answer : await meddler(answer, seen.length)
    if (response.destroyed) return
    if (changed.hints !== undefined) response.writeEarlyHints(changed.hints)
    response.writeHead(changed.status, changed.headers).end(changed.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    forget: () => void seen.splice(0),
    meddle: (next) => {
      meddler = next
    },
    async stop() {
      if (!server.listening) return
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function answerOf(url: string, headers: IncomingHttpHeaders): Promise<GatewayAnswer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { connection, ...kept } = response.headers
        resolve({ status: response.statusCode ?? 0, headers: kept, body: Buffer.concat(chunks) })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}
