import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import type { RunningGateway } from '../support/studio.ts'
import { type Ask, ask, askRaw, closedAfter, type RawReply, requestText } from './client.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** The Fetch standard's protocol, as bytes; test/browser/ shows that a browser takes it for what it is. */

const path = '/recommendations'
const packed = 'application/vnd.recgate.packed'
const game = 'https://game.example'
const local = 'http://localhost:5173'
const foreign = 'https://evil.example'
const exposed = 'ETag, Recgate, Retry-After'

let studio: GamesStudio
let closed: RunningGateway
let some: RunningGateway
let anyone: RunningGateway
let token: string

beforeAll(async () => {
  studio = await startGamesStudio()
  closed = await studio.start()
  some = await studio.start({ RECGATE_CORS_ORIGINS: `${game},${local}` })
  anyone = await studio.start({ RECGATE_CORS_ORIGINS: '*' })
  token = await studio.token(1)
})

afterAll(() => studio.stop())

function valuesOf({ fields }: RawReply, pattern: RegExp): string[] {
  return fields.filter(([name]) => pattern.test(name)).map(([name, value]) => `${name}: ${value}`)
}

const corsFields = /^access-control-/i

interface Case extends Ask {
  readonly name: string
  readonly target: string
  readonly status: number
}

let cases: Case[]
beforeAll(async () => {
  const { etag } = (await ask(`${closed.data}${path}`, { token })).headers
  const strict = await studio.issuer.token({ model: 'strict', sub: 'nobody' })
  cases = [
    { name: 'JSON', target: path, status: 200, token },
    { name: 'packed', target: path, status: 200, token, headers: { Accept: packed } },
    { name: 'HEAD', target: path, status: 200, token, method: 'HEAD' },
    { name: 'unchanged', target: path, status: 304, token, headers: { 'If-None-Match': etag! } },
    { name: 'an unknown parameter', target: `${path}?x=1`, status: 400, token },
    { name: 'no token', target: path, status: 401 },
    { name: 'no such model', target: `${path}?model=other`, status: 403, token },
    { name: 'no such path', target: '/nothing', status: 404 },
    { name: 'another method', target: path, status: 405, method: 'POST' },
    { name: 'an unfit Accept', target: path, status: 406, token, headers: { Accept: 'text/html' } },
    { name: 'a long URL', target: `${path}?${'x'.repeat(limits.urlBytesMax)}`, status: 414 },
    { name: 'nothing published', target: path, status: 503, token: strict },
    { name: 'health', target: '/healthz', status: 200 },
    { name: 'OPTIONS', target: path, status: 204, method: 'OPTIONS' },
  ]
})

async function each(
  check: (one: Case, ask: (base: string, origin?: string) => Promise<RawReply>) => Promise<void>,
) {
  for (const one of cases) {
    const ask = async (base: string, origin?: string) => {
      const headers = { ...one.headers, ...(origin === undefined ? {} : { Origin: origin }) }
      const reply = await askRaw(base, one.target, { ...one, headers })
      expect({ name: one.name, status: reply.status }).toEqual({ name: one.name, status: one.status })
      return reply
    }
    await check(one, ask)
  }
}

describe('answers and errors', () => {
  test('carry, for an allowed origin, that it may read them and which headers', async () => {
    await each(async ({ name }, ask) => {
      for (const origin of [game, local])
        expect({ name, fields: valuesOf(await ask(some.data, origin), corsFields) }).toEqual({
          name,
          fields: [`Access-Control-Allow-Origin: ${origin}`, `Access-Control-Expose-Headers: ${exposed}`],
        })
    })
  })

  test('carry nothing for another origin, or for none', async () => {
    await each(async ({ name }, ask) => {
      for (const origin of [
        foreign,
        'null',
        '',
        `${game}.evil.example`,
        `${game}/`,
        'http://game.example',
        undefined,
      ])
        expect({ name, origin, fields: valuesOf(await ask(some.data, origin), corsFields) }).toEqual({
          name,
          origin,
          fields: [],
        })
    })
  })

  test('are the same bytes as without the setting, but for these fields and Vary', async () => {
    await each(async (_case, ask) => {
      const without = await ask(closed.data, game)
      for (const origin of [game, foreign, undefined]) {
        const answer = await ask(some.data, origin)
        const rest = answer.undated
          .replace(/Access-Control-[^\r]+\r\n/g, '')
          .replace(/, Origin\r\n|Vary: Origin\r\n/, (found) => (found.startsWith(',') ? '\r\n' : ''))
        expect(rest).toBe(without.undated)
      }
    })
  })

  test('vary with the origin, in one field, whoever asks', async () => {
    await each(async ({ name, status }, ask) => {
      const isAnswer = name !== 'health' && status >= 200 && (status === 200 || status === 304)
      const expected = isAnswer ? 'Vary: Accept, Authorization, Origin' : 'Vary: Origin'
      for (const origin of [game, foreign, undefined])
        expect({ name, vary: valuesOf(await ask(some.data, origin), /^vary$/i) }).toEqual({
          name,
          vary: [expected],
        })
    })
  })

  test('carry * for everybody where everybody is allowed, and vary with no origin', async () => {
    await each(async ({ name }, ask) => {
      const without = await ask(closed.data)
      for (const origin of [game, 'null', undefined]) {
        const answer = await ask(anyone.data, origin)
        expect({ name, fields: valuesOf(answer, corsFields) }).toEqual({
          name,
          fields: ['Access-Control-Allow-Origin: *', `Access-Control-Expose-Headers: ${exposed}`],
        })
        expect(valuesOf(answer, /^vary$/i)).toEqual(valuesOf(without, /^vary$/i))
      }
    })
  })

  test('without the setting: not one byte more, whatever the origin', async () => {
    await each(async (_case, ask) => {
      const without = await ask(closed.data)
      expect(valuesOf(without, corsFields)).toEqual([])
      for (const origin of [game, foreign])
        expect((await ask(closed.data, origin)).undated).toBe(without.undated)
    })
  })

  test('of what never became a request, where its origin could be read', async () => {
    const pad = { 'X-Pad': 'x'.repeat(limits.headerBytesMax) }
    for (const [origin, allowed] of [
      [game, game],
      [foreign, undefined],
    ] as const) {
      const text = requestText(path, { headers: { Origin: origin, ...pad } })
      const [reply] = await closedAfter(some.data, text)
      expect(reply).toMatchObject({ status: 431, headers: { vary: 'Origin' } })
      expect(reply!.headers['access-control-allow-origin']).toBe(allowed)
    }
    const [reply] = await closedAfter(anyone.data, 'GARBAGE\r\n\r\n')
    expect(reply!.headers).toMatchObject({ 'access-control-allow-origin': '*' })
    expect((await closedAfter(closed.data, 'GARBAGE\r\n\r\n'))[0]!.headers).not.toHaveProperty('vary')
  })

  test('two origins in one request are none', async () => {
    const text = `GET ${path} HTTP/1.1\r\nHost: a\r\nOrigin: ${game}\r\nOrigin: ${game}\r\nConnection: close\r\n\r\n`
    const [reply] = await closedAfter(some.data, text)
    expect(reply!.status).toBe(401)
    expect(reply!.headers).not.toHaveProperty('access-control-allow-origin')
  })
})

describe('a preflight', () => {
  const asked = {
    'Access-Control-Request-Method': 'GET',
    'Access-Control-Request-Headers': 'authorization,if-none-match',
  }
  const ask = (base: string, headers: Record<string, string>, target = path) =>
    askRaw(base, target, { method: 'OPTIONS', headers })

  test('needs no token, and names methods and headers', async () => {
    const reply = await ask(some.data, { Origin: local, ...asked })
    expect(reply.status).toBe(204)
    expect(reply.body).toHaveLength(0)
    expect(reply.fields.filter(([name]) => name !== 'Date')).toEqual([
      ['Allow', 'GET, HEAD, OPTIONS'],
      ['Vary', 'Origin'],
      ['Access-Control-Allow-Origin', local],
      ['Access-Control-Allow-Methods', 'GET, HEAD'],
      [
        'Access-Control-Allow-Headers',
        'Authorization, Accept, If-None-Match, Recgate-Deadline-Ms, traceparent',
      ],
      ['Access-Control-Max-Age', '7200'],
    ])
  })

  test('is the same whatever is asked for, and whatever stands in the query', async () => {
    const expected = (await ask(some.data, { Origin: game, ...asked })).undated
    for (const headers of [
      { 'Access-Control-Request-Method': 'DELETE' },
      { 'Access-Control-Request-Method': 'HEAD', Authorization: 'Bearer x.y.z' },
    ])
      expect((await ask(some.data, { Origin: game, ...headers }, `${path}?country=DE`)).undated).toBe(
        expected,
      )
  })

  test('from another origin names nothing', async () => {
    const reply = await ask(some.data, { Origin: foreign, ...asked })
    expect(reply.status).toBe(204)
    expect(valuesOf(reply, corsFields)).toEqual([])
  })

  test('is one only with an origin', async () => {
    const reply = await ask(some.data, asked)
    expect(valuesOf(reply, corsFields)).toEqual([])
  })

  test('of everybody, where everybody is allowed', async () => {
    const reply = await ask(anyone.data, { Origin: foreign, ...asked })
    expect(valuesOf(reply, /^(access-control-allow-origin|vary)$/i)).toEqual([
      'Access-Control-Allow-Origin: *',
    ])
    expect(valuesOf(reply, /credentials/i)).toEqual([])
  })

  test('leaves the connection open', async () => {
    // askRaw sends another request behind it, and throws where that isn't answered.
    expect((await ask(some.data, { Origin: game, ...asked }, '/healthz')).status).toBe(204)
    expect((await ask(some.data, { Origin: game, ...asked }, '/nothing')).status).toBe(404)
  })
})
