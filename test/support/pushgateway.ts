import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A real HTTP server in the place of a Pushgateway, which keeps what it was sent; a test chooses its answers. */

interface Push {
  readonly method: string
  /** As it was sent. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type PushAnswer = (response: ServerResponse) => void

export interface StandInPushgateway {
  readonly url: string
  /** What came since this was called last. */
  taken(): readonly Push[]
  /** 200 until a test says something else. */
  answerWith(answer: PushAnswer): void
  stop(): Promise<void>
}

const accept: PushAnswer = (response) => void response.writeHead(200).end()

export async function startPushgateway(): Promise<StandInPushgateway> {
  const pushes: Push[] = []
  let answer = accept
  const server = createServer(async (request, response) => {
    const body = await textOf(request).catch(() => null)
    if (body === null) return
    const { method = '', url: path = '', headers } = request
    pushes.push({ method, path, headers, body })
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken: () => pushes.splice(0),
    answerWith(next) {
      answer = next
    },
    async stop() {
      await new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      })
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}
