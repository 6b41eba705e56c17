import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { limits } from '../../src/domain/limits.ts'
import { testRedis } from '../support/redis.ts'
import {
  applyDocument,
  publishRows,
  type RunningGateway,
  rowsOf,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { until } from '../support/until.ts'
import {
  ask,
  askRaw,
  exchange,
  expectProblem,
  jsonOf,
  type RawReply,
  rawReplies,
  requestText,
} from './client.ts'
import {
  gamesDefault,
  gamesModel,
  gamesRecord,
  gamesRows,
  playerId,
  playerRecord,
  range,
  type StudioIssuer,
  studioIssuer,
} from './games.ts'

const tenant = 'steam-studio'
const packed = 'application/vnd.recgate.packed'
const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))
const path = '/recommendations'

/** Both versions hold the same rows, but itemcf has none of the last player's. */
const players = range(20)
const cold = 19
const salt = 3

const titles = [
  ['player-ascii', 'plain'],
  ['player-latin', 'Käse – größer'],
  ['player-wide', '推薦 🎮 "quoted" \\ \u0001'],
  ['player-empty', ''],
] as const

let redis: LocalRedis
let tools: Tools
let gateway: RunningGateway
let issuer: StudioIssuer

function tenantDocument(weights: Record<string, number>) {
  const title = {
    key: [{ claim: 'sub' }],
    record: {
      title: { type: 'string', maxBytes: 64 },
      note: { type: 'string', maxBytes: 8, optional: true },
    },
    default: { title: 'nothing' },
    maxAgeSeconds: 5,
    deadlineMs: 10_000,
    versions: ['v2_x-y'],
    control: 'v2_x-y',
    weights: { 'v2_x-y': 100 },
  }
  return {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    claims: { version: 'arm' },
    models: { games: { ...gamesModel, weights }, twin: gamesModel, titles: title },
  }
}

async function publishGames(indexes = players): Promise<void> {
  for (const model of ['games', 'twin']) {
    await publishRows(tools, [tenant, model, 'popular'], gamesRows(indexes, salt))
    await publishRows(tools, [tenant, model, 'itemcf'], gamesRows(indexes.slice(0, cold), salt))
  }
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  await applyDocument(tools, tenantDocument({ popular: 50, itemcf: 50 }))
  await publishGames()
  const rows = titles.map(([sub, title]) => [sub, title, null])
  await publishRows(tools, [tenant, 'titles', 'v2_x-y'], rowsOf(['sub', 'title', 'note'], rows))
  gateway = await startGateway(testSettings(redis.url))
})

afterAll(async () => {
  await gateway.gateway.stop()
  tools.close()
  await redis.stop()
})

/** A token for a player's record of one version, reason `override`. */
function armToken(index: number, arm: string, more: Record<string, unknown> = {}): Promise<string> {
  return issuer.token({ model: 'games', sub: playerId(index), arm, ...more })
}

function sorted(fields: RawReply['fields']): string[] {
  return fields.map(([name, value]) => (name === 'Date' ? name : `${name}: ${value}`)).sort()
}

async function etagOf(
  token: string,
  headers: Record<string, string> = {},
  base = gateway.data,
): Promise<string> {
  const reply = await ask(base + path, { token, headers })
  expect(reply.status).toBe(200)
  return String(reply.headers.etag)
}

describe('the head', () => {
  test('of a JSON answer: these fields and no other', async () => {
    const token = await armToken(4, 'itemcf')
    const reply = await askRaw(gateway.data, path, { token })
    expect(reply.statusLine).toBe('HTTP/1.1 200 OK')
    expect(sorted(reply.fields)).toStrictEqual([
      'Cache-Control: private, max-age=300',
      `Content-Length: ${reply.body.length}`,
      'Content-Type: application/json',
      'Date',
      expect.stringMatching(/^ETag: "[\w-]{11}"$/),
      'Recgate: v=itemcf, r=override',
      'Vary: Accept, Authorization',
    ])
  })

  test('of a packed answer: these fields and no other, at most 290 bytes with the body', async () => {
    for (const index of [0, 3, 4, 13, cold]) {
      const token = await armToken(index, 'itemcf')
      const reply = await askRaw(gateway.data, path, { token, headers: { Accept: packed } })
      expect(sorted(reply.fields)).toStrictEqual([
        'Cache-Control: private, max-age=300',
        `Content-Length: ${reply.body.length}`,
        `Content-Type: ${packed}`,
        'Date',
        expect.stringMatching(/^ETag: "[\w-]{11}"$/),
        `Recgate: v=itemcf, r=${index === cold ? 'sibling' : 'override'}`,
        'Vary: Accept, Authorization',
      ])
      expect(reply.body.equals(codec.encode({ ...playerRecord(index, salt) }))).toBe(true)
      expect(reply.bytes).toBeLessThanOrEqual(290)
    }
  })

  test('of a refusal: these fields and no other', async () => {
    const reply = await askRaw(gateway.data, path)
    expect(sorted(reply.fields)).toStrictEqual([
      'Cache-Control: no-store',
      `Content-Length: ${reply.body.length}`,
      'Content-Type: application/problem+json',
      'Date',
      'WWW-Authenticate: Bearer',
    ])
  })

  test('HTTP/1.1 that asks to close is told so, and closed', async () => {
    const token = await armToken(0, 'popular')
    const text = requestText(path, { token, headers: { Connection: 'close' } })
    const [reply] = rawReplies(await exchange(gateway.data, text), ['GET'])
    expect(sorted(reply!.fields)).toContain('Connection: close')
    expect(JSON.parse(reply!.body.toString())).toHaveProperty('recommendation')
  })

  test('HTTP/1.0 is closed, unless it asks to stay open', async () => {
    const token = await armToken(0, 'popular')
    const closing = requestText(path, { token }, '1.0')
    const [closed] = rawReplies(await exchange(gateway.data, closing), ['GET'])
    expect(sorted(closed!.fields)).toContain('Connection: close')
    expect(closed!.status).toBe(200)
    const staying = requestText(path, { token, headers: { Connection: 'keep-alive' } }, '1.0')
    const [stayed, last] = rawReplies(await exchange(gateway.data, staying + closing), ['GET', 'GET'])
    // HTTP/1.0 implies nothing: it has to be said.
    expect(sorted(stayed!.fields)).toContain('Connection: keep-alive')
    expect(last!.body.equals(stayed!.body)).toBe(true)
  })

  test('Recgate is a dictionary of RFC 8941', async () => {
    const forms: [claims: Record<string, unknown>, expected: Record<string, string>][] = [
      [
        { model: 'games', sub: playerId(0), arm: 'itemcf' },
        { v: 'itemcf', r: 'override' },
      ],
      [
        { model: 'games', sub: playerId(cold), arm: 'itemcf' },
        { v: 'itemcf', r: 'sibling' },
      ],
      [
        { model: 'games', sub: 'nobody', arm: 'popular' },
        { v: 'popular', r: 'default' },
      ],
      [
        { model: 'titles', sub: 'player-wide' },
        { v: 'v2_x-y', r: 'split' },
      ],
    ]
    for (const [claims, expected] of forms) {
      const reply = await ask(gateway.data + path, { token: await issuer.token(claims) })
      expect(parseDictionary(String(reply.headers['recgate']))).toStrictEqual(expected)
    }
  })

  test('Cache-Control: the model’s age, a short one where a better answer may come soon', async () => {
    const ages: [claims: Record<string, unknown>, seconds: number][] = [
      [{ model: 'games', sub: playerId(0), arm: 'itemcf' }, 300],
      [{ model: 'games', sub: playerId(0) }, 300],
      [{ model: 'games', sub: playerId(cold), arm: 'itemcf' }, 300],
      [{ model: 'games', sub: 'nobody' }, 10],
      [{ model: 'titles', sub: 'player-ascii' }, 5],
      [{ model: 'titles', sub: 'nobody' }, 5],
    ]
    for (const [claims, seconds] of ages) {
      const token = await issuer.token(claims)
      for (const headers of [{}, { Accept: packed }])
        expect((await ask(gateway.data + path, { token, headers })).headers['cache-control']).toBe(
          `private, max-age=${seconds}`,
        )
    }
  })
})

/** RFC 8941, 3.2: members whose values are tokens, without parameters. */
function parseDictionary(text: string): Record<string, string> {
  const member = /^([a-z*][a-z0-9_\-.*]*)=([A-Za-z*][\w!#$%&'*+\-.^`|~:/]*)$/
  const entries = text.split(/[ \t]*,[ \t]*/).map((part) => {
    const [, key, value] = member.exec(part) ?? []
    if (key === undefined || value === undefined) throw new Error(`no member of a dictionary: ${part}`)
    return [key, value] as const
  })
  return Object.fromEntries(entries)
}

describe('the body', () => {
  test('of JSON is what the codec says of the stored bytes', async () => {
    for (const index of players) {
      const token = await armToken(index, 'popular')
      const bits = await ask(gateway.data + path, { token, headers: { accept: packed } })
      const json = await ask(gateway.data + path, { token })
      const { recommendation, ...rest } = jsonOf(json)
      expect(rest).toStrictEqual({ model: 'games', version: 'popular', reason: 'override' })
      expect(recommendation).toStrictEqual(codec.decode(bits.body))
      expect(recommendation).toStrictEqual(JSON.parse(codec.toJsonText(bits.body)))
      expect(recommendation).toStrictEqual(playerRecord(index, salt))
    }
  })

  test.each(titles)('of %s: %j, with its length in bytes', async (sub, title) => {
    const token = await issuer.token({ model: 'titles', sub })
    const reply = await askRaw(gateway.data, path, { token })
    expect(JSON.parse(reply.body.toString('utf8'))).toStrictEqual({
      model: 'titles',
      version: 'v2_x-y',
      reason: 'split',
      recommendation: { title },
    })
  })

  test('of the default record', async () => {
    const token = await issuer.token({ model: 'games', sub: 'nobody' })
    expect(jsonOf(await ask(gateway.data + path, { token }))).toMatchObject({
      reason: 'default',
      recommendation: gamesDefault,
    })
    const bits = await ask(gateway.data + path, { token, headers: { accept: packed } })
    expect(codec.decode(bits.body)).toStrictEqual(gamesDefault)
  })
})

describe('ETag', () => {
  test('differs by format, model, version, reason and body', async () => {
    const split = { model: 'games', sub: playerId(1) }
    const { reason, version } = jsonOf(await ask(gateway.data + path, { token: await issuer.token(split) }))
    expect(reason).toBe('split')
    // The version that the player has anyway: only the reason differs.
    const override = { ...split, arm: version }
    const variants: Record<string, unknown>[] = [
      split,
      override,
      { ...override, model: 'twin' },
      { ...override, arm: version === 'popular' ? 'itemcf' : 'popular' },
      { ...override, sub: playerId(2) },
      { model: 'games', sub: playerId(cold), arm: 'itemcf' },
      { model: 'games', sub: playerId(cold), arm: 'popular' },
      { model: 'games', sub: 'nobody', arm: 'popular' },
      { model: 'games', sub: 'nobody', arm: 'itemcf' },
    ]
    const etags: string[] = []
    for (const claims of variants) {
      const token = await issuer.token(claims)
      etags.push(await etagOf(token), await etagOf(token, { accept: packed }))
    }
    expect(new Set(etags).size).toBe(variants.length * 2)
  })

  test('is the same for the same answer, whoever asks', async () => {
    const token = await issuer.token({ model: 'games', sub: 'nobody', arm: 'popular' })
    const other = await issuer.token({ model: 'games', sub: 'nobody-else', arm: 'popular' })
    expect(await etagOf(token)).toBe(await etagOf(other))
  })

  test('stays over a republish of the same row, a new catalog revision and another gateway', async () => {
    const tokens = [
      await armToken(5, 'itemcf'),
      await issuer.token({ model: 'games', sub: playerId(cold), arm: 'itemcf' }),
    ]
    const headers = [{}, { accept: packed }]
    const all = async (base?: string) => {
      const etags: string[] = []
      for (const token of tokens) for (const more of headers) etags.push(await etagOf(token, more, base))
      return etags
    }
    const before = await all()
    const snapshot = () => gateway.gateway.snapshots.current()!.tenants.get(tenant)!
    const generation = () => snapshot().models.get('games')!.versions.get('itemcf')!.table!.generation
    const { revision } = snapshot()
    const old = generation()
    // Without one other row: a table with the same content isn't published again.
    await publishRows(tools, [tenant, 'games', 'itemcf'], gamesRows(players.slice(1, cold), salt))
    const applied = await applyDocument(tools, tenantDocument({ popular: 40, itemcf: 60 }))
    await until('the gateway has the republished tables', () => snapshot().revision === applied)
    expect(generation()).toBeGreaterThan(old)
    expect(applied).toBe(revision + 2)
    expect(await all()).toStrictEqual(before)
    const another = await startGateway(testSettings(redis.url))
    try {
      expect(await all(another.data)).toStrictEqual(before)
    } finally {
      await another.gateway.stop()
    }
  })
})

describe('If-None-Match', () => {
  let token: string
  let etag: string
  beforeAll(async () => {
    token = await armToken(6, 'itemcf')
    etag = await etagOf(token)
  })

  test('304: the head of a 200 without what describes a body, and no body', async () => {
    const reply = await askRaw(gateway.data, path, { token, headers: { 'If-None-Match': etag } })
    expect(reply.statusLine).toBe('HTTP/1.1 304 Not Modified')
    expect(sorted(reply.fields)).toStrictEqual([
      'Cache-Control: private, max-age=300',
      'Date',
      `ETag: ${etag}`,
      'Recgate: v=itemcf, r=override',
      'Vary: Accept, Authorization',
    ])
  })

  test.each<[name: string, header: (etag: string) => string, status: number]>([
    ['the tag', (tag) => tag, 304],
    ['a weak one', (tag) => `W/${tag}`, 304],
    ['any', () => '*', 304],
    ['a list', (tag) => `"other", ${tag}`, 304],
    ['a list of weak ones without spaces', (tag) => `W/"other",W/${tag},"more"`, 304],
    ['a list with empty members', (tag) => `, ,\t${tag} ,`, 304],
    ['another tag', () => '"AAAAAAAAAAA"', 200],
    ['a list of others', () => '"AAAAAAAAAAA", W/"BBBBBBBBBBB"', 200],
    ['no quotes', (tag) => tag.slice(1, -1), 200],
    ['the beginning', (tag) => `${tag.slice(0, 6)}"`, 200],
    ['a weak mark in lower case', (tag) => `w/${tag}`, 200],
    ['any in quotes', () => '"*"', 200],
    ['nothing', () => '', 200],
  ])('%s', async (_name, header, status) => {
    for (const method of ['GET', 'HEAD']) {
      const headers = { 'if-none-match': header(etag) }
      const reply = await ask(gateway.data + path, { method, token, headers })
      expect({ method, status: reply.status }).toStrictEqual({ method, status })
      expect(reply.headers.etag).toBe(etag)
      expect(reply.body.length > 0).toBe(status === 200 && method === 'GET')
    }
  })

  test('the tag of one format is not the other’s', async () => {
    const headers = { 'if-none-match': etag, accept: packed }
    expect((await ask(gateway.data + path, { token, headers })).status).toBe(200)
  })

  test('only after the whole request has been authorised', async () => {
    const refused: [
      status: number,
      code: string,
      token: string,
      more: Record<string, string>,
      query: string,
    ][] = [
      [401, 'token-invalid', `${token.slice(0, -8)}AAAAAAAA`, {}, ''],
      [401, 'token-expired', await armToken(6, 'itemcf', { exp: 1 }), {}, ''],
      [403, 'model-not-allowed', await armToken(6, 'itemcf', { model: 'nothing' }), {}, ''],
      [400, 'parameter-unknown', token, {}, '?x=1'],
      [406, 'not-acceptable', token, { accept: 'text/html' }, ''],
    ]
    for (const [status, code, bearer, more, query] of refused)
      for (const tag of [etag, '*']) {
        const headers = { 'if-none-match': tag, ...more }
        expectProblem(await ask(gateway.data + path + query, { token: bearer, headers }), status, code)
      }
  })

  test('a changed row is sent again', async () => {
    const rows = gamesRows(players.slice(0, cold), salt + 1)
    await publishRows(tools, [tenant, 'games', 'itemcf'], rows)
    const headers = { 'if-none-match': etag }
    await until(
      'the new row is served',
      async () => (await ask(gateway.data + path, { token, headers })).status === 200,
    )
    const reply = await ask(gateway.data + path, { token, headers })
    expect(reply.headers.etag).not.toBe(etag)
    expect(jsonOf(reply)).toMatchObject({ recommendation: playerRecord(6, salt + 1) })
    await publishRows(tools, [tenant, 'games', 'itemcf'], gamesRows(players.slice(0, cold), salt))
    await until(
      'the old row is back',
      async () => (await ask(gateway.data + path, { token, headers })).status === 304,
    )
  })
})

describe('HEAD', () => {
  test('is GET without the body, answers and refusals alike', async () => {
    const requests: { query: string; token?: string; headers?: Record<string, string> }[] = [
      { query: '', token: await armToken(7, 'itemcf') },
      { query: '', token: await armToken(7, 'itemcf'), headers: { Accept: packed } },
      { query: '', token: await issuer.token({ model: 'titles', sub: 'player-wide' }) },
      { query: '?x=1', token: await armToken(7, 'itemcf') },
      { query: '' },
    ]
    for (const { query, ...options } of requests) {
      const get = await askRaw(gateway.data, path + query, options)
      const head = await askRaw(gateway.data, path + query, { ...options, method: 'HEAD' })
      expect(head.statusLine).toBe(get.statusLine)
      expect(sorted(head.fields)).toStrictEqual(sorted(get.fields))
      expect(sorted(head.fields)).toContain(`Content-Length: ${get.body.length}`)
      expect(head.body).toHaveLength(0)
    }
  })

  test('of /healthz', async () => {
    const head = await askRaw(gateway.data, '/healthz', { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.body).toHaveLength(0)
  })
})

describe('Accept', () => {
  test.each<[accept: string | undefined, expected: string | null]>([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    [`application/json;charset=UTF-8;q=0.5, ${packed}`, packed],
    ['application/json', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['text/html, application/xhtml+xml, */*;q=0.8', 'application/json'],
    [packed, packed],
    [packed.toUpperCase(), packed],
    [`application/json;q=0.5, ${packed}`, packed],
    [`application/json;q=0.9,${packed};q=0.8`, 'application/json'],
    [`${packed};q=0.5, */*;q=0.1`, packed],
    [`${packed};q=0.5, */*`, 'application/json'],
    [`*/*;q=0.1, ${packed}`, packed],
    ['application/json;q=0, */*', packed],
    [`application/json;q=0.000, ${packed};q=0.001`, packed],
    ['text/html', null],
    ['application/xml', null],
    ['text/*', null],
    ['application/json;q=0', null],
    ['*/*;q=0', null],
    [`${packed};q=0, text/html`, null],
    ['application/vnd.recgate.packed2', null],
    ['nonsense', null],
  ])('%s', async (accept, expected) => {
    const headers: Record<string, string> = accept === undefined ? {} : { accept }
    // The second answer comes from what was weighed for the first.
    for (const _ of [1, 2]) {
      const reply = await ask(gateway.data + path, { token: await armToken(8, 'itemcf'), headers })
      if (expected === null) expectProblem(reply, 406, 'not-acceptable')
      else expect(reply).toMatchObject({ status: 200, headers: { 'content-type': expected } })
    }
  })

  test('that is too long admits nothing, whatever it says', async () => {
    const token = await armToken(8, 'itemcf')
    const ofLength = (characters: number) => ({ accept: `${packed}, `.padEnd(characters, 'x/y,') })
    const longest = await ask(gateway.data + path, { token, headers: ofLength(limits.acceptCharactersMax) })
    expect(longest).toMatchObject({ status: 200, headers: { 'content-type': packed } })
    const longer = await ask(gateway.data + path, {
      token,
      headers: ofLength(limits.acceptCharactersMax + 1),
    })
    expectProblem(longer, 406, 'not-acceptable')
  })
})

describe('the connection', () => {
  test('OPTIONS needs no token, and names the methods', async () => {
    const reply = await askRaw(gateway.data, path, { method: 'OPTIONS' })
    expect(reply.status).toBe(204)
    expect(sorted(reply.fields)).toStrictEqual(['Allow: GET, HEAD, OPTIONS', 'Date'])
    // No origin is allowed unless settings name one.
    const headers = { Origin: 'https://game.example', 'Access-Control-Request-Method': 'GET' }
    const preflight = await askRaw(gateway.data, path, { method: 'OPTIONS', headers })
    expect(sorted(preflight.fields).filter((field) => field.startsWith('Access-Control'))).toStrictEqual([])
  })

  test('pipelined requests are answered in order, quick refusals and first sights of tokens among them', async () => {
    const requests: { text: string; method: string; expected: unknown }[] = []
    for (const index of players) {
      const token = await armToken(index, 'popular', { jti: 'pipelined' })
      const recommendation = playerRecord(index, salt)
      const version = { model: 'games', version: 'popular', reason: 'override' }
      requests.push(
        { text: requestText(path, { token }), method: 'GET', expected: { ...version, recommendation } },
        { text: requestText('/healthz'), method: 'GET', expected: 'up' },
        { text: requestText(path, { token, method: 'HEAD' }), method: 'HEAD', expected: '' },
        {
          text: requestText(`${path}?n${index}=1`, { token }),
          method: 'GET',
          expected: { detail: `the parameter "n${index}" is not known here` },
        },
        { text: requestText(path), method: 'GET', expected: { code: 'token-invalid' } },
      )
    }
    const closing = {
      text: requestText('/healthz', { headers: { Connection: 'close' } }),
      method: 'GET',
      expected: 'up',
    }
    const sent = [...requests, closing]
    const received = await exchange(gateway.data, sent.map(({ text }) => text).join(''))
    const replies = rawReplies(
      received,
      sent.map(({ method }) => method),
    )
    for (const [index, { expected }] of sent.entries()) {
      const body = replies[index]!.body.toString()
      if (typeof expected === 'string') expect(body).toBe(expected)
      else expect(JSON.parse(body)).toMatchObject(expected as object)
    }
  })

  test('a request that comes byte by byte', async () => {
    const token = await armToken(9, 'popular')
    const text = requestText(path, { token, headers: { Connection: 'close' } })
    const [reply] = rawReplies(await exchange(gateway.data, text, 7), ['GET'])
    expect(JSON.parse(reply!.body.toString())).toMatchObject({ recommendation: playerRecord(9, salt) })
  })
})
