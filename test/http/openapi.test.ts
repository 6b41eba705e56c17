import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { batchMediaTypes } from '../../src/domain/reasons.ts'
import { createRequestGate } from '../../src/http/data/request-gate.ts'
import { buildDataPlane } from '../../src/http/data/server.ts'
import { defaultServer, describeDataPlane } from '../../src/http/openapi/describe-data-plane.ts'
import { packageVersion } from '../../src/package-version.ts'
import { closed, createJudge, type OperationName, operationsOf } from '../support/openapi.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf } from '../support/studio.ts'
import { goodClaims } from '../support/tokens.ts'
import { batchPath, batchScope, postBatch } from './batch-client.ts'
import { type Ask, ask, exchange, jsonOf, type Reply, rawReplies, replyOf, requestText } from './client.ts'
import { gamesModel, playerId, type StudioIssuer, studioIssuer } from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** Real answers of every kind are as the document has them, and it has no kind that isn't among them. */

const document = closed(describeDataPlane({ version: packageVersion(), server: defaultServer }))
const judge = createJudge(document)
const game = 'https://game.example'
const packed = 'application/vnd.recgate.packed'
const path = '/recommendations'
const tenant = 'amber-studio'

let studio: GamesStudio
let amber: StudioIssuer
/** Without CORS, with it for one origin, and for everybody. */
let gateways: readonly RunningGateway[]
/** What no gateway can be brought to from outside. */
let busy: FastifyInstance
let failing: FastifyInstance
let draining: FastifyInstance

const plain = {
  record: gamesModel.record,
  default: 'none',
  deadlineMs: 10_000,
  versions: ['v1'],
  control: 'v1',
}
const models = {
  games: { ...gamesModel },
  other: { ...gamesModel },
  strict: { ...plain, key: [{ claim: 'sub' }], weights: { v1: 100 } },
  unpublished: { ...plain, key: [{ claim: 'sub' }], weights: { v1: 100 } },
  offers: {
    ...gamesModel,
    public: true,
    key: [{ query: 'country', values: ['DE', 'FR'] }],
  },
}

beforeAll(async () => {
  studio = await startGamesStudio()
  amber = await studioIssuer('https://auth.amber.example', 'k1')
  await applyDocument(studio.tools, { format: 1, tenant, issuers: [amber.entry()], models })
  const rows = rowsOf(
    ['sub', 'segment', 'hours_played', 'games', 'scores'],
    [[playerId(0), 'regular', 1, [1], [1]]],
  )
  await publishRows(studio.tools, [tenant, 'strict', 'v1'], rows)
  await applyDocument(studio.tools, {
    format: 1,
    tenant: 'metered',
    issuers: [amber.entry({ issuer: 'https://auth.metered.example' })],
    quota: { requestsPerSecond: 0.001, burst: 1, concurrency: 1 },
    models: { games: gamesModel },
  })
  const timeout = { RECGATE_DATA_REQUEST_TIMEOUT_MS: '1000' }
  gateways = await Promise.all([
    studio.start(timeout),
    studio.start({ ...timeout, RECGATE_CORS_ORIGINS: game }),
    studio.start({ ...timeout, RECGATE_CORS_ORIGINS: '*' }),
  ])
  busy = await startPlane({ inFlightMax: 0 })
  failing = await startPlane({ inFlightMax: 10 })
  draining = await startPlane({ inFlightMax: 10, isDraining: true })
})

afterAll(async () => {
  await Promise.all([busy, failing, draining].map((plane) => plane?.close()))
  await studio?.stop()
})

/** A data plane whose recommendations fail in a way that no code foresees. */
async function startPlane({
  inFlightMax,
  isDraining = false,
}: {
  inFlightMax: number
  isDraining?: boolean
}) {
  const plane = buildDataPlane(
    {
      recommend: () => Promise.reject(new Error('not foreseen')),
      recommendBatch: () => Promise.reject(new Error('not foreseen')),
      metrics: {
        answered: () => undefined,
        refused: () => undefined,
        batchAnswered: () => undefined,
        batchRefused: () => undefined,
      },
      gate: createRequestGate({ inFlightMax, eventLoopDelayMsMax: 60_000, eventLoopUtilizationMax: 1 }),
      isDraining: () => isDraining,
      requestLog: null,
      onUnexpected: () => undefined,
      onAcceptQueueFlushed: () => undefined,
    },
    {
      bounds: {
        requestTimeoutMs: 10_000,
        keepAliveMs: 1_000,
        connectionsMax: 100,
        requestsPerConnectionMax: 1_000,
        turnWaitMsMax: 60_000,
      },
      corsOrigins: [game],
      trustProxy: [],
    },
  )
  await plane.listen({ host: '127.0.0.1', port: 0 })
  return plane
}

const addressOf = (plane: FastifyInstance) => plane.listeningOrigin

/** One kind of answer; `expected` is its code, or its form where it is no refusal. */
interface Kind {
  readonly name: OperationName
  readonly status: number
  readonly expected: string
  readonly ask: (base: string, headers: Readonly<Record<string, string>>) => Promise<Reply>
}

/** What never becomes a request, or comes too late: one answer, and the end of the connection. */
async function broken(base: string, text: string): Promise<Reply> {
  return replyOf(rawReplies(await exchange(base, text), ['GET'])[0]!)
}

function connectionKinds(method: string, target: string): Kind[] {
  const name: OperationName = `${method.toLowerCase()} ${target}`
  const kind = (status: number, expected: string, ask: Kind['ask']): Kind => ({ name, status, expected, ask })
  const bytes = (make: (headers: Readonly<Record<string, string>>) => string): Kind['ask'] => {
    return (base, headers) => broken(base, make(headers))
  }
  return [
    kind(
      400,
      'request-malformed',
      bytes((headers) => requestText(target, { method, headers }).replace('Host: gateway.test\r\n', '')),
    ),
    kind(404, 'path-not-found', (base, headers) => ask(`${base}${target}/x`, { method, headers })),
    kind(405, 'method-not-allowed', (base, headers) => ask(base + target, { method: 'DELETE', headers })),
    kind(
      408,
      'request-timeout',
      bytes((headers) => requestText(target, { method, headers }).slice(0, -2)),
    ),
    kind(
      414,
      'url-too-long',
      bytes((headers) => requestText(`${target}?${'x'.repeat(limits.headerBytesMax)}`, { method, headers })),
    ),
    kind(
      431,
      'headers-too-large',
      bytes((headers) =>
        requestText(target, { method, headers: { ...headers, 'X-Pad': 'x'.repeat(limits.headerBytesMax) } }),
      ),
    ),
  ]
}

function recommendationKinds(method: string): Kind[] {
  const name: OperationName = `${method.toLowerCase()} ${path}`
  const now = Math.floor(Date.now() / 1000)
  const kind = (
    status: number,
    expected: string,
    claims: Record<string, unknown> | null,
    query = '',
    more: Record<string, string> = {},
  ): Kind => ({
    name,
    status,
    expected,
    async ask(base, headers) {
      const token = claims === null ? {} : { token: await amber.token(claims) }
      return ask(base + path + query, { method, ...token, headers: { ...headers, ...more } })
    },
  })
  const games = { model: 'games', sub: playerId(0) }
  const at = (plane: () => FastifyInstance, status: number, expected: string): Kind => ({
    name,
    status,
    expected,
    ask: (_base, headers) => ask(addressOf(plane()) + path, { method, headers }),
  })
  return [
    kind(200, 'application/json', games),
    kind(200, packed, games, '', { Accept: packed }),
    kind(200, 'application/json', { model: 'strict', sub: playerId(0) }, '?model=strict'),
    kind(200, 'application/json', { model: 'offers' }, '?country=DE'),
    kind(200, 'application/json', games, '', { 'Recgate-Deadline-Ms': '5000' }),
    kind(304, 'nothing', games, '', { 'If-None-Match': '*' }),
    kind(400, 'parameter-invalid', { model: 'offers' }, '?country=US'),
    kind(400, 'parameter-missing', { model: 'offers' }),
    kind(400, 'parameter-repeated', games, '?model=games&model=games'),
    kind(400, 'parameter-unknown', games, '?cuontry=DE'),
    kind(400, 'model-ambiguous', { model: ['games', 'other'] }),
    kind(400, 'header-invalid', games, '', { 'Recgate-Deadline-Ms': '4' }),
    kind(401, 'token-invalid', null),
    kind(401, 'token-expired', { ...games, exp: now - 60 }),
    kind(401, 'audience-mismatch', { ...games, aud: 'other' }),
    kind(401, 'claim-invalid', { sub: playerId(0) }),
    kind(403, 'model-not-allowed', { model: 'nothing' }),
    kind(403, 'scope-mismatch', { ...games, scope: batchScope }),
    kind(404, 'record-not-found', { model: 'strict', sub: 'nobody' }),
    kind(406, 'not-acceptable', games, '', { Accept: 'text/html' }),
    {
      name,
      status: 429,
      expected: 'quota-exceeded',
      async ask(base, headers) {
        const token = await amber.token(goodClaims('https://auth.metered.example', { model: 'games' }))
        await ask(base + path, { token })
        return ask(base + path, { method, token, headers })
      },
    },
    at(() => failing, 500, 'internal'),
    at(() => busy, 503, 'busy'),
    kind(503, 'store-unavailable', { model: 'unpublished' }),
  ]
}

function batchKinds(): Kind[] {
  const name: OperationName = `post ${batchPath}`
  const now = Math.floor(Date.now() / 1000)
  const body = { model: 'games', units: [playerId(0), 'nobody', null] }
  const service = { model: ['games', 'offers', 'strict'], scope: batchScope }
  const kind = (
    status: number,
    expected: string,
    claims: Record<string, unknown> | null,
    content: unknown = body,
    more: Record<string, string> = {},
  ): Kind => ({
    name,
    status,
    expected,
    async ask(base, headers) {
      const token = claims === null ? undefined : await amber.token(claims)
      return postBatch(base, content, { token, headers: { ...headers, ...more } })
    },
  })
  const at = (plane: () => FastifyInstance, status: number, expected: string): Kind => ({
    name,
    status,
    expected,
    ask: (_base, headers) => postBatch(addressOf(plane()), body, { headers }),
  })
  return [
    kind(200, 'application/json', service),
    kind(200, 'application/json', service, { model: 'strict', units: [playerId(0), 'nobody', { unit: 7 }] }),
    kind(200, batchMediaTypes.packed, service, body, { Accept: batchMediaTypes.packed }),
    kind(400, 'parameter-invalid', service, { model: 'offers', parameters: { country: 'US' }, units: [] }),
    kind(400, 'parameter-unknown', service, { model: 'games', parameters: { country: 'DE' }, units: [] }),
    kind(400, 'model-ambiguous', service, { units: [] }),
    kind(400, 'header-invalid', service, body, { 'Recgate-Deadline-Ms': '4' }),
    kind(400, 'body-invalid', service, '{'),
    kind(401, 'token-invalid', null),
    kind(401, 'token-expired', { ...service, exp: now - 60 }),
    kind(401, 'audience-mismatch', { ...service, aud: 'other' }),
    kind(401, 'claim-invalid', { scope: batchScope }),
    kind(403, 'model-not-allowed', service, { model: 'nothing', units: [] }),
    kind(403, 'scope-mismatch', { model: 'games' }),
    kind(406, 'not-acceptable', service, body, { Accept: packed }),
    kind(413, 'batch-too-large', service, {
      units: Array.from({ length: limits.batchUnitsMax + 1 }, () => 1),
    }),
    kind(415, 'media-type-unsupported', service, body, { 'content-type': 'text/plain' }),
    {
      name,
      status: 429,
      expected: 'quota-exceeded',
      async ask(base, headers) {
        const token = await amber.token(
          goodClaims('https://auth.metered.example', { model: 'games', scope: batchScope }),
        )
        const one = { units: [playerId(0)] }
        await postBatch(base, one, { token })
        return postBatch(base, one, { token, headers })
      },
    },
    at(() => failing, 500, 'internal'),
    at(() => busy, 503, 'busy'),
  ]
}

const preflight = { 'Access-Control-Request-Method': 'GET' }

const otherKinds: readonly Kind[] = [path, batchPath, '/healthz'].flatMap((target) => {
  const kind = (method: string, status: number, expected: string, send: Kind['ask']): Kind => ({
    name: `${method.toLowerCase()} ${target}`,
    status,
    expected,
    ask: send,
  })
  const options = (more: Ask['headers']): Kind['ask'] => {
    return (base, headers) => ask(base + target, { method: 'OPTIONS', headers: { ...headers, ...more } })
  }
  const asked = [
    kind('OPTIONS', 204, 'nothing', options({})),
    kind('OPTIONS', 204, 'nothing', options(preflight)),
  ]
  if (target !== '/healthz') return asked
  const health = ['GET', 'HEAD'].flatMap((method) => [
    kind(method, 200, 'text/plain', (base, headers) => ask(base + target, { method, headers })),
    kind(method, 503, 'text/plain', (_base, headers) =>
      ask(addressOf(draining) + target, { method, headers }),
    ),
  ])
  return [...asked, ...health]
})

const methods = ['GET', 'HEAD', 'OPTIONS']
const kinds: readonly Kind[] = [
  ...methods.flatMap((method) => connectionKinds(method, path)),
  ...methods.flatMap((method) => connectionKinds(method, '/healthz')),
  ...['POST', 'OPTIONS'].flatMap((method) => connectionKinds(method, batchPath)),
  ...batchKinds(),
  ...recommendationKinds('GET'),
  ...recommendationKinds('HEAD'),
  ...otherKinds,
]

/** The kind of an answer, as the document tells them apart. */
function kindOf({ headers, body }: Reply): string {
  if (body.length === 0) return 'nothing'
  const type = String(headers['content-type'])
  return type === 'application/problem+json' ? String(jsonOf({ status: 0, headers, body })['code']) : type
}

describe('real answers', () => {
  test.concurrent.each(kinds)('$name: $status $expected', async ({ name, status, expected, ask }) => {
    const isHead = name.startsWith('head ')
    await Promise.all(
      gateways.map(async ({ data }) => {
        const reply = await ask(data, { Origin: game })
        expect(reply.status).toBe(status)
        // What the parser refuses has no method yet: its body goes out also where nobody reads it.
        const read = isHead ? { ...reply, body: Buffer.alloc(0) } : reply
        expect(kindOf(read)).toBe(isHead ? 'nothing' : expected)
        expect(judge(name, read)).toEqual([])
      }),
    )
  })

  test('of other methods at a path that takes none of them', async () => {
    for (const target of [path, '/healthz'])
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE']) {
        const reply = await ask(gateways[0]!.data + target, { method })
        expect(reply.status).toBe(405)
        expect(judge(`get ${target}`, reply)).toEqual([])
      }
  })
})

test('the document has no kind of answer that isn’t among these', () => {
  const described = [...operationsOf(document)].flatMap(([name, { responses }]) =>
    Object.entries(responses).flatMap(([status, { content }]) => {
      if (content === undefined) return [`${name} ${status} nothing`]
      return Object.entries(content).flatMap(([type, { examples }]) =>
        type === 'application/problem+json'
          ? Object.keys(examples).map((code) => `${name} ${status} ${code}`)
          : [`${name} ${status} ${type}`],
      )
    }),
  )
  const seen = kinds.map(
    ({ name, status, expected }) => `${name} ${status} ${name.startsWith('head ') ? 'nothing' : expected}`,
  )
  expect(new Set(described)).toEqual(new Set(seen))
})

describe('a judge', () => {
  const good = { status: 200, headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' } }
  test.each([
    ['another status', { ...good, status: 201 }, 'up'],
    ['another body', good, 'down'],
    ['another type', { ...good, headers: { ...good.headers, 'content-type': 'text/html' } }, 'up'],
    ['a header too many', { ...good, headers: { ...good.headers, 'x-powered-by': 'x' } }, 'up'],
    ['a header too few', { ...good, headers: { 'content-type': 'text/plain' } }, 'up'],
    ['another value', { ...good, headers: { ...good.headers, 'cache-control': 'private' } }, 'up'],
  ])('finds %s', (_name, head, body) => {
    expect(judge('get /healthz', { ...good, body: Buffer.from('up') })).toEqual([])
    expect(judge('get /healthz', { ...head, body: Buffer.from(body) })).toHaveLength(1)
  })

  test('finds unknown codes, members and reasons', () => {
    const head = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
    const refusal = { type: 'about:blank', title: 'Bad Request', status: 400, code: 'busy', detail: '' }
    const judged = (status: number, body: object, headers: Record<string, string> = head) =>
      judge(`get ${path}`, { status, headers, body: Buffer.from(JSON.stringify(body)) })
    expect(judged(400, { ...refusal, code: 'parameter-unknown' })).toEqual([])
    expect(judged(400, refusal)).not.toEqual([])
    expect(judged(400, { ...refusal, code: 'parameter-unknown', more: 1 })).not.toEqual([])
    const answer = { model: 'games', version: 'v1', reason: 'split', recommendation: {} }
    const answerHead = {
      'content-type': 'application/json',
      'cache-control': 'private, max-age=3',
      vary: 'Accept, Authorization',
      recgate: 'v=v1, r=split',
      etag: '"GNf6u4hrLtI"',
    }
    expect(judged(200, answer, answerHead)).toEqual([])
    expect(judged(200, { ...answer, reason: 'luck' }, answerHead)).not.toEqual([])
    expect(judged(200, { ...answer, more: 1 }, answerHead)).not.toEqual([])
  })
})

describe('the admin plane', () => {
  test('has the document at /openapi.json, and the data plane has not', async () => {
    const { admin, data } = gateways[0]!
    const reply = await ask(`${admin}/openapi.json`)
    expect(reply.headers['content-type']).toMatch(/^application\/json/)
    expect(jsonOf(reply)).toStrictEqual(
      JSON.parse(JSON.stringify(describeDataPlane({ version: packageVersion(), server: defaultServer }))),
    )
    expect((await ask(`${data}/openapi.json`)).status).toBe(404)
  })

  test('asks for its token where it has one', async () => {
    const { admin } = await studio.start({ RECGATE_ADMIN_TOKEN: 'sixteen-characters' })
    expect((await ask(`${admin}/openapi.json`)).status).toBe(401)
    expect((await ask(`${admin}/openapi.json`, { token: 'sixteen-characters' })).status).toBe(200)
  })
})
