import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startLocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
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
import { base64url, goodClaims, makeSecret, signText, signToken, type TestSecret } from '../support/tokens.ts'
import {
  type Ask,
  ask,
  askRaw,
  exchange,
  expectProblem,
  jsonOf,
  type Reply,
  rawReplies,
  requestText,
} from './client.ts'
import { type StudioIssuer, studioIssuer } from './games.ts'

/**
 * Every refusal of a request. Each starts from a request that is answered, and changes one thing. Everything that an
 * outsider must not learn of holds the word amber (the studio that is asked) or birch (the other one).
 */
const tenant = 'amber-studio'
const otherTenant = 'birch-studio'

/** The in-process engine can't be stopped while somebody is connected. */
const hasRealRedis = (await findRedisServer()) !== null

const offer = { type: 'string', maxBytes: 24 }
const oneVersion = {
  record: { offer },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['amber-v1'],
  control: 'amber-v1',
  weights: { 'amber-v1': 100 },
}
const amberModels = {
  'amber-games': { ...oneVersion, key: [{ claim: 'sub' }], ignoredParameters: ['utm_source'] },
  'amber-clan': { ...oneVersion, key: [{ claim: 'clan' }, { claim: 'season' }] },
  'amber-offers': {
    ...oneVersion,
    public: true,
    key: [
      { query: 'country', values: ['DE', 'FR'] },
      { query: 'level', uint: { max: 50 } },
      { query: 'sku', id: { maxBytes: 8 } },
    ],
  },
  'amber-strict': { ...oneVersion, key: [{ claim: 'sub' }], default: 'none' },
}
const birchModels = {
  'birch-games': {
    ...oneVersion,
    versions: ['birch-v1'],
    control: 'birch-v1',
    weights: { 'birch-v1': 100 },
    key: [{ claim: 'constructor' }],
  },
}
const offersQuery = 'country=DE&level=7&sku=a-1'

let redis: LocalRedis
let tools: Tools
let gateway: RunningGateway
let amber: StudioIssuer
let brief: StudioIssuer
let birch: StudioIssuer
let secret: TestSecret
let secretIssuer: string

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  amber = await studioIssuer('https://auth.amber.example', 'kid-amber')
  brief = await studioIssuer('https://brief.amber.example', 'kid-amber')
  // Under the same kid: only the issuer that a token names may verify it.
  birch = await studioIssuer('https://auth.birch.example', 'kid-amber')
  secret = makeSecret()
  secretIssuer = 'https://secret.amber.example'
  await applyDocument(tools, {
    format: 1,
    tenant,
    issuers: [
      amber.entry(),
      brief.entry({ maxLifetimeSeconds: 600 }),
      { issuer: secretIssuer, audience: 'recgate', hs256: { secretRef: 'amber-secret' } },
    ],
    models: amberModels,
  })
  await applyDocument(tools, {
    format: 1,
    tenant: otherTenant,
    issuers: [birch.entry()],
    claims: { model: 'toString', unit: '__proto__' },
    models: birchModels,
  })
  await publishRows(
    tools,
    [tenant, 'amber-strict', 'amber-v1'],
    rowsOf(['sub', 'offer'], [['player-1', 'row']]),
  )
  gateway = await startGateway(testSettings(redis.url), {
    resolveSecret: (tenantId, ref) => (tenantId === tenant && ref === 'amber-secret' ? secret.secret : null),
  })
})

afterAll(async () => {
  await gateway.gateway.stop()
  tools.close()
  await redis.stop()
})

function recommendation(query: string, options: Ask): Promise<Reply> {
  return ask(`${gateway.data}/recommendations${query}`, options)
}

/** What a refusal says must not tell an outsider what exists; nobody here needs their own words back either. */
function expectRefusal(reply: Reply, status: number, code: string): void {
  expectProblem(reply, status, code)
  expect(`${JSON.stringify(reply.headers)} ${reply.body.toString()}`).not.toMatch(/amber|birch/i)
}

const games = { model: 'amber-games' }

describe('what the refusals below differ from by one thing', () => {
  test('is answered', async () => {
    const good: [query: string, claims: Record<string, unknown>][] = [
      ['', games],
      ['', { model: 'amber-clan', clan: 'wolves', season: 4 }],
      [`?${offersQuery}`, { model: 'amber-offers' }],
      ['', { model: 'amber-strict' }],
      ['?model=amber-games', { model: ['amber-games', 'amber-strict'] }],
    ]
    for (const [query, claims] of good) {
      const reply = await recommendation(query, { token: await amber.token(claims) })
      expect({ query, status: reply.status }).toStrictEqual({ query, status: 200 })
    }
    for (const issuer of [brief, amber])
      expect((await recommendation('', { token: await issuer.token(games) })).status).toBe(200)
    const shared = await signToken(secret, goodClaims(secretIssuer, games))
    expect((await recommendation('', { token: shared })).status).toBe(200)
  })
})

describe('before a signature has verified', () => {
  /** The `Authorization` header of each, undefined for none. */
  const faults: [name: string, authorization: () => Promise<string | undefined>][] = [
    ['no Authorization', async () => undefined],
    ['an empty one', async () => ''],
    ['another scheme', async () => `Basic ${await amber.token(games)}`],
    ['no scheme', async () => amber.token(games)],
    ['the scheme alone', async () => 'Bearer'],
    ['no token', async () => 'Bearer x'],
    ['two parts', async () => `Bearer ${(await amber.token(games)).split('.').slice(0, 2).join('.')}`],
    ['a list', async () => `Bearer ${await amber.token(games)}, Bearer ${await amber.token(games)}`],
    ['longer than the limit', () => bearer(amber.token({ ...games, pad: 'x'.repeat(6_500) }))],
    ['alg none', () => unsigned({ alg: 'none' })],
    ['alg NONE with a signature', () => bearer(amber.token(games, { alg: 'NONE' }))],
    ['no alg', () => bearer(amber.token(games, { alg: undefined }))],
    ['an alg that is not the key’s', () => bearer(amber.token(games, { alg: 'RS256' }))],
    ['the public key as a secret', () => forgedWithPublicKey()],
    ['HS256 with some secret', () => bearer(signToken(makeSecret(), goodClaims(amber.issuer, games)))],
    ['another secret', () => bearer(signToken(makeSecret(), goodClaims(secretIssuer, games)))],
    [
      'an asymmetric key at the issuer with a secret',
      () => bearer(amber.token({ ...games, iss: secretIssuer })),
    ],
    ['typ that is no token', () => bearer(amber.token(games, { typ: 'dpop+jwt' }))],
    ['crit', () => bearer(amber.token(games, { crit: ['exp'] }))],
    ['b64', () => bearer(amber.token(games, { b64: false }))],
    ['zip', () => bearer(amber.token(games, { zip: 'DEF' }))],
    ['jku', () => bearer(amber.token(games, { jku: 'https://evil.example/keys' }))],
    ['x5u', () => bearer(amber.token(games, { x5u: 'https://evil.example/cert' }))],
    ['x5c', () => bearer(amber.token(games, { x5c: ['MIIB'] }))],
    ['jwk', () => bearer(amber.token(games, { jwk: amber.key.publicJwk }))],
    ['an unknown kid', () => bearer(amber.token(games, { kid: 'kid-other' }))],
    ['a kid that is no text', () => bearer(amber.token(games, { kid: 1 }))],
    ['no iss', () => bearer(amber.token({ ...games, iss: undefined }))],
    ['an unknown iss', () => bearer(amber.token({ ...games, iss: 'https://nobody.example' }))],
    ['an iss with one byte more', () => bearer(amber.token({ ...games, iss: `${amber.issuer}/` }))],
    ['iss __proto__', () => bearer(amber.token({ ...games, iss: '__proto__' }))],
    ['iss constructor', () => bearer(amber.token({ ...games, iss: 'constructor' }))],
    ['iss of the other tenant', () => bearer(amber.token({ ...games, iss: birch.issuer }))],
    ['the other tenant’s key', () => bearer(birch.token({ ...games, iss: amber.issuer }))],
    ['another issuer’s key of the same tenant', () => bearer(brief.token({ ...games, iss: amber.issuer }))],
    ['a changed payload', () => tampered(1, 'payload')],
    ['a changed header', () => tampered(0, 'header')],
    ['a changed signature', () => tampered(2, 'signature')],
    ['a wrong signature over an expired token', () => tampered(2, 'signature', { exp: 1 })],
    ['a wrong signature for another audience', () => tampered(2, 'signature', { aud: 'other' })],
    [
      'a wrong signature for a model that does not exist',
      () => tampered(2, 'signature', { model: 'nothing' }),
    ],
    ['a payload that is no object', () => bearer(signText(amber.key, '{"alg":"ES256"}', '[]'))],
  ]

  async function bearer(token: Promise<string>): Promise<string> {
    return `Bearer ${await token}`
  }

  async function unsigned(header: Record<string, unknown>): Promise<string> {
    const claims = JSON.stringify(goodClaims(amber.issuer, games))
    return `Bearer ${base64url(JSON.stringify({ kid: 'kid-amber', ...header }))}.${base64url(claims)}.`
  }

  function forgedWithPublicKey(): Promise<string> {
    const text = new TextEncoder().encode(JSON.stringify(amber.key.publicJwk))
    const forger: TestSecret = { algorithm: 'HS256', kid: 'kid-amber', secret: text }
    return bearer(signToken(forger, goodClaims(amber.issuer, games)))
  }

  async function tampered(part: number, what: string, more: Record<string, unknown> = {}): Promise<string> {
    const parts = (await amber.token({ ...games, ...more })).split('.')
    const replaced = {
      header: base64url(JSON.stringify({ alg: 'ES256', kid: 'kid-amber', typ: 'at+jwt' })),
      payload: base64url(JSON.stringify(goodClaims(amber.issuer, { ...games, sub: 'somebody-else' }))),
      signature: base64url(new Uint8Array(64).fill(7)),
    }
    parts[part] = replaced[what as keyof typeof replaced]
    return `Bearer ${parts.join('.')}`
  }

  test.each(faults)('%s', async (_name, authorization) => {
    const value = await authorization()
    const headers: Record<string, string> = value === undefined ? {} : { authorization: value }
    expectRefusal(await recommendation('', { headers }), 401, 'token-invalid')
  })

  test('all of them in the same bytes, whatever else is asked', async () => {
    const seen = new Set<string>()
    for (const [, authorization] of faults) {
      const value = await authorization()
      const headers: Record<string, string> = value === undefined ? {} : { Authorization: value }
      for (const target of ['/recommendations', '/recommendations?model=amber-games&x=1&x=2'])
        seen.add((await askRaw(gateway.data, target, { headers })).undated)
      const more = { ...headers, Accept: 'text/html', 'Recgate-Deadline-Ms': 'abc', 'If-None-Match': '*' }
      seen.add((await askRaw(gateway.data, '/recommendations', { headers: more })).undated)
    }
    expect([...seen]).toHaveLength(1)
  })
})

describe('registered claims', () => {
  const now = Math.floor(Date.now() / 1000)
  test.each<[code: string, claims: Record<string, unknown>]>([
    ['token-expired', { exp: now - 31 }],
    ['token-expired', { exp: 0 }],
    ['token-expired', { exp: now - 3_600, aud: 'other', model: 'birch-games' }],
    ['audience-mismatch', { aud: undefined }],
    ['audience-mismatch', { aud: 'other' }],
    ['audience-mismatch', { aud: ['other', 'Recgate'] }],
    ['audience-mismatch', { aud: 7 }],
    ['claim-invalid', { exp: undefined }],
    ['claim-invalid', { exp: `${now + 600}` }],
    ['claim-invalid', { exp: null }],
    ['claim-invalid', { nbf: now + 600 }],
    ['claim-invalid', { nbf: 'soon' }],
    ['claim-invalid', { iat: now + 600 }],
    ['claim-invalid', { iat: -1 }],
  ])('%s: %j', async (code, claims) => {
    const token = await amber.token({ ...games, ...claims })
    // The second is asked of a token that may stand in the cache.
    for (const _ of [1, 2]) expectRefusal(await recommendation('', { token }), 401, code)
  })

  test('a lifetime beyond the issuer’s, and none to be seen', async () => {
    for (const claims of [{ iat: now, exp: now + 601 }, { iat: undefined }])
      expectRefusal(
        await recommendation('', { token: await brief.token({ ...games, ...claims }) }),
        401,
        'claim-invalid',
      )
  })
})

/** Values that neither a unit nor a part of a row key may have, as JSON. */
const unfitValues = [
  'null',
  'true',
  '1.5',
  '1e300',
  '9007199254740993',
  '["player-1"]',
  '{"id":"player-1"}',
  '""',
  '"a\\u0000b"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00x"',
]

describe('claims that find unit and row', () => {
  /** A token whose claim has this JSON text, which JSON.stringify may not be able to write. */
  function tokenWith(claims: Record<string, unknown>, name: string, json: string): Promise<string> {
    const marked = JSON.stringify(goodClaims(amber.issuer, { ...claims, [name]: '@@' }))
    const header = JSON.stringify({ alg: 'ES256', kid: 'kid-amber' })
    return signText(amber.key, header, marked.replace('"@@"', json))
  }

  test.each(unfitValues)('a unit of %s', async (json) => {
    const token = await tokenWith({ model: 'amber-offers' }, 'sub', json)
    expectRefusal(await recommendation(`?${offersQuery}`, { token }), 401, 'claim-invalid')
  })

  test.each(unfitValues)('a part of the row key of %s', async (json) => {
    for (const name of ['clan', 'season']) {
      const token = await tokenWith({ model: 'amber-clan', clan: 'wolves', season: 4 }, name, json)
      const reply = await recommendation('', { token })
      expectRefusal(reply, 401, 'claim-invalid')
      expect(jsonOf(reply)['detail']).toContain(`"${name}"`)
    }
  })

  test('missing ones', async () => {
    const noUnit = await amber.token({ model: 'amber-offers', sub: undefined })
    expectRefusal(await recommendation(`?${offersQuery}`, { token: noUnit }), 401, 'claim-invalid')
    const noClan = await amber.token({ model: 'amber-clan', season: 4 })
    expectRefusal(await recommendation('', { token: noClan }), 401, 'claim-invalid')
    const query = await recommendation('?clan=wolves', { token: noClan })
    expectRefusal(query, 400, 'parameter-unknown')
  })

  test('a row key that is too long, in bytes of UTF-8', async () => {
    const fits = ['x'.repeat(limits.rowKeyBytesMax), '€'.repeat(85)]
    for (const sub of fits)
      expect((await recommendation('', { token: await amber.token({ ...games, sub }) })).status).toBe(200)
    for (const sub of fits.map((text) => `${text}x`))
      expectRefusal(
        await recommendation('', { token: await amber.token({ ...games, sub }) }),
        401,
        'claim-invalid',
      )
    const clan = await amber.token({ model: 'amber-clan', clan: 'x'.repeat(200), season: 'x'.repeat(55) })
    expectRefusal(await recommendation('', { token: clan }), 401, 'claim-invalid')
  })

  test('a model claim that is missing or names nothing', async () => {
    for (const model of [
      undefined,
      null,
      5,
      true,
      { name: 'amber-games' },
      ['amber-games', 5],
      [['amber-games']],
    ])
      expectRefusal(await recommendation('', { token: await amber.token({ model }) }), 401, 'claim-invalid')
  })

  test('claims that every object seems to have', async () => {
    const named = { sub: undefined, toString: 'birch-games' }
    const token = (own: string, claims: Record<string, unknown> = named) => {
      const payload = JSON.stringify(goodClaims(birch.issuer, claims)).replace('{', `{${own}`)
      return signText(birch.key, '{"alg":"ES256","kid":"kid-amber"}', payload)
    }
    const unit = '"__proto__":"player-1",'
    const row = '"constructor":"row-1",'
    expect((await recommendation('', { token: await token(unit + row) })).status).toBe(200)
    const missing: [claim: string, token: string][] = [
      ['constructor', await token(unit)],
      ['__proto__', await token(row)],
      ['toString', await token(unit + row, { model: 'birch-games' })],
    ]
    for (const [claim, bearer] of missing) {
      const reply = await recommendation('', { token: bearer })
      expectRefusal(reply, 401, 'claim-invalid')
      expect(jsonOf(reply)['detail']).toContain(`the claim "${claim}" is missing`)
    }
  })
})

describe('model-not-allowed', () => {
  const cases: [claim: unknown, query: string][] = [
    ['nothing-like-it', ''],
    ['birch-games', ''],
    ['amber-Games', ''],
    ['', ''],
    [[], ''],
    [['birch-games'], ''],
    [['nothing', 'birch-games'], '?model=birch-games'],
    ['constructor', ''],
    ['__proto__', ''],
    [['toString', 'hasOwnProperty'], '?model=toString'],
    ['amber-games', '?model=amber-strict'],
    ['amber-games', '?model=birch-games'],
    ['amber-games', '?model=nothing'],
    ['amber-games', '?model='],
    ['amber-games', '?model=constructor'],
    [['amber-games', 'amber-strict'], '?model=birch-games'],
    [['amber-games', 'amber-strict'], '?model=length'],
  ]

  test.each(cases)('claim %j and %j', async (model, query) => {
    const reply = await recommendation(query, { token: await amber.token({ model }) })
    expectRefusal(reply, 403, 'model-not-allowed')
  })

  test('in the same bytes, whether or not the model exists, here or there', async () => {
    const seen = new Set<string>()
    for (const [model, query] of cases)
      seen.add(
        (await askRaw(gateway.data, `/recommendations${query}`, { token: await amber.token({ model }) }))
          .undated,
      )
    expect([...seen]).toHaveLength(1)
  })
})

describe('parameters', () => {
  const several = { model: ['amber-games', 'amber-strict'] }
  const offers = { model: 'amber-offers' }
  const withOffers = (change: string) => `?${offersQuery}&${change}`.replace('&&', '&')
  const withLevel = (level: string) => `?country=DE&sku=a-1&level=${level}`
  const withSku = (sku: string) => `?country=DE&level=7&sku=${sku}`

  test.each<[code: string, claims: Record<string, unknown>, query: string]>([
    ['model-ambiguous', several, ''],
    ['model-ambiguous', several, '?Model=amber-games'],
    ['parameter-repeated', several, '?model=amber-games&model=amber-games'],
    ['parameter-repeated', games, '?model=amber-games&model=amber-strict'],
    ['parameter-unknown', games, '?x=1'],
    ['parameter-unknown', games, '?'.padEnd(200, 'x')],
    ['parameter-unknown', games, '?sub=player-2'],
    ['parameter-unknown', games, '?utm_Source=mail'],
    ['parameter-unknown', games, '?constructor=1'],
    ['parameter-unknown', games, '?__proto__=1'],
    ['parameter-unknown', games, '?hasOwnProperty=1&hasOwnProperty=2'],
    ['parameter-unknown', games, '?__proto__[model]=amber-strict'],
    ['parameter-unknown', games, '?model[]=amber-games'],
    ['parameter-unknown', games, '?=1'],
    ['parameter-unknown', games, '?%00=1'],
    ['parameter-unknown', offers, withOffers('utm_source=mail')],
    ['parameter-unknown', offers, withOffers('x=1&x=2')],
    ['parameter-repeated', offers, withOffers('country=DE')],
    ['parameter-repeated', offers, withOffers('level=8')],
    ['parameter-repeated', offers, withOffers('sku=')],
    ['parameter-missing', offers, ''],
    ['parameter-missing', offers, '?level=7&sku=a-1'],
    ['parameter-missing', offers, '?country=DE&sku=a-1'],
    ['parameter-missing', offers, '?country=DE&level=7'],
    ['parameter-invalid', offers, '?country=US&level=7&sku=a-1'],
    ['parameter-invalid', offers, '?country=de&level=7&sku=a-1'],
    ['parameter-invalid', offers, '?country=DE%20&level=7&sku=a-1'],
    ['parameter-invalid', offers, '?country=&level=7&sku=a-1'],
    ['parameter-invalid', offers, '?country=constructor&level=7&sku=a-1'],
    ['parameter-invalid', offers, '?country&level=7&sku=a-1'],
    ['parameter-invalid', offers, withLevel('07')],
    ['parameter-invalid', offers, withLevel('1e1')],
    ['parameter-invalid', offers, withLevel('1e3')],
    ['parameter-invalid', offers, withLevel('-1')],
    ['parameter-invalid', offers, withLevel('-0')],
    ['parameter-invalid', offers, withLevel('51')],
    ['parameter-invalid', offers, withLevel('7.0')],
    ['parameter-invalid', offers, withLevel('0x7')],
    ['parameter-invalid', offers, withLevel('+7')],
    ['parameter-invalid', offers, withLevel('%207')],
    ['parameter-invalid', offers, withLevel('7%0A')],
    ['parameter-invalid', offers, withLevel('%D9%A7')],
    ['parameter-invalid', offers, withLevel('99999999999999999999')],
    ['parameter-invalid', offers, withLevel('NaN')],
    ['parameter-invalid', offers, withLevel('')],
    ['parameter-invalid', offers, withSku('')],
    ['parameter-invalid', offers, withSku('123456789')],
    ['parameter-invalid', offers, withSku('a%20b')],
    ['parameter-invalid', offers, withSku('a%0A')],
    ['parameter-invalid', offers, withSku('a%00b')],
    ['parameter-invalid', offers, withSku('ä')],
    ['parameter-invalid', offers, withSku('a:b')],
    ['parameter-invalid', offers, withSku('%zz')],
  ])('%s: %j %s', async (code, claims, query) => {
    const reply = await recommendation(encodeURI(query).replaceAll('%25', '%'), {
      token: await amber.token(claims),
    })
    expectRefusal(reply, 400, code)
  })

  test('an ignored one is ignored, once, twice, empty and beside others', async () => {
    for (const query of [
      '?utm_source=mail',
      '?utm_source=a&utm_source=b',
      '?utm_source',
      '?utm_source=&model=amber-games',
    ])
      expect((await recommendation(query, { token: await amber.token(games) })).status).toBe(200)
  })

  test('a long name comes back shortened', async () => {
    const reply = await recommendation(`?${'n'.repeat(3_000)}=1`, { token: await amber.token(games) })
    expectRefusal(reply, 400, 'parameter-unknown')
    expect(reply.body.length).toBeLessThan(300)
  })
})

describe('headers', () => {
  test.each(['0', '4', '-5', '5.5', '1e3', 'abc', '0x10', '', '9999999999', '10, 10', '10ms'])(
    'Recgate-Deadline-Ms: %j',
    async (value) => {
      const token = await amber.token(games)
      const reply = await recommendation('', { token, headers: { 'recgate-deadline-ms': value } })
      expectRefusal(reply, 400, 'header-invalid')
    },
  )

  test.each(['5', '50', '60000', '007'])('Recgate-Deadline-Ms: %j is fine', async (value) => {
    const token = await amber.token(games)
    expect((await recommendation('', { token, headers: { 'recgate-deadline-ms': value } })).status).toBe(200)
  })

  test('an Accept that nothing fits, once the token has verified', async () => {
    const headers = { accept: 'text/html' }
    expectRefusal(
      await recommendation('', { token: await amber.token(games), headers }),
      406,
      'not-acceptable',
    )
    expectRefusal(await recommendation('', { token: 'x.y.z', headers }), 401, 'token-invalid')
  })
})

describe('paths and methods', () => {
  test.each([
    '/',
    '/recommendations/',
    '/recommendations/games',
    '/Recommendations',
    '//recommendations',
    '/v1/recommendations',
    '/recommendations;x=1',
    '/metrics',
    '/readyz',
    '/api/tenants',
    '/api/tenants/amber-studio',
    '/console/',
    '/openapi.json',
  ])('%s is not there', async (path) => {
    for (const token of [undefined, await amber.token(games)])
      expectProblem(
        await ask(gateway.data + path, token === undefined ? {} : { token }),
        404,
        'path-not-found',
      )
  })

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY'])('%s', async (method) => {
    for (const path of ['/recommendations', '/recommendations?model=x', '/healthz'])
      expectRefusal(await ask(gateway.data + path, { method }), 405, 'method-not-allowed')
  })

  test.each([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'nonsense',
  ])('POST with a body of %s', async (type) => {
    const sent = { method: 'POST', headers: { 'content-type': type }, body: '{"model":"amber-games"}' }
    expectRefusal(await ask(`${gateway.data}/recommendations`, sent), 405, 'method-not-allowed')
    expectRefusal(await ask(`${gateway.data}/nothing`, sent), 404, 'path-not-found')
  })

  test('a GET with a body is answered as without', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': '2' }
    const sent = { token: await amber.token(games), headers, body: '{]' }
    expect((await recommendation('', sent)).status).toBe(200)
  })

  test('a path that can not be decoded', async () => {
    for (const path of ['/%', '/%zz', '/recommendations%c0'])
      expect((await ask(gateway.data + path)).status).toBeGreaterThanOrEqual(400)
    expectRefusal(await ask(`${gateway.data}/%zz`), 400, 'request-malformed')
  })
})

describe('requests that are too large or broken', () => {
  async function brokenReply(text: string): Promise<Reply> {
    const [raw] = rawReplies(await exchange(gateway.data, text), ['GET'])
    const headers = Object.fromEntries(raw!.fields.map(([name, value]) => [name.toLowerCase(), value]))
    expect(headers['connection']).toBe('close')
    return { status: raw!.status, headers, body: raw!.body }
  }

  test('a URL beyond the limit', async () => {
    const token = await amber.token(games)
    const target = '/recommendations?utm_source='
    const longest = target.padEnd(limits.urlBytesMax, 'x')
    expect((await ask(gateway.data + longest, { token })).status).toBe(200)
    expectRefusal(await ask(`${gateway.data}${longest}x`, { token }), 414, 'url-too-long')
    expectRefusal(await ask(`${gateway.data}${longest}x`), 414, 'url-too-long')
  })

  test('headers beyond the limit', async () => {
    const text = requestText('/recommendations', { headers: { 'X-Pad': 'x'.repeat(limits.headerBytesMax) } })
    expectRefusal(await brokenReply(text), 431, 'headers-too-large')
  })

  test.each([
    ['no HTTP', 'GARBAGE\r\n\r\n'],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an unknown method', 'FETCH /recommendations HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an unknown version', 'GET /recommendations HTTP/7.3\r\nHost: a\r\n\r\n'],
    ['a header without a colon', 'GET /recommendations HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n'],
    ['a NUL in a header', 'GET /recommendations HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n'],
    ['a space before the colon', 'GET /recommendations HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a length that is none', 'GET /recommendations HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n'],
    [
      'two lengths',
      'GET /recommendations HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    ],
    [
      'a length and chunks, with a request inside',
      'POST /recommendations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
  ])('%s', async (_name, text) => {
    expectRefusal(await brokenReply(text), 400, 'request-malformed')
  })
})

describe('nothing to answer with', () => {
  test('an unknown row of a model without a default record', async () => {
    const reply = await recommendation('', {
      token: await amber.token({ model: 'amber-strict', sub: 'nobody' }),
    })
    expectRefusal(reply, 404, 'record-not-found')
  })

  test.skipIf(!hasRealRedis)(
    'a Redis that has stopped, and no copy: 503 without a default record, the default one with it',
    async () => {
      const own = await startLocalRedis()
      const ownTools = await testTools(own.url)
      const models = Object.fromEntries(
        Object.entries(amberModels).map(([id, model]) => [id, { ...model, staleSeconds: 0 }]),
      )
      await applyDocument(ownTools, { format: 1, tenant, issuers: [amber.entry()], models })
      const row = [['player-1', 'row']] as const
      for (const model of ['amber-strict', 'amber-games'])
        await publishRows(ownTools, [tenant, model, 'amber-v1'], rowsOf(['sub', 'offer'], row))
      const cut = await startGateway(testSettings(own.url))
      try {
        const strict = { token: await amber.token({ model: 'amber-strict' }) }
        const lenient = { token: await amber.token(games) }
        for (const { token } of [strict, lenient])
          expect((await ask(`${cut.data}/recommendations`, { token })).headers['recgate']).toBe(
            'v=amber-v1, r=split',
          )
        ownTools.close()
        await own.stop()
        for (const _ of [1, 2, 3]) {
          expectRefusal(await ask(`${cut.data}/recommendations`, strict), 503, 'store-unavailable')
          const answered = await ask(`${cut.data}/recommendations`, lenient)
          expect(answered.status).toBe(200)
          expect(jsonOf(answered)).toMatchObject({
            reason: 'default',
            recommendation: { offer: 'welcome-pack' },
          })
        }
      } finally {
        await cut.gateway.stop()
      }
    },
  )

  test('a gateway that has no catalog yet', async () => {
    const starting = await startGateway(testSettings('redis://127.0.0.1:1'))
    try {
      for (const token of ['x.y.z', await amber.token(games)])
        expectRefusal(await ask(`${starting.data}/recommendations`, { token }), 503, 'busy')
    } finally {
      await starting.gateway.stop()
    }
  })
})
