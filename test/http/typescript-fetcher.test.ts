import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFetcher, type FetcherOptions } from '../../src/clients/templates/typescript/fetcher.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf } from '../support/studio.ts'
import { startSilentServer } from '../support/tcp-proxy.ts'
import { type GeneratedModel, loadGeneratedModel } from '../support/typescript-client.ts'
import { until } from '../support/until.ts'
import { ask } from './client.ts'
import {
  gamesDefault,
  gamesModel,
  playerRecord,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** The generated fetcher and a generated decoder, against a real gateway; what no gateway says, a server of our own does. */

interface OfferQuery {
  readonly country: string
  readonly level: number
  readonly sku: string
}

const late = { ...gamesModel, default: 'none' }
const offers = {
  ...gamesModel,
  public: true,
  key: [
    { query: 'country', values: ['DE', 'Côte d’Ivoire & Mali'] },
    { query: 'level', uint: { max: 50 } },
    { query: 'sku', id: { maxBytes: 8 } },
  ],
}

let studio: GamesStudio
let gateway: RunningGateway
let shop: StudioIssuer
let games: GeneratedModel<void>
let strict: GeneratedModel<void>
let offersModel: GeneratedModel<OfferQuery>

const shopDocument = (quota?: object) => ({
  format: 1,
  tenant: 'shop-studio',
  issuers: [shop.entry()],
  ...(quota === undefined ? {} : { quota }),
  models: { games: gamesModel, late, offers },
})

beforeAll(async () => {
  studio = await startGamesStudio()
  shop = await studioIssuer('https://auth.shop.example', 'k1')
  await applyDocument(studio.tools, shopDocument())
  gateway = await studio.start()
  games = await loadGeneratedModel(shopDocument(), 'games', 'gamesModel')
  strict = await loadGeneratedModel(shopDocument(), 'late', 'lateModel')
  offersModel = await loadGeneratedModel(shopDocument(), 'offers', 'offersModel')
})
afterAll(() => studio?.stop())

/** What went over the wire. */
interface Sent {
  readonly url: string
  readonly headers: Headers
  readonly at: number
  response?: Response
}

/** The platform's fetch, watched. */
function watchedFetch(onResponse: (response: Response) => unknown = () => undefined) {
  const sent: Sent[] = []
  const watched: FetcherOptions['fetch'] = async (url, init) => {
    const request: Sent = { url, headers: new Headers(init.headers), at: performance.now() }
    sent.push(request)
    const response = await fetch(url, init)
    request.response = response
    await onResponse(response)
    return response
  }
  return { sent, fetch: watched, statuses: () => sent.map(({ response }) => response?.status) }
}

/** Longer than anything here takes. */
const patient = { deadlineMs: 60_000 }

describe('answers of a gateway', () => {
  test('come as the player’s record, with what analytics want, and as 304 while nothing changes', async () => {
    const { sent, fetch } = watchedFetch()
    const token = await studio.token(1)
    const fetcher = createFetcher(games, {
      baseUrl: `${gateway.data}/`,
      token: () => token,
      fetch,
      ...patient,
    })
    const answer = {
      record: playerRecord(1, versionSalt.itemcf),
      source: 'gateway',
      version: 'itemcf',
      reason: 'override',
      error: null,
    }
    expect(await fetcher.recommend()).toStrictEqual({ ...answer, status: 200 })
    expect(await fetcher.recommend()).toStrictEqual({ ...answer, status: 304 })
    expect(await fetcher.recommend()).toStrictEqual({ ...answer, status: 304 })
    expect(sent.map(({ url }) => url)).toStrictEqual(
      Array(3).fill(`${gateway.data}/recommendations?model=games`),
    )
    const etag = sent[0]!.response!.headers.get('etag')
    expect(sent.map(({ headers }) => Object.fromEntries(headers))).toStrictEqual([
      { authorization: `Bearer ${token}`, accept: 'application/vnd.recgate.packed' },
      ...Array(2).fill({
        authorization: `Bearer ${token}`,
        accept: 'application/vnd.recgate.packed',
        'if-none-match': etag,
      }),
    ])
  })

  test('are the caller’s own: what a game does with one stays out of all others', async () => {
    const own = await studio.start()
    const fetcher = createFetcher(games, { baseUrl: own.data, token: () => studio.token(1), ...patient })
    const spoilt = async () => {
      const { record, ...rest } = await fetcher.recommend()
      const list = (record as { games: number[] }).games
      const before = structuredClone(record)
      list.length = 0
      return { record: before, source: rest.source, status: rest.status }
    }
    const record = playerRecord(1, versionSalt.itemcf)
    expect(record.games.length).toBeGreaterThan(0)
    expect(await spoilt()).toStrictEqual({ record, source: 'gateway', status: 200 })
    expect(await spoilt()).toStrictEqual({ record, source: 'gateway', status: 304 })
    await own.gateway.stop()
    for (const _ of [1, 2]) expect(await spoilt()).toStrictEqual({ record, source: 'kept', status: null })
  })

  test('are asked for without the model’s name, and with a deadline, where that is wanted', async () => {
    const { sent, fetch } = watchedFetch()
    const fetcher = createFetcher(games, {
      baseUrl: gateway.data,
      token: () => studio.token(2),
      sendModel: false,
      gatewayDeadlineMs: 9_000,
      fetch,
      ...patient,
    })
    expect(await fetcher.recommend()).toMatchObject({ record: playerRecord(2, versionSalt.itemcf) })
    expect(sent[0]).toMatchObject({ url: `${gateway.data}/recommendations` })
    expect(sent[0]!.headers.get('Recgate-Deadline-Ms')).toBe('9000')
  })

  test('belong to their parameters, which the URL holds encoded', async () => {
    const { sent, fetch } = watchedFetch()
    const token = () => shop.token({ model: ['games', 'offers'] })
    const fetcher = createFetcher(offersModel, { baseUrl: gateway.data, token, fetch, ...patient })
    const [german, other] = [
      { country: 'DE', level: 0, sku: 'a-1._Z' },
      { country: 'Côte d’Ivoire & Mali', level: 50, sku: 'a' },
    ]
    for (const parameters of [german, other, german])
      expect(await fetcher.recommend(parameters)).toMatchObject({ record: gamesDefault, reason: 'default' })
    const queries = sent.map(({ url }) => url.split('/recommendations?')[1])
    expect(queries).toStrictEqual([
      'model=offers&country=DE&level=0&sku=a-1._Z',
      'model=offers&country=C%C3%B4te%20d%E2%80%99Ivoire%20%26%20Mali&level=50&sku=a',
      'model=offers&country=DE&level=0&sku=a-1._Z',
    ])
    expect(sent.map(({ headers }) => headers.has('If-None-Match'))).toStrictEqual([false, false, true])
  })

  test.each<[string, Partial<OfferQuery>, string]>([
    ['country', { country: 'US' }, 'country US: must be one of DE, Côte d’Ivoire & Mali'],
    ['level', { level: 51 }, 'level 51: must be a whole number from 0 to 50'],
    ['level', { level: 1.5 }, 'level 1.5: must be a whole number from 0 to 50'],
    ['sku', { sku: 'a b' }, 'sku a b: must be 1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'],
    ['sku', { sku: '123456789' }, 'sku 123456789: must be 1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'],
  ])('are not asked for where the %s does not fit', async (_, wrong, detail) => {
    const { sent, fetch } = watchedFetch()
    const fetcher = createFetcher(offersModel, { baseUrl: gateway.data, token: () => 'x', fetch, ...patient })
    expect(await fetcher.recommend({ country: 'DE', level: 1, sku: 'a', ...wrong })).toStrictEqual({
      record: gamesDefault,
      source: 'built-in',
      version: null,
      reason: 'built-in',
      status: null,
      error: { code: 'parameter-invalid', detail },
    })
    expect(sent).toStrictEqual([])
  })
})

describe.concurrent('refusals', () => {
  const expired = (more = {}) => {
    const now = Math.floor(Date.now() / 1_000)
    return studio.token(3, 'itemcf', { iat: now - 1_000, exp: now - 500, ...more })
  }

  test('token-expired: the callback is asked for another one, once', async () => {
    const asked: boolean[] = []
    const { fetch, statuses } = watchedFetch()
    const token = (refresh: boolean) => {
      asked.push(refresh)
      return refresh ? studio.token(3) : expired()
    }
    const fetcher = createFetcher(games, { baseUrl: gateway.data, token, fetch, ...patient })
    expect(await fetcher.recommend()).toMatchObject({
      record: playerRecord(3, versionSalt.itemcf),
      source: 'gateway',
      status: 200,
    })
    expect({ asked, statuses: statuses() }).toStrictEqual({ asked: [false, true], statuses: [401, 200] })
  })

  test('token-expired twice: the default record', async () => {
    const { fetch, statuses } = watchedFetch()
    const fetcher = createFetcher(games, { baseUrl: gateway.data, token: () => expired(), fetch, ...patient })
    expect(await fetcher.recommend()).toStrictEqual({
      record: gamesDefault,
      source: 'built-in',
      version: null,
      reason: 'built-in',
      status: 401,
      error: { code: 'token-expired', detail: expect.stringMatching(/expired/) },
    })
    expect(statuses()).toStrictEqual([401, 401])
  })

  test.each<[string, number, () => string | Promise<string>]>([
    ['token-invalid', 401, () => 'x.y.z'],
    ['model-not-allowed', 403, () => studio.token(1, 'itemcf', { model: 'strict' })],
    ['audience-mismatch', 401, () => studio.token(1, 'itemcf', { aud: 'somebody-else' })],
  ])('%s: never asked again', async (code, status, token) => {
    const { sent, fetch } = watchedFetch()
    const fetcher = createFetcher(games, { baseUrl: gateway.data, token, fetch, ...patient })
    expect(await fetcher.recommend()).toMatchObject({ source: 'built-in', status, error: { code } })
    expect(sent.length).toBe(1)
  })

  test('503: once more after Retry-After', async () => {
    const token = await shop.token({ model: 'late' })
    const { sent, fetch, statuses } = watchedFetch(async (response) => {
      if (response.status !== 503) return
      const columns = ['player_id', 'segment', 'hours_played', 'games', 'scores']
      const source = rowsOf(columns, [['player-1', 'casual', 1, [], []]])
      for (const version of ['popular', 'itemcf'])
        await publishRows(studio.tools, ['shop-studio', 'late', version], source)
      await until('the gateway has the table', async () => {
        return (await ask(`${gateway.data}/recommendations`, { token })).status === 200
      })
    })
    const fetcher = createFetcher(strict, { baseUrl: gateway.data, token: () => token, fetch, ...patient })
    expect(await fetcher.recommend()).toMatchObject({
      record: { segment: 'casual', hours_played: 1, games: [], scores: [] },
      source: 'gateway',
    })
    expect(statuses()).toStrictEqual([503, 200])
    const seconds = Number(sent[0]!.response!.headers.get('Retry-After'))
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(sent[1]!.at - sent[0]!.at).toBeGreaterThanOrEqual(seconds * 1_000 - 1)
  })

  test('503 again, or no time to wait: nothing is left where the model has no default record', async () => {
    for (const [deadlineMs, tries] of [
      [60_000, 2],
      [900, 1],
    ]) {
      const { sent, fetch } = watchedFetch()
      const fetcher = createFetcher(
        { ...strict, model: 'strict' },
        {
          baseUrl: gateway.data,
          token: () => studio.issuer.token({ model: 'strict', sub: 'nobody' }),
          fetch,
          deadlineMs,
        },
      )
      expect(await fetcher.recommend()).toMatchObject({
        record: null,
        source: 'none',
        version: null,
        reason: null,
        // A machine that is slow enough meets the shorter deadline before the answer.
        error: { code: expect.stringMatching(deadlineMs === 900 ? /unavailable|deadline/ : /unavailable/) },
      })
      expect(sent.length).toBe(tries)
    }
  })
})

test('429: once more after Retry-After, and what was kept stands in where that fails', async () => {
  await applyDocument(studio.tools, shopDocument({ requestsPerSecond: 0.001, burst: 1, concurrency: 9 }))
  const token = await shop.token({ model: 'games' })
  let lift = false
  const { sent, fetch, statuses } = watchedFetch(async (response) => {
    if (response.status !== 429 || !lift) return
    await applyDocument(studio.tools, shopDocument())
    await until('the gateway has no quota', async () => {
      return (await ask(`${gateway.data}/recommendations`, { token })).status === 200
    })
  })
  // The quota as the gateway has it, and spent.
  await until('the quota is spent', async () => {
    return (await ask(`${gateway.data}/recommendations`, { token })).status === 429
  })
  const fetcher = createFetcher(games, { baseUrl: gateway.data, token: () => token, fetch, ...patient })
  expect(await fetcher.recommend()).toMatchObject({
    source: 'built-in',
    status: 429,
    error: { code: 'quota-exceeded' },
  })
  expect(statuses()).toStrictEqual([429, 429])
  lift = true
  expect(await fetcher.recommend()).toMatchObject({ source: 'gateway', status: 200, error: null })
  expect(statuses()).toStrictEqual([429, 429, 429, 200])
  expect(sent[3]!.at - sent[2]!.at).toBeGreaterThanOrEqual(999)
})

describe('when the gateway is gone', () => {
  test('the kept record stands in, then the built-in one', async () => {
    const own = await studio.start()
    const token = () => studio.token(4)
    const options = { baseUrl: own.data, token, ...patient }
    const [keeping, forgetting] = [
      createFetcher(games, options),
      createFetcher(games, { ...options, useKept: false }),
    ]
    const fresh = createFetcher({ ...games, builtIn: () => null }, options)
    for (const fetcher of [keeping, forgetting])
      expect(await fetcher.recommend()).toMatchObject({ source: 'gateway' })
    await own.gateway.stop()
    const error = { code: 'network', detail: expect.stringMatching(/./) }
    expect(await keeping.recommend()).toStrictEqual({
      record: playerRecord(4, versionSalt.itemcf),
      source: 'kept',
      version: 'itemcf',
      reason: 'kept',
      status: null,
      error,
    })
    const builtIn = {
      record: gamesDefault,
      source: 'built-in',
      version: null,
      reason: 'built-in',
      status: null,
    }
    expect(await forgetting.recommend()).toStrictEqual({ ...builtIn, error })
    expect(await fresh.recommend()).toMatchObject({ record: null, source: 'none', error })
  })

  test('or hangs, nobody waits longer than the deadline; nor for a token', async () => {
    const silent = await startSilentServer()
    const baseUrl = `http://127.0.0.1:${silent.port}`
    const deadline = { source: 'built-in', status: null, error: { code: 'deadline' } }
    const hung = createFetcher(games, { baseUrl, token: () => 'x', deadlineMs: 50 })
    expect(await hung.recommend()).toMatchObject(deadline)
    const { sent, fetch } = watchedFetch()
    const never = new Promise<string>(() => undefined)
    expect(
      await createFetcher(games, { baseUrl, token: () => never, fetch, deadlineMs: 50 }).recommend(),
    ).toMatchObject(deadline)
    // Where the platform's fetch knows no signals.
    const deaf = createFetcher(games, {
      baseUrl,
      token: () => 'x',
      fetch: () => new Promise(() => undefined),
      deadlineMs: 50,
    })
    expect(await deaf.recommend()).toMatchObject(deadline)
    expect(sent).toStrictEqual([])
    await silent.stop()
  })

  test('or refuses too late, where the platform’s fetch knows no signals: nobody asks for another token', async () => {
    const asked: boolean[] = []
    let refuse: (response: Response) => void = () => undefined
    const refused = new Promise<Response>((resolve) => {
      refuse = resolve
    })
    const token = (refresh: boolean) => {
      asked.push(refresh)
      return 'x'
    }
    const options = { baseUrl: gateway.data, token, fetch: () => refused, deadlineMs: 50 }
    expect(await createFetcher(games, options).recommend()).toMatchObject({ error: { code: 'deadline' } })
    let read = false
    const body = new ReadableStream({
      pull(controller) {
        if (read) return controller.close()
        controller.enqueue(new TextEncoder().encode('{"code":"token-expired"}'))
        read = true
      },
    })
    refuse(new Response(body, { status: 401, headers: { 'Content-Type': 'application/problem+json' } }))
    await until('the refusal is read', () => read)
    // What its reader does about it comes before the next turns of the event loop.
    for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(asked).toStrictEqual([false])
  })

  test('or the callback fails, its error is told', async () => {
    const { sent, fetch } = watchedFetch()
    const token = () => Promise.reject(new Error('signed out'))
    const fetcher = createFetcher(games, { baseUrl: gateway.data, token, fetch, ...patient })
    expect(await fetcher.recommend()).toMatchObject({
      source: 'built-in',
      error: { code: 'token-callback', detail: 'signed out' },
    })
    for (const none of ['', 'two words', 'a\r\nX-Other: 1', 'ü']) {
      const wrong = createFetcher(games, { baseUrl: gateway.data, token: () => none, fetch, ...patient })
      expect(await wrong.recommend()).toMatchObject({
        source: 'built-in',
        error: { code: 'token-callback', detail: 'the callback gave no token' },
      })
    }
    expect(sent).toStrictEqual([])
  })
})

describe('what no gateway of today says', () => {
  const packedType = { 'Content-Type': 'application/vnd.recgate.packed' }
  const problemType = { 'Content-Type': 'application/problem+json' }
  /** An empty record of the games' model. */
  const record = Uint8Array.of(1, 0, 0, 0, 0)

  type Reply = readonly [status: number, headers: Record<string, string>, body?: Uint8Array | string]

  /** A server that gives these answers, one after the other, and the last one for ever. */
  async function withServer<T>(
    replies: readonly Reply[],
    work: (baseUrl: string, requests: readonly IncomingMessage[]) => Promise<T>,
  ): Promise<T> {
    const requests: IncomingMessage[] = []
    const server = createServer((request: IncomingMessage, response: ServerResponse) => {
      const [status, headers, body] = replies[Math.min(requests.length, replies.length - 1)]!
      requests.push(request)
      response.writeHead(status, headers).end(body)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  test.each<[string, Reply, string]>([
    ['a page of a proxy', [200, { 'Content-Type': 'text/html' }, '<html>'], 'answer-unexpected'],
    ['JSON', [200, { 'Content-Type': 'application/json' }, '{}'], 'answer-unexpected'],
    ['nothing', [204, {}], 'answer-unexpected'],
    ['bytes that end too early', [200, packedType, record.subarray(0, 3)], 'packed-truncated'],
    ['more than any gateway sends', [200, packedType, new Uint8Array(65_537)], 'answer-unexpected'],
    [
      'more, without saying how much',
      [200, { ...packedType, 'Transfer-Encoding': 'chunked' }, new Uint8Array(65_537)],
      'answer-unexpected',
    ],
    ['no bytes', [200, packedType], 'packed-empty'],
    ['a bad gateway', [502, { 'Content-Type': 'text/html' }, '<html>'], 'answer-unexpected'],
    ['a code to come', [410, problemType, '{"code":"model-retired","detail":"gone"}'], 'model-retired'],
    ['a problem that is none', [400, problemType, 'null'], 'answer-unexpected'],
    ['a problem that is no JSON', [400, problemType, '{'], 'answer-unexpected'],
    ['503 without Retry-After', [503, {}, ''], 'answer-unexpected'],
    [
      '503 with a date',
      [503, { ...problemType, 'Retry-After': 'Mon, 01 Jan 2035 00:00:00 GMT' }, '{"code":"busy"}'],
      'busy',
    ],
    ['304 that nobody asked for', [304, {}], 'answer-unexpected'],
    ['expired, with another status', [403, problemType, '{"code":"token-expired"}'], 'token-expired'],
  ])('%s: the default record, and never asked again', async (_, reply, code) => {
    await withServer([reply], async (baseUrl, requests) => {
      const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
      expect(await fetcher.recommend()).toMatchObject({
        record: gamesDefault,
        source: 'built-in',
        status: reply[0],
        error: { code },
      })
      expect(requests.length).toBe(1)
    })
  })

  test('reasons and members to come are passed on, or passed over', async () => {
    const headers = {
      'Content-Type': `${packedType['Content-Type']}; v=2`,
      Recgate: 'q, v=b;w=1,r=brand-new , z="1"',
    }
    await withServer([[200, headers, record]], async (baseUrl) => {
      const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
      expect(await fetcher.recommend()).toMatchObject({
        source: 'gateway',
        version: 'b',
        reason: 'brand-new',
      })
    })
    await withServer([[200, packedType, record]], async (baseUrl) => {
      const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
      expect(await fetcher.recommend()).toMatchObject({ source: 'gateway', version: null, reason: null })
    })
  })

  test('a 304 that says nothing else leaves the player in the experiment’s arm', async () => {
    const headers = { ...packedType, ETag: '"x"', Recgate: 'v=itemcf, r=split' }
    const other = { ETag: '"x"', Recgate: 'v=popular, r=override' }
    const replies: Reply[] = [
      [200, headers, record],
      [304, {}],
      [304, {}],
      [304, other],
      [304, {}],
      [500, {}],
    ]
    await withServer(replies, async (baseUrl, requests) => {
      const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
      const told: unknown[] = []
      for (const _ of replies) {
        const { source, status, version, reason } = await fetcher.recommend()
        told.push([source, status, version, reason])
      }
      expect(told).toStrictEqual([
        ['gateway', 200, 'itemcf', 'split'],
        ['gateway', 304, 'itemcf', 'split'],
        ['gateway', 304, 'itemcf', 'split'],
        ['gateway', 304, 'popular', 'override'],
        ['gateway', 304, 'popular', 'override'],
        ['kept', 500, 'popular', 'kept'],
      ])
      const asked = requests.map((request) => request.headers['if-none-match'])
      expect(asked).toStrictEqual([undefined, ...Array(5).fill('"x"')])
    })
  })

  test('a 304 where the kept record has no ETag is no answer', async () => {
    const named = { ...packedType, Recgate: 'v=itemcf, r=split' }
    await withServer(
      [
        [200, named, record],
        [304, { ETag: '"of-another"', Recgate: 'v=popular, r=split' }],
      ],
      async (baseUrl, requests) => {
        const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
        await fetcher.recommend()
        for (const _ of [1, 2])
          expect(await fetcher.recommend()).toMatchObject({
            source: 'kept',
            version: 'itemcf',
            status: 304,
            error: { code: 'answer-unexpected' },
          })
        for (const { headers } of requests) expect(headers).not.toHaveProperty('if-none-match')
      },
    )
  })

  test.each([301, 302, 303, 307, 308])('a redirect with %i is not followed', async (status) => {
    await withServer([[200, packedType, record]], async (elsewhere, strays) => {
      await withServer(
        [[status, { Location: `${elsewhere}/recommendations` }]],
        async (baseUrl, requests) => {
          const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
          expect(await fetcher.recommend()).toMatchObject({
            source: 'built-in',
            status: null,
            error: { code: 'network' },
          })
          expect({ requests: requests.length, strays: strays.length }).toStrictEqual({
            requests: 1,
            strays: 0,
          })
        },
      )
    })
  })

  test.each([200, 400])('a body of %i without end is read up to the bound, and given up', async (status) => {
    let givenUp = false
    const server = createServer((_request, response) => {
      response.on('close', () => {
        givenUp = true
      })
      response.writeHead(status, status === 200 ? packedType : problemType)
      const piece = new Uint8Array(16_384)
      const write = () => {
        while (!response.destroyed && response.write(piece));
      }
      response.on('drain', write)
      write()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const fetcher = createFetcher(games, { baseUrl, token: () => 'x', deadlineMs: 10_000 })
      expect(await fetcher.recommend()).toMatchObject({
        source: 'built-in',
        status,
        error: { code: 'answer-unexpected', detail: `${status} with more than 65536 bytes` },
      })
      await until('the connection is closed', () => givenUp)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test.each<[number, string | undefined]>([
    [5, undefined],
    [65_537, 'answer-unexpected'],
  ])('%i bytes on a platform without streams, which reads bodies whole: %s', async (length, code) => {
    const fetchWhole = async () => {
      const body = new Uint8Array(length).fill(1, 0, 1)
      return Object.defineProperty(new Response(body, { headers: packedType }), 'body', { value: undefined })
    }
    const options = { baseUrl: gateway.data, token: () => 'x', fetch: fetchWhole, ...patient }
    expect((await createFetcher(games, options).recommend()).error?.code).toBe(code)
  })

  test('a record without ETag is kept, and asked for whole', async () => {
    await withServer(
      [
        [200, packedType, record],
        [500, {}],
      ],
      async (baseUrl, requests) => {
        const fetcher = createFetcher(games, { baseUrl, token: () => 'x', ...patient })
        await fetcher.recommend()
        expect(await fetcher.recommend()).toMatchObject({
          source: 'kept',
          record: { games: [] },
          status: 500,
        })
        expect(requests[1]!.headers).not.toHaveProperty('if-none-match')
      },
    )
  })

  test('expired and busy in one go: one refresh, one wait', async () => {
    const expired: Reply = [401, problemType, '{"code":"token-expired"}']
    const busy: Reply = [503, { ...problemType, 'Retry-After': '0' }, '{"code":"busy"}']
    await withServer([busy, expired, expired], async (baseUrl, requests) => {
      const fetcher = createFetcher(games, { baseUrl, token: String, ...patient })
      expect(await fetcher.recommend()).toMatchObject({ status: 401, error: { code: 'token-expired' } })
      const tokens = requests.map(({ headers }) => headers.authorization)
      expect(tokens).toStrictEqual(['Bearer false', 'Bearer false', 'Bearer true'])
    })
    await withServer([expired, busy, [200, packedType, record]], async (baseUrl, requests) => {
      const fetcher = createFetcher(games, { baseUrl, token: String, ...patient })
      expect(await fetcher.recommend()).toMatchObject({ status: 200 })
      const tokens = requests.map(({ headers }) => headers.authorization)
      expect(tokens).toStrictEqual(['Bearer false', 'Bearer true', 'Bearer true'])
    })
  })

  test('the records of 32 sets of parameters are kept, the oldest go', async () => {
    await withServer([[200, { ...packedType, ETag: '"x"' }, record]], async (baseUrl, requests) => {
      const fetcher = createFetcher(offersModel, { baseUrl, token: () => 'x', ...patient })
      const levels = [...Array.from({ length: 33 }, (_, level) => level), 1, 0]
      for (const level of levels) await fetcher.recommend({ country: 'DE', level, sku: 'a' })
      const withEtag = requests.flatMap(({ headers }, index) =>
        headers['if-none-match'] === '"x"' ? [levels[index]] : [],
      )
      expect(requests.length).toBe(35)
      expect(withEtag).toStrictEqual([1])
    })
  })
})

test.each<[Partial<FetcherOptions>, RegExp]>([
  [{ baseUrl: 'recommendations.example' }, /^baseUrl recommendations\.example: must be http/],
  [{ baseUrl: 'https://x.example/?a=b' }, /without query and fragment/],
  [{ deadlineMs: 0 }, /^deadlineMs 0: must be above 0/],
  [{ deadlineMs: Number.NaN }, /^deadlineMs NaN/],
  [{ gatewayDeadlineMs: 4 }, /^gatewayDeadlineMs 4: must be whole, from 5/],
])('options that can not be meant throw at once: %o', (wrong, message) => {
  const options = { baseUrl: 'https://x.example', token: () => 'x', ...wrong }
  expect(() => createFetcher(games, options)).toThrow(RangeError)
  expect(() => createFetcher(games, options)).toThrow(message)
})
