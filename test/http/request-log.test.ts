import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { ask, closedAfter, requestText } from './client.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** At `logLevel` `debug`: one line a request, which says who asked, and never with which token. */

const path = '/recommendations'

let studio: GamesStudio
let token: string

beforeAll(async () => {
  studio = await startGamesStudio()
  token = await studio.token(1)
})

afterAll(() => studio.stop())

interface Logged {
  readonly data: string
  /** Lines of requests since the last call, without level and time. */
  taken(): Record<string, unknown>[]
  readonly text: () => string
}

async function logged(level: string, settings: Record<string, string> = {}): Promise<Logged> {
  const lines: string[] = []
  let seen = 0
  const log = pino({ level, base: null, timestamp: false }, { write: (line) => void lines.push(line) })
  const { data } = await studio.start(settings, { log })
  return {
    data,
    text: () => lines.join(''),
    taken() {
      const fresh = lines.slice(seen).map((line) => JSON.parse(line) as Record<string, unknown>)
      seen = lines.length
      return fresh.filter(({ msg }) => msg === 'request').map(({ level: _level, msg: _msg, ...rest }) => rest)
    },
  }
}

describe('one line a request', () => {
  test('with status and code, but neither query nor token', async () => {
    const { data, taken, text } = await logged('debug')
    const { headers } = await ask(data + path, { token })
    await ask(`${data}${path}?model=games`, { token, headers: { 'if-none-match': headers.etag! } })
    await ask(`${data}${path}?country=amber`, { token })
    await ask(`${data}${path}?access_token=${token}`)
    await ask(data + path, { method: 'POST', token })
    await ask(`${data}/healthz?${token}`)
    await ask(data + path, { method: 'OPTIONS' })
    await ask(`${data}/${token}?x`)
    const line = { client: '127.0.0.1', method: 'GET', path, code: null, durationMs: expect.any(Number) }
    const lines = taken()
    expect(lines).toEqual([
      { ...line, status: 200 },
      { ...line, status: 304 },
      { ...line, status: 400, code: 'parameter-unknown' },
      { ...line, status: 401, code: 'token-invalid' },
      { ...line, method: 'POST', status: 405, code: 'method-not-allowed' },
      { ...line, path: '/healthz', status: 200 },
      { ...line, method: 'OPTIONS', status: 204 },
      {
        ...line,
        path: `/${token.slice(0, limits.loggedPathCharactersMax - 1)}…`,
        status: 404,
        code: 'path-not-found',
      },
    ])
    expect(lines[0]!['durationMs']).toBeGreaterThan(0)
    for (const secret of ['amber', token.split('.')[1]!, token.split('.')[2]!])
      expect(text()).not.toContain(secret)
  })

  test('also where there was none that could be parsed, or that HTTP forbids', async () => {
    const { data, taken } = await logged('debug')
    await closedAfter(data, `GARBAGE ${token}\r\n\r\n`)
    await closedAfter(data, `GET ${path} HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n\r\n`)
    const refused = { client: '127.0.0.1', status: 400, code: 'request-malformed', durationMs: 0 }
    expect(taken()).toEqual([
      { ...refused, method: null, path: null },
      { ...refused, method: 'GET', path },
    ])
  })

  test('none at info', async () => {
    const { data, taken } = await logged('info')
    await ask(data + path, { token })
    await ask(`${data}/nothing`)
    await closedAfter(data, 'GARBAGE\r\n\r\n')
    expect(taken()).toEqual([])
  })
})

describe('the client', () => {
  /** What the line says of a request with this `X-Forwarded-For`. */
  async function clientFor({ data, taken }: Logged, forwarded: string): Promise<unknown> {
    taken()
    await ask(data + path, { token, headers: { 'x-forwarded-for': forwarded } })
    return taken()[0]!['client']
  }

  test('is the peer, whatever is forwarded, where no proxy is trusted', async () => {
    const plain = await logged('debug')
    for (const forwarded of ['192.0.2.1', '127.0.0.1, 192.0.2.1', token])
      expect(await clientFor(plain, forwarded)).toBe('127.0.0.1')
    const others = await logged('debug', { RECGATE_TRUST_PROXY: '10.0.0.0/8,::1' })
    expect(await clientFor(others, '192.0.2.1')).toBe('127.0.0.1')
  })

  test('is the last address that no trusted proxy has', async () => {
    const trusting = await logged('debug', { RECGATE_TRUST_PROXY: '127.0.0.1,10.0.0.0/8,2001:db8::/32' })
    for (const [forwarded, client] of [
      ['192.0.2.1', '192.0.2.1'],
      ['192.0.2.1, 10.1.2.3', '192.0.2.1'],
      ['192.0.2.1, 2001:db8::7, 10.1.2.3', '192.0.2.1'],
      // What stands before the address that the outermost proxy saw is the client's own invention.
      ['8.8.8.8, 192.0.2.1', '192.0.2.1'],
      ['10.9.9.9, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
      ['8.8.8.8, 11.0.0.1', '11.0.0.1'],
      ['10.1.2.3', '10.1.2.3'],
      ['2001:db9::1', '2001:db9::1'],
    ] as const)
      expect({ forwarded, client: await clientFor(trusting, forwarded) }).toEqual({ forwarded, client })
  })

  test('is never text that is no address', async () => {
    const trusting = await logged('debug', { RECGATE_TRUST_PROXY: '127.0.0.0/8' })
    for (const forwarded of [token, 'unknown', '192.0.2.1:4711', '_hidden', ',', 'localhost'])
      expect({ forwarded, client: await clientFor(trusting, forwarded) }).toEqual({
        forwarded,
        client: '127.0.0.1',
      })
    expect(trusting.text()).not.toContain(token)
  })

  test('decides nothing: no answer and no header follows from what is forwarded', async () => {
    const trusting = await logged('debug', { RECGATE_TRUST_PROXY: '127.0.0.1' })
    const forged = {
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'for=10.0.0.1;host=evil.example',
    }
    const text = (headers: Record<string, string>) =>
      requestText(path, { token, headers: { ...headers, Connection: 'close' } })
    const [plain] = await closedAfter(trusting.data, text({}))
    const [with_] = await closedAfter(trusting.data, text(forged))
    expect({ ...with_, headers: { ...with_!.headers, date: '' } }).toEqual({
      ...plain,
      headers: { ...plain!.headers, date: '' },
    })
  })
})
