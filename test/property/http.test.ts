import { connect } from 'node:net'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchPath, batchScope, packedBatch } from '../http/batch-client.ts'
import { ask, jsonOf } from '../http/client.ts'
import { type GamesStudio, startGamesStudio } from '../http/games-studio.ts'

/** Whatever comes over the wire: no 5xx, no crash, no token in the log, and the next request is answered. */

const path = '/recommendations'

let studio: GamesStudio
let data: string
let token: string
/** Of a game server: its bodies are read. */
let service: string
const log: string[] = []

beforeAll(async () => {
  studio = await startGamesStudio()
  token = await studio.token(1)
  service = await studio.issuer.token({ sub: 'game-server', model: 'games', scope: batchScope })
  const sink = pino({ level: 'debug' }, { write: (line) => void log.push(line) })
  const settings = { RECGATE_DATA_REQUEST_TIMEOUT_MS: '5000', RECGATE_TRUST_PROXY: '127.0.0.1' }
  ;({ data } = await studio.start(
    { ...settings, RECGATE_CORS_ORIGINS: 'https://game.example' },
    { log: sink },
  ))
})

afterAll(() => studio.stop())

/** Ends whatever head the bytes left open, and asks to be closed. */
const last = Buffer.from('\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')

const asksForUpgrade = /\nUpgrade:/i

/** Writes the bytes, and reads until the gateway closes. */
function sent(bytes: Uint8Array): Promise<Buffer> {
  const { hostname, port } = new URL(data)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.concat([bytes, last])))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    // Node drops what comes in one piece with a request to change the protocol: such a client waits for its answer.
    if (asksForUpgrade.test(Buffer.from(bytes).toString('latin1')))
      socket.once('data', () => socket.write(last))
    // A reset is an end, too.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

const allowed = [200, 204, 304, 400, 401, 403, 404, 405, 406, 408, 413, 414, 415, 431]
const seen = new Set<number>()

/** Every answer in what came has a status of the closed list, and none is a fault of the gateway's own. */
function expectNoFault(received: Buffer): void {
  const text = received.toString('latin1')
  expect(text).toMatch(/^HTTP\/1\.1 \d{3} /)
  // No body holds such a line: requests are not quoted.
  for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
    expect(allowed).toContain(Number(status))
    seen.add(Number(status))
  }
}

async function expectAlive(): Promise<void> {
  const reply = await ask(data + path, { token })
  expect(reply.status).toBe(200)
  // Whichever rung of the ladder answers: a machine that is busy elsewhere may stall Redis.
  expect(jsonOf(reply)).toMatchObject({ model: 'games', version: 'itemcf' })
  const [, payload = '', signature = ''] = token.split('.')
  const written = log.splice(0).join('')
  for (const part of [payload, signature]) expect(written).not.toContain(part)
  // Nothing that the gateway calls an error.
  expect(written).not.toMatch(/"level":[56]0/)
}

const bytes = (text: string) => Buffer.from(text, 'latin1')
const latin = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
const visible = fc.string({ unit: 'grapheme-ascii', maxLength: 40 })
/** Pieces that a parser decides by, mixed with noise. */
const pieces = fc.oneof(
  latin,
  visible,
  fc.constantFrom(
    '\r\n',
    '\n',
    '\r\n\r\n',
    ' ',
    ':',
    '?',
    '&',
    '=',
    '%',
    '%00',
    '%zz',
    '/',
    '*',
    '#',
    '\0',
    '\t',
    ',',
  ),
  fc.constantFrom(
    'GET',
    'HEAD',
    'OPTIONS',
    'POST',
    'TRACE',
    'CONNECT',
    'PRI',
    'BREW',
    'HTTP/1.1',
    'HTTP/1.0',
    'HTTP/2.0',
  ),
  fc.constantFrom(path, '/healthz', '/nothing', 'http://a/recommendations', 'Host: a', 'Connection: close'),
  fc.constantFrom(
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    '0\r\n\r\n',
    'Expect: 100-continue',
    'Upgrade: h2c',
  ),
)

const name = fc.oneof(
  fc.constantFrom(
    'Host',
    'Accept',
    'Authorization',
    'If-None-Match',
    'Recgate-Deadline-Ms',
    'Origin',
    'Connection',
  ),
  fc.constantFrom(
    'X-Forwarded-For',
    'Content-Length',
    'Transfer-Encoding',
    'Expect',
    'Upgrade',
    'Content-Type',
    'TE',
  ),
  fc.constantFrom('accept-version', '__proto__', 'constructor', 'Access-Control-Request-Method', 'Cookie'),
  fc.string({ unit: fc.constantFrom(...'abcXYZ-_!#$%&019'), minLength: 1, maxLength: 12 }),
)
const value = fc.oneof(
  visible,
  latin,
  fc.constantFrom(
    '',
    '*',
    '*/*',
    'application/json',
    'close',
    'keep-alive',
    'Upgrade',
    'chunked',
    '100-continue',
    '0',
    '7',
  ),
  fc.constantFrom(
    '-1',
    '1e9',
    '18446744073709551616',
    'https://game.example',
    '::1',
    '10.0.0.1, 10.0.0.2',
    'W/"x", "y"',
  ),
  fc.constant('TOKEN'),
)
const method = fc.constantFrom(
  'GET',
  'GET',
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'DELETE',
  'TRACE',
  'QUERY',
  'PROPFIND',
)

/** Bearer tokens as they are, and in places where they don't belong. */
function withToken(text: string): string {
  return text.replaceAll('TOKEN', token)
}

async function check<T>(
  arbitrary: fc.Arbitrary<T>,
  toBytes: (value: T) => Uint8Array,
  runs: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitrary, { minLength: 5, maxLength: 20 }), async (batch) => {
      for (const received of await Promise.all(batch.map((one) => sent(toBytes(one)))))
        expectNoFault(received)
      await expectAlive()
    }),
    { numRuns: runs },
  )
}

describe('the gateway stands', () => {
  test('raw bytes', async () => {
    await check(fc.uint8Array({ maxLength: 2_000 }), (raw) => raw, 30)
  }, 60_000)

  test('pieces of HTTP in any order', async () => {
    await check(fc.array(pieces, { maxLength: 30 }), (parts) => bytes(parts.join('')), 30)
  }, 60_000)

  test('good requests with some bytes changed', async () => {
    const change = fc.record({ at: fc.nat(600), byte: fc.integer({ min: 0, max: 255 }) })
    const changed = (changes: { at: number; byte: number }[]) => {
      const head = `GET ${path}?model=games HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nAuthorization: Bearer ${token}\r\n\r\n`
      const raw = bytes(head.repeat(2))
      for (const { at, byte } of changes) raw[at % raw.length] = byte
      return raw
    }
    await check(fc.array(change, { minLength: 1, maxLength: 4 }), changed, 40)
  }, 60_000)

  test('any method, target and headers', async () => {
    const target = fc.oneof(
      fc.constantFrom(path, path, '/healthz', '*', `http://a${path}`, `${path}?model=games`, '/TOKEN'),
      fc.string({ unit: 'grapheme-ascii', maxLength: 60 }).map((text) => `/${text.replaceAll(' ', '+')}`),
    )
    const headers = fc.array(fc.tuple(name, value), { maxLength: 8 })
    const authorized = fc.constantFrom(
      '',
      'Authorization: Bearer TOKEN\r\n',
      'Host: a\r\nAuthorization: Bearer TOKEN\r\n',
    )
    const request = fc.tuple(method, target, fc.constantFrom('1.1', '1.1', '1.0'), authorized, headers)
    await check(
      request,
      ([verb, to, version, first, fields]) => {
        const lines = fields.map(([field, content]) => `${field}: ${content.replaceAll(/[\r\n]/g, '')}\r\n`)
        return bytes(withToken(`${verb} ${to} HTTP/${version}\r\n${first}${lines.join('')}\r\n`))
      },
      60,
    )
  }, 60_000)

  test('any query, with a good token', async () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }).map(encodeSafely),
      visible.map((text) => text.replaceAll(/[\s#]/g, '')),
      fc.constantFrom(
        'model',
        'model=games',
        'model[]',
        '__proto__',
        'constructor',
        '%',
        '%00',
        '%c3%28',
        '&',
        '=',
        '&&',
        '?',
        '+',
      ),
      fc.constant('TOKEN'),
    )
    await check(
      fc.array(part, { maxLength: 8 }),
      (parts) =>
        bytes(
          withToken(
            `GET ${path}?${parts.join('')} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer TOKEN\r\n\r\n`,
          ),
        ),
      60,
    )
  }, 60_000)

  test('any body of a batch, in one piece and in chunks, whole and not', async () => {
    const unit = fc.oneof(
      fc.string(),
      fc.jsonValue(),
      fc.record({ unit: fc.jsonValue(), claims: fc.jsonValue() }),
    )
    const content = fc.oneof(
      fc.array(unit, { maxLength: 5 }).map((units) => JSON.stringify({ units })),
      fc.jsonValue().map((json) => JSON.stringify(json)),
      latin,
      fc.constantFrom(
        '',
        '{',
        '[',
        '{"units":[',
        `{"units":[${'"x",'.repeat(1_001)}"x"]}`,
        'x'.repeat(300_000),
      ),
    )
    const framing = fc.constantFrom('length', 'length', 'chunks', 'short', 'long', 'broken')
    const type = fc.constantFrom('application/json', 'application/json', 'text/plain', '/', '')
    await check(
      fc.record({ content, framing, type, accept: fc.constantFrom('*/*', packedBatch, 'x/y') }),
      ({ content: text, framing: how, type: contentType, accept }) => {
        const body = Buffer.from(text)
        const size = body.length + (how === 'short' ? -1 : how === 'long' ? 1 : 0)
        const isChunked = how === 'chunks' || how === 'broken'
        const head = [
          `POST ${batchPath} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${service}`,
          `Content-Type: ${contentType}\r\nAccept: ${accept}`,
          isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${Math.max(0, size)}`,
        ].join('\r\n')
        const before = isChunked ? `${body.length.toString(16)}\r\n` : ''
        const after = how === 'chunks' && body.length > 0 ? '\r\n0\r\n\r\n' : ''
        return Buffer.concat([Buffer.from(`${head}\r\n\r\n${before}`), body, Buffer.from(after)])
      },
      40,
    )
  }, 60_000)

  test('and all of that reached what it was meant for', () => {
    expect([...seen]).toEqual(expect.arrayContaining([200, 204, 400, 401, 404, 405, 413, 415]))
  })
})

/** Lone surrogates can't be encoded; they come as they would from a careless client. */
function encodeSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
