import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'vitest'

/** HTTP as tests need it: nothing is sent that the test didn't ask for, and every byte of the answer can be seen. */

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Ask {
  readonly method?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

export function ask(url: string, { method = 'GET', token, headers = {}, body }: Ask = {}): Promise<Reply> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      url,
      { method, agent, headers: { ...authorization, ...headers } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const { statusCode: status = 0, headers: received } = response
          resolve({ status, headers: received, body: Buffer.concat(chunks) })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

export function jsonOf(reply: Reply): Record<string, unknown> {
  return JSON.parse(reply.body.toString()) as Record<string, unknown>
}

/** Writes bytes to a socket, in pieces of so many, and reads until the server closes it. */
export function exchange(
  base: string,
  bytes: string,
  pieceBytes = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  const { hostname, port } = new URL(base)
  const whole = Buffer.from(bytes)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ port: Number(port), host: hostname, noDelay: true }, () => writeFrom(0))
    const writeFrom = (start: number): void => {
      if (start >= whole.length || socket.destroyed) return
      const end = Math.min(whole.length, start + pieceBytes)
      // The next turn of the event loop, so that the server reads between.
      socket.write(whole.subarray(start, end), () => setImmediate(() => writeFrom(end)))
    }
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
  })
}

/** The text of a request without a body; `target` is what stands behind the method. */
export function requestText(
  target: string,
  { method = 'GET', token, headers = {} }: Ask = {},
  version = '1.1',
): string {
  const fields = { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${target} HTTP/${version}\r\nHost: gateway.test\r\n${lines.join('')}\r\n`
}

/** One answer, byte for byte. */
export interface RawReply {
  readonly statusLine: string
  readonly status: number
  /** Names as they are written, in the order in which they stand. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** Head and body. */
  readonly bytes: number
  /** Everything except two values: the date's, which differs from second to second, and Retry-After's, which is random. */
  readonly undated: string
}

/** Splits what came over one socket; `methods` are those of the requests, since HEAD has no body. */
export function rawReplies(received: Buffer, methods: readonly string[]): RawReply[] {
  let rest = received
  const replies = methods.map((method) => {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error(`no complete answer in ${JSON.stringify(rest.toString())}`)
    const [statusLine = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    const fields = lines.map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    })
    const status = Number(statusLine.split(' ')[1])
    const length = fields.find(([name]) => name === 'Content-Length')?.[1]
    const bodyBytes = method === 'HEAD' || status === 304 || status === 204 ? 0 : Number(length ?? 0)
    const bytes = end + 4 + bodyBytes
    const whole = rest.subarray(0, bytes)
    rest = rest.subarray(bytes)
    const undated = whole.toString('latin1').replace(/\r\n(Date|Retry-After): [^\r]+/g, '\r\n$1:')
    return { statusLine, status, fields, body: whole.subarray(end + 4), bytes, undated }
  })
  if (rest.length > 0)
    throw new Error(`${rest.length} bytes follow the answer: ${JSON.stringify(rest.toString())}`)
  return replies
}

/** An answer over a connection that stays open: the request behind it, whose answer is dropped, closes it. */
export async function askRaw(base: string, target: string, options: Ask = {}): Promise<RawReply> {
  const last = requestText('/healthz', { headers: { Connection: 'close' } })
  const received = await exchange(base, requestText(target, options) + last)
  const [reply] = rawReplies(received, [options.method ?? 'GET', 'GET'])
  return reply!
}

/** As `ask` gives it. */
export function replyOf({ status, fields, body }: RawReply): Reply {
  return {
    status,
    headers: Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value])),
    body,
  }
}

/** Everything that comes over one connection, which the server must close; one answer for each of the methods. */
export async function closedAfter(
  base: string,
  bytes: string,
  methods: readonly string[] = ['GET'],
): Promise<Reply[]> {
  const replies = rawReplies(await exchange(base, bytes), methods).map(replyOf)
  expect(replies.at(-1)?.headers['connection']).toBe('close')
  return replies
}

/** A refusal as DESIGN has it: status, RFC 9457 body with exactly its members, headers that go with the status. */
export function expectProblem({ status, headers, body }: Reply, expected: number, code: string): void {
  const problem = JSON.parse(body.toString() || '{}') as Record<string, unknown>
  expect({ status, code: problem['code'] }).toStrictEqual({ status: expected, code })
  expect(Object.keys(problem)).toStrictEqual(['type', 'title', 'status', 'code', 'detail'])
  expect(problem['status']).toBe(expected)
  expect(headers['content-type']).toBe('application/problem+json')
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['www-authenticate']).toBe(expected === 401 ? 'Bearer' : undefined)
  if (expected === 429 || expected === 503) expect(headers['retry-after']).toMatch(/^[123]$/)
  else expect(headers).not.toHaveProperty('retry-after')
  expect(headers['allow']).toBe(expected === 405 ? 'GET, HEAD, OPTIONS' : undefined)
  expect(headers).not.toHaveProperty('etag')
  expect(headers).not.toHaveProperty('recgate')
}
