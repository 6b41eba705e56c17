import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { type RunningGateway, startGateway, testSettings } from '../support/studio.ts'
import { until } from '../support/until.ts'
import {
  ask,
  askRaw,
  closedAfter,
  exchange,
  expectProblem,
  jsonOf,
  type Reply,
  rawReplies,
  replyOf,
  requestText,
} from './client.ts'
import { parseExposition } from './exposition.ts'
import { playerRecord, versionSalt } from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** What HTTP allows and forbids around a request: targets, hosts, bodies, time, connections. All of it as bytes. */

const path = '/recommendations'

let studio: GamesStudio
let gateway: RunningGateway
let token: string
/** A whole request that is answered 200, and leaves the connection open. */
let good: string

beforeAll(async () => {
  studio = await startGamesStudio()
  gateway = await studio.start()
  token = await studio.token(1)
  good = requestText(path, { token })
})

afterAll(() => studio.stop())

function expectGood(reply: Reply | undefined): void {
  expect(reply?.status).toBe(200)
  expect(jsonOf(reply!)).toMatchObject({ recommendation: playerRecord(1, versionSalt.itemcf) })
}

/** Sends the bytes and a good request behind; the connection must have stayed open for it. */
async function answeredOpen(bytes: string, method = 'GET', base = gateway.data): Promise<Reply> {
  const last = requestText('/healthz', { headers: { Connection: 'close' } })
  const [reply] = rawReplies(await exchange(base, bytes + last), [method, 'GET'])
  expect(reply!.fields.map(([name]) => name)).not.toContain('Connection')
  return replyOf(reply!)
}

/** Sends the bytes and a good request behind, which must not be answered any more. */
async function answeredLast(bytes: string, method = 'GET'): Promise<Reply> {
  const [reply] = await closedAfter(gateway.data, bytes + good, [method])
  return reply!
}

describe('the target', () => {
  const withTarget = (target: string, method = 'GET') => requestText(target, { method, token })

  test.each(['http://gateway.test', 'HTTP://other.test:8080', 'https://user@gateway.test'])(
    'in absolute form, %s, is the path in it',
    async (authority) => {
      expectGood(await answeredOpen(withTarget(authority + path)))
      expectProblem(await answeredOpen(withTarget(`${authority}${path}?x=1`)), 400, 'parameter-unknown')
      expectProblem(await answeredOpen(withTarget(authority)), 404, 'path-not-found')
      expectProblem(await answeredOpen(withTarget(`${authority}?x=1`)), 404, 'path-not-found')
      expectProblem(await answeredOpen(withTarget(authority + path, 'POST')), 405, 'method-not-allowed')
      const long = `${authority}${path}?${'x'.repeat(limits.urlBytesMax)}`
      expectProblem(await answeredOpen(withTarget(long)), 414, 'url-too-long')
    },
  )

  test.each([
    'ftp://gateway.test/recommendations',
    'recommendations',
    '*',
    'gateway.test:80',
    '?x=1',
    'http:///x',
  ])('%s is no path', async (target) => {
    expectProblem(await answeredLast(withTarget(target)), 400, 'request-malformed')
  })

  test('OPTIONS * asks about all of them', async () => {
    const reply = await answeredOpen(requestText('*', { method: 'OPTIONS' }), 'OPTIONS')
    expect(reply).toMatchObject({ status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
  })

  test.each([
    '/recommendations%00',
    '/%00',
    '/recommendations%2F',
    '/%2Frecommendations',
    '/recommendations%2f..',
    '/x/../recommendations',
    '/./recommendations',
    '//recommendations',
    '//gateway.test/recommendations',
    '/recommendations/',
    '/recommendations/%2e%2e/recommendations',
    '/healthz/',
  ])('%s is not there', async (target) => {
    expectProblem(await answeredOpen(withTarget(target)), 404, 'path-not-found')
  })

  test.each(['/%', '/%zz', '/recommendations%c0', '/%ff'])('%s can not be decoded', async (target) => {
    expectProblem(await answeredOpen(withTarget(target)), 400, 'request-malformed')
  })

  test('a URL that alone is longer than all headers may be', async () => {
    const long = `${path}?${'x'.repeat(limits.headerBytesMax + 100)}`
    for (const text of [
      requestText(long),
      good + requestText(long),
      requestText(`http://gateway.test${long}`),
    ]) {
      const methods = text.startsWith(good) ? ['GET', 'GET'] : ['GET']
      expectProblem((await closedAfter(gateway.data, text, methods)).at(-1)!, 414, 'url-too-long')
    }
    // Nearly as long, and the headers carry it over the limit.
    const nearly = requestText(`${path}?${'x'.repeat(limits.headerBytesMax - 100)}`, {
      headers: { 'X-Pad': 'x'.repeat(200) },
    })
    expectProblem(await answeredLast(nearly), 431, 'headers-too-large')
  })

  test('a URL that comes in pieces and ends beyond the limit', async () => {
    const socket = await open(gateway)
    socket.connection.write(`GET ${path}?${'x'.repeat(limits.headerBytesMax - 1_000)}`)
    await until('the first piece has been read', async () => (await connectionsOpen(gateway)) > 0)
    socket.connection.write(`${'x'.repeat(2_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await once(socket.connection, 'close')
    expectProblem(replyOf(rawReplies(socket.received(), ['GET'])[0]!), 414, 'url-too-long')
  })

  test('a parameter that is too long is named', async () => {
    const reply = await ask(`${gateway.data}${path}?model=${'m'.repeat(3_000)}&model=x`, { token })
    expectProblem(reply, 400, 'parameter-repeated')
    expect(jsonOf(reply)['detail']).toContain('"model"')
  })
})

describe('the host and the protocol', () => {
  const withHead = (lines: string, version = '1.1', target = path) =>
    `GET ${target} HTTP/${version}\r\nAuthorization: Bearer ${token}\r\n${lines}\r\n`

  test.each([
    ['none', ''],
    ['two', 'Host: a\r\nHost: b\r\n'],
    ['the same twice', 'Host: a\r\nHost: a\r\n'],
    ['a list', 'Host: a, b\r\n'],
    ['one with a space', 'Host: a b\r\n'],
    ['one with a path', 'Host: a/recommendations\r\n'],
    ['one in Latin-1', 'Host: m\xfcller\r\n'],
  ])('%s', async (_name, lines) => {
    for (const target of [path, '/healthz', '/nothing'])
      expectProblem(await answeredLast(withHead(lines, '1.1', target)), 400, 'request-malformed')
  })

  test.each(['gateway.test', 'gateway.test:8080', '127.0.0.1', '[::1]:8080', 'xn--mller-kva.example', ''])(
    'Host: %s',
    async (host) => {
      expectGood(await answeredOpen(withHead(`Host: ${host}\r\n`)))
    },
  )

  test('HTTP/1.0 needs none, is closed, and is kept where it asks', async () => {
    expectGood(await answeredLast(withHead('', '1.0')))
    const kept = withHead('Connection: keep-alive\r\n', '1.0')
    const [first, second] = await closedAfter(gateway.data, kept + withHead('', '1.0'), ['GET', 'GET'])
    expect(first!.headers['connection']).toBe('keep-alive')
    expectGood(first)
    expectGood(second)
  })

  test('HTTP/1.0 is refused in the same shapes', async () => {
    const text = 'POST /healthz HTTP/1.0\r\n\r\n'
    expectProblem(await answeredLast(text), 405, 'method-not-allowed')
    expectProblem(await answeredLast('GET /nothing HTTP/1.0\r\n\r\n'), 404, 'path-not-found')
  })

  test.each(['0.9', '2.0'])('HTTP/%s is not spoken', async (version) => {
    expectProblem(await answeredLast(withHead('Host: a\r\n', version)), 400, 'request-malformed')
  })

  test.each([
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
    ['TLS', '\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03'],
    ['a method that nobody knows', `BREW ${path} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['a method in lower case', `get ${path} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['no protocol', `GET ${path}\r\n\r\n`],
    ['a bare line feed in the head', `GET ${path} HTTP/1.1\nHost: a\n\n`],
    ['a folded header', `GET ${path} HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n`],
    ['a header without a name', `GET ${path} HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n`],
  ])('%s', async (_name, bytes) => {
    const [reply] = await closedAfter(gateway.data, bytes)
    expectProblem(reply!, 400, 'request-malformed')
  })

  test.each(['websocket', 'h2c', 'TLS/1.0'])('an upgrade to %s is passed over', async (protocol) => {
    const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: protocol, 'HTTP2-Settings': 'AAMAAABk' }
    const { connection, received } = await open(gateway)
    // One after the other: Node drops what comes in the same piece as an offer that is passed over.
    for (const count of [1, 2]) {
      connection.write(requestText(path, { token, headers }))
      await until('it is answered', () => received().toString().split('"recommendation"').length > count)
    }
    connection.end()
    for (const reply of rawReplies(received(), ['GET', 'GET'])) expectGood(replyOf(reply))
  })

  test('CONNECT: the gateway is no proxy', async () => {
    const text = 'CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\n\r\n'
    expectProblem((await closedAfter(gateway.data, text))[0]!, 405, 'method-not-allowed')
    const [first, second] = await closedAfter(gateway.data, good + text, ['GET', 'GET'])
    expectGood(first)
    expectProblem(second!, 405, 'method-not-allowed')
  })

  test('CONNECT, and the client is gone before its answer', async () => {
    const left = await studio.start()
    const text = 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'
    for (const first of ['', good.repeat(20)]) {
      const { connection } = await open(left)
      await new Promise((resolve) => connection.write(first + text + 'x'.repeat(100), resolve))
      connection.resetAndDestroy()
    }
    await until('the gateway has seen it', async () => (await connectionsOpen(left)) === 0)
    expectGood(await answeredOpen(good, 'GET', left.data))
  })

  test('TRACE gives nothing back', async () => {
    const reply = await answeredOpen(
      requestText(path, { method: 'TRACE', token, headers: { 'X-Secret': 'amber' } }),
    )
    expectProblem(reply, 405, 'method-not-allowed')
    expect(reply.body.toString()).not.toContain('amber')
  })

  test('doubled headers: none of two tokens, and no guess between two deadlines', async () => {
    const two = (field: string) => withHead(`Host: a\r\n${field}\r\n${field}\r\n`)
    expectProblem(await answeredOpen(two(`Authorization: Bearer ${token}`)), 401, 'token-invalid')
    expectProblem(await answeredOpen(two('Recgate-Deadline-Ms: 50')), 400, 'header-invalid')
  })
})

describe('a body', () => {
  const inside = 'GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n'
  const length = (bytes: number | string) => ({ 'Content-Length': String(bytes) })
  const chunked = { 'Transfer-Encoding': 'chunked' }

  test('of known length is dropped, and is no request', async () => {
    const headers = length(inside.length)
    expectGood(await answeredOpen(requestText(path, { token, headers }) + inside))
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const reply = await answeredOpen(requestText(path, { method, token, headers }) + inside, method)
      expect(reply.status).toBe(method === 'OPTIONS' ? 204 : 405)
    }
    expectProblem(
      await answeredOpen(requestText('/other', { method: 'POST', headers }) + inside),
      404,
      'path-not-found',
    )
    const most = 'x'.repeat(limits.bodyBytesDroppedMax)
    expectGood(await answeredOpen(requestText(path, { token, headers: length(most.length) }) + most))
  })

  test('of any type, or none', async () => {
    for (const type of [
      'application/json',
      'text/plain',
      'nonsense',
      '',
      'multipart/form-data; boundary=x',
    ]) {
      const headers = { 'Content-Type': type, ...length(2) }
      const text = `${requestText(path, { method: 'POST', headers })}{]`
      expectProblem(await answeredOpen(text), 405, 'method-not-allowed')
    }
  })

  test('that is large or of no known length is not waited for: the answer is the last', async () => {
    for (const headers of [length(limits.bodyBytesDroppedMax + 1), length(1e12), chunked]) {
      const sent = { token, headers }
      const [answered] = await closedAfter(gateway.data, requestText(path, sent))
      expectGood(answered)
      const [refused] = await closedAfter(gateway.data, requestText(path, { ...sent, method: 'POST' }))
      expectProblem(refused!, 405, 'method-not-allowed')
    }
  })

  test('in chunks ends with its answer, also where what follows looks like a request', async () => {
    const head = requestText(path, { token, headers: chunked })
    for (const body of ['0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '5\r\nhello\r\n0\r\nX: y\r\n\r\n'])
      expectGood(await answeredLast(head + body))
  })

  test.each([
    ['a length that no number holds', { 'Content-Length': '99999999999999999999' }],
    ['a negative length', { 'Content-Length': '-1' }],
    ['a length with a sign', { 'Content-Length': '+1' }],
    ['a list of lengths', { 'Content-Length': '1, 1' }],
    ['an encoding besides chunks', { 'Transfer-Encoding': 'chunked, gzip' }],
    ['length and chunks', { 'Content-Length': '3', ...chunked }],
    ['chunks and length', { ...chunked, 'Content-Length': '3' }],
  ])('%s is refused', async (_name, headers) => {
    for (const method of ['GET', 'POST']) {
      const text = requestText(path, { method, token, headers: headers as Record<string, string> })
      const replies = rawReplies(await exchange(gateway.data, `${text}0\r\n\r\n${inside}`), ['GET'])
      expectProblem(replyOf(replies[0]!), 400, 'request-malformed')
    }
  })

  test('in an encoding that is none ends with its answer', async () => {
    const headers = { 'Transfer-Encoding': 'xchunked' }
    expectGood(await answeredLast(`${requestText(path, { token, headers })}0\r\n\r\n`))
    const post = requestText(path, { method: 'POST', headers })
    expectProblem(await answeredLast(`${post}0\r\n\r\n`), 405, 'method-not-allowed')
  })

  test('that waits for 100 is not asked for', async () => {
    const headers = { Expect: '100-continue', ...length(5) }
    expectGood(await answeredLast(requestText(path, { token, headers })))
    const post = requestText(path, { method: 'POST', headers })
    expectProblem(await answeredLast(post), 405, 'method-not-allowed')
  })

  test('another expectation changes nothing', async () => {
    expectGood(await answeredLast(requestText(path, { token, headers: { Expect: 'the-unexpected' } })))
  })
})

describe('pipelined behind requests that wait for Redis', () => {
  const malformed = 'GARBAGE\r\n\r\n'

  test.each<[name: string, bytes: () => string, status: number, code: string]>([
    ['garbage', () => malformed, 400, 'request-malformed'],
    ['garbage, and more of it', () => malformed.repeat(50), 400, 'request-malformed'],
    ['garbage, and a good request', () => malformed + good, 400, 'request-malformed'],
    ['a request without a host', () => `GET ${path} HTTP/1.1\r\n\r\n`, 400, 'request-malformed'],
    [
      'headers that are too large',
      () => requestText(path, { headers: { 'X-Pad': 'x'.repeat(limits.headerBytesMax) } }),
      431,
      'headers-too-large',
    ],
    [
      'two lengths',
      () => requestText(path, { headers: { 'Content-Length': '1, 2' } }),
      400,
      'request-malformed',
    ],
  ])('%s: the answers come first', async (_name, bytes, status, code) => {
    for (const count of [1, 5]) {
      const methods = Array.from({ length: count + 1 }, () => 'GET')
      const replies = await closedAfter(gateway.data, good.repeat(count) + bytes(), methods)
      for (const reply of replies.slice(0, count)) expectGood(reply)
      expectProblem(replies.at(-1)!, status, code)
    }
  })

  test('whatever it is, and the client is gone', async () => {
    const left = await studio.start()
    for (const bytes of [
      '',
      malformed,
      good.slice(0, 40),
      `GET ${path} HTTP/1.1\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ])
      for (const count of [0, 1, 20]) {
        const { connection } = await open(left)
        await new Promise((resolve) => connection.write(good.repeat(count) + bytes, resolve))
        connection.resetAndDestroy()
      }
    await until('the gateway has seen it', async () => (await connectionsOpen(left)) === 0)
    expectGood(await answeredOpen(good, 'GET', left.data))
  })

  test('garbage that goes on after its refusal is refused once', async () => {
    const before = await refusals(gateway, 'request-malformed')
    // It keeps its own end open, so that the gateway reads on.
    const { connection, received } = await open(gateway, { allowHalfOpen: true })
    connection.write(malformed)
    await until('it is refused', () => received().includes('request-malformed'))
    connection.end(malformed)
    await closed(connection)
    const [reply] = rawReplies(received(), ['GET'])
    expectProblem(replyOf(reply!), 400, 'request-malformed')
    expect(await refusals(gateway, 'request-malformed')).toBe(before + 1)
  })

  test('half a request, and the end', async () => {
    const { connection, received } = await open(gateway)
    connection.end(good + good.slice(0, 40))
    await closed(connection)
    const [first, second] = rawReplies(received(), ['GET', 'GET'])
    expectGood(replyOf(first!))
    expectProblem(replyOf(second!), 400, 'request-malformed')
  })
})

interface Opened {
  readonly connection: Socket
  readonly received: () => Buffer
}

async function open({ data }: { data: string }, { allowHalfOpen = false } = {}): Promise<Opened> {
  const { hostname, port } = new URL(data)
  const connection = connect({ port: Number(port), host: hostname, allowHalfOpen })
  const chunks: Buffer[] = []
  connection.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A reset is a way to be closed.
  connection.on('error', () => undefined)
  await once(connection, 'connect')
  return { connection, received: () => Buffer.concat(chunks) }
}

/** Also by a reset, which `once` would throw. */
function closed(connection: Socket): Promise<void> {
  return new Promise((resolve) => connection.once('close', () => resolve()))
}

async function sample(
  { ops }: { ops: string },
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const families = parseExposition((await ask(`${ops}/metrics`)).body.toString())
  const fits = (own: Readonly<Record<string, string>>) =>
    Object.entries(labels).every(([label, value]) => own[label] === value)
  return families.get(name)?.samples.find((one) => fits(one.labels))?.value ?? 0
}

function connectionsOpen(from: { ops: string }): Promise<number> {
  return sample(from, metricNames.connectionsOpen.name)
}

function refusals(from: { ops: string }, code: string): Promise<number> {
  return sample(from, metricNames.refusals.name, { code })
}

describe('time', () => {
  const requestTimeoutMs = 1_000
  let hurried: RunningGateway

  beforeAll(async () => {
    hurried = await studio.start({
      RECGATE_DATA_REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
      RECGATE_DATA_KEEP_ALIVE_MS: '300',
    })
  })

  /** Sends the rest byte by byte for as long as the connection lets it. */
  async function dripping(bytes: string, rest: string): Promise<Buffer> {
    const { connection, received } = await open(hurried)
    connection.write(bytes)
    const timer = setInterval(() => connection.write(rest), requestTimeoutMs / 5)
    connection.once('end', () => clearInterval(timer))
    await closed(connection)
    clearInterval(timer)
    return received()
  }

  test.each<[name: string, bytes: () => string, rest: string]>([
    ['a request line', () => 'G', 'x'],
    ['headers', () => `GET ${path} HTTP/1.1\r\nHost: a\r\n`, 'X: y\r\n'],
    ['a header', () => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: `, 'y'],
  ])('%s that drips in: 408', async (_name, bytes, rest) => {
    const before = await refusals(hurried, 'request-timeout')
    const [line, more] = bytes() === 'G' ? ['', 'GET /'] : [bytes(), '']
    const [reply] = rawReplies(await dripping(line + more, rest), ['GET'])
    expectProblem(replyOf(reply!), 408, 'request-timeout')
    expect(replyOf(reply!).headers['connection']).toBe('close')
    expect(await refusals(hurried, 'request-timeout')).toBe(before + 1)
  })

  test('a second request that drips in: the first answer, then 408', async () => {
    const [first, second] = rawReplies(await dripping(`${good}GET ${path}?`, 'x'), ['GET', 'GET'])
    expectGood(replyOf(first!))
    expectProblem(replyOf(second!), 408, 'request-timeout')
  })

  test('a body that never comes: its request has been answered, and nothing follows', async () => {
    for (const method of ['GET', 'POST']) {
      const text = requestText(path, { method, token, headers: { 'Content-Length': '100' } })
      const [reply] = rawReplies(await dripping(text, 'x'), [method])
      expect(reply!.status).toBe(method === 'GET' ? 200 : 405)
    }
  })

  test('a connection on which nothing is sent is closed without a word', async () => {
    const before = await refusals(hurried, 'request-timeout')
    const { connection, received } = await open(hurried)
    await closed(connection)
    expect(received()).toHaveLength(0)
    expect(await refusals(hurried, 'request-timeout')).toBe(before)
  })

  test('a connection that is idle after its answer is closed without a word', async () => {
    const { connection, received } = await open(hurried)
    connection.write(good)
    await closed(connection)
    const [reply] = rawReplies(received(), ['GET'])
    expectGood(replyOf(reply!))
  })
})

describe('connections', () => {
  test('are closed after so many requests, and told so in the last answer', async () => {
    const few = await studio.start({ RECGATE_DATA_REQUESTS_PER_CONNECTION_MAX: '3' })
    for (const asked of [good, requestText('/nothing'), requestText(path, { method: 'OPTIONS' })]) {
      const replies = await closedAfter(few.data, asked.repeat(5), [
        'GET',
        'GET',
        asked.includes('OPTIONS') ? 'HEAD' : 'GET',
      ])
      expect(replies.map(({ headers }) => headers['connection'])).toEqual([undefined, undefined, 'close'])
    }
  })

  test('beyond the bound are dropped and counted; when one leaves, another may come', async () => {
    const small = await studio.start({ RECGATE_DATA_CONNECTIONS_MAX: '2' })
    const dropped = () => sample(small, metricNames.connectionsDropped.name)
    expect(await connectionsOpen(small)).toBe(0)
    const opened = [await open(small), await open(small)]
    await until('both are counted', async () => (await connectionsOpen(small)) === 2)
    expect(await dropped()).toBe(0)

    const third = await open(small)
    third.connection.write(good)
    await once(third.connection, 'close')
    expect(third.received()).toHaveLength(0)
    expect(await dropped()).toBe(1)
    expect(await connectionsOpen(small)).toBe(2)

    for (const { connection, received } of opened) {
      connection.write(good)
      await until('those that are open are served', () => received().includes('recommendation'))
      connection.end()
    }
    await until('both have left', async () => (await connectionsOpen(small)) === 0)
    expectGood(replyOf(await askRaw(small.data, path, { token })))
    expect(await dropped()).toBe(1)
  })
})

describe('/healthz', () => {
  test('GET, HEAD, OPTIONS; nothing else', async () => {
    expect((await answeredOpen(requestText('/healthz'))).body.toString()).toBe('up')
    const head = await answeredOpen(requestText('/healthz', { method: 'HEAD' }), 'HEAD')
    expect(head).toMatchObject({
      status: 200,
      headers: { 'content-length': '2', 'cache-control': 'no-store' },
    })
    const options = await answeredOpen(requestText('/healthz', { method: 'OPTIONS' }), 'OPTIONS')
    expect(options).toMatchObject({ status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } })
    expectProblem(await answeredOpen(requestText('/healthz', { method: 'POST' })), 405, 'method-not-allowed')
    expect((await answeredOpen(requestText('/healthz?verbose=1'))).body.toString()).toBe('up')
  })

  test('draining: 503 for both, each the last of its connection', async () => {
    const leaving = await startGateway(testSettings(studio.redis.url, { RECGATE_DRAIN_MS: '5000' }))
    const { connection, received } = await open(leaving)
    connection.write(requestText('/healthz'))
    await until('it is up', () => received().includes('up'))
    const stopped = leaving.gateway.stop()
    const [reply] = await closedAfter(leaving.data, requestText('/healthz'))
    expect(reply).toMatchObject({ status: 503, headers: { 'cache-control': 'no-store' } })
    expect(reply!.body.toString()).toBe('draining')
    const [head] = await closedAfter(leaving.data, requestText('/healthz', { method: 'HEAD' }), ['HEAD'])
    expect(head!.status).toBe(503)
    connection.write(good)
    await closed(connection)
    const [, last] = rawReplies(received(), ['GET', 'GET'])
    expectGood(replyOf(last!))
    await stopped
  })
})
