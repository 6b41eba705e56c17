import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createMemoryLog } from '../support/memory-log.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import {
  goodClaims,
  makeKey,
  makeSecret,
  signText,
  signToken,
  type TestKey,
  type TestSecret,
} from '../support/tokens.ts'
import { ask, exchange, jsonOf, type Reply, rawReplies, requestText } from './client.ts'
import { parseExposition } from './exposition.ts'

/** Whatever is sent: no 5xx, no crash, no answer that wasn't earned, and no token in the log. */

// Thousands of requests a test, on however busy a machine.
vi.setConfig({ testTimeout: 180_000 })

const tenant = 'fuzzed'
const iss = 'https://auth.fuzzed.example'
const secretIss = 'https://secret.fuzzed.example'
const countries = ['DE', 'Côte d’Ivoire', 'toString']

let site: Site
let gateway: RunningGateway
let keys: readonly TestKey[]
let secret: TestSecret
let genuine: readonly string[]
let reference: string
const memory = createMemoryLog()
/** Ends of tokens, which stand in no other. */
const signatures = new Set<string>()

beforeAll(async () => {
  site = await openSite(await testRedis())
  keys = await Promise.all((['ES256', 'EdDSA', 'RS256'] as const).map((alg) => makeKey(alg, alg)))
  secret = makeSecret()
  const offer = { type: 'string', maxBytes: 24 }
  const model = {
    record: { offer },
    default: { offer: 'default' },
    deadlineMs: 10_000,
    versions: ['v1'],
    control: 'v1',
    weights: { v1: 100 },
  }
  await applyDocument(site.tools, {
    format: 1,
    tenant,
    issuers: [
      { issuer: iss, audience: 'recgate', jwks: { keys: keys.map((key) => key.publicJwk) } },
      { issuer: secretIss, audience: 'recgate', hs256: { secretRef: 'fuzzed' } },
    ],
    claims: { version: 'arm' },
    models: {
      games: { ...model, key: [{ claim: 'sub' }] },
      offers: {
        ...model,
        public: true,
        key: [
          { query: 'country', values: countries },
          { query: 'level', uint: { max: 50 } },
          { query: 'sku', id: { maxBytes: 8 } },
        ],
        ignoredParameters: ['utm_source'],
      },
    },
  })
  await publishRows(site.tools, [tenant, 'games', 'v1'], rowsOf(['sub', 'offer'], [['player-1', 'own']]))
  gateway = await site.startGateway(testSettings(site.redis.url), {
    resolveSecret: () => secret.secret,
    log: memory.log,
  })
  genuine = await Promise.all([
    ...keys.map((key) => signToken(key, goodClaims(iss, { model: 'games' }))),
    ...keys.map((key) => signToken(key, goodClaims(iss, { model: 'games' }), { kid: undefined })),
    signToken(secret, goodClaims(secretIss, { model: 'games' })),
  ])
  // With them in the cache, a mutant that is taken for one of them would show.
  for (const token of genuine) expect((await recommendation('', token)).status).toBe(200)
  reference = (await ask(`${gateway.data}/recommendations`)).body.toString()
})

afterAll(() => site?.stop())

function recommendation(query: string, token: string): Promise<Reply> {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  if (signature.length > 20) signatures.add(signature)
  return ask(`${gateway.data}/recommendations${query}`, { token })
}

/** Refused in the one form that there is before a signature has verified. */
function expectInvalid(reply: Reply): void {
  expect({ status: reply.status, body: reply.body.toString() }).toStrictEqual({
    status: 401,
    body: reference,
  })
}

/** Answered, or refused for a reason of the client's. */
function expectNoFault(reply: Reply): void {
  expect([200, 400, 401, 403, 431]).toContain(reply.status)
}

const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
})

describe('tokens', () => {
  test('genuine ones with any change to their text', async () => {
    const change = fc.record({
      token: fc.nat({ max: 6 }),
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      removed: fc.nat({ max: 4 }),
      inserted: fc.oneof(
        fc.constantFrom('', '.', 'A', '=', '..', 'eyJ'),
        fc.base64String({ maxLength: 4 }),
        visible.filter((text) => text.length < 5),
      ),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ token: index, at, removed, inserted }) => {
        const token = genuine[index]!
        const position = Math.floor(at * (token.length + 1))
        const mutant = token.slice(0, position) + inserted + token.slice(position + removed)
        fc.pre(mutant !== token)
        expectInvalid(await recommendation('', mutant))
      }),
      { numRuns: 1_500 },
    )
  })

  test('parts of different genuine ones, in any order and number', async () => {
    const place = fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 2 }))
    await fc.assert(
      fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 5 }), async (places) => {
        const mixed = places.map(([token, part]) => genuine[token]!.split('.')[part]).join('.')
        fc.pre(!genuine.includes(mixed))
        expectInvalid(await recommendation('', mixed))
      }),
      { numRuns: 500 },
    )
  })

  test('any text as header and payload, really signed', async () => {
    const header = fc.oneof(
      fc.json(),
      fc.constantFrom('{"alg":"ES256"}', '{"alg":"none"}', '{"alg":"ES256","alg":"ES256"}', '{', '[]', ''),
    )
    const payload = fc.oneof(fc.json(), fc.string({ unit: 'binary' }), fc.constant(`{"iss":"${iss}"}`))
    await fc.assert(
      fc.asyncProperty(header, payload, async (head, body) => {
        const reply = await recommendation('', await signText(keys[0]!, head, body))
        // Nothing here has an exp; only a header and an iss that fit show that the signature was looked at.
        expect(reply.status).toBe(401)
      }),
      { numRuns: 500 },
    )
  })

  test('genuine headers and payloads with any member changed, really signed', async () => {
    const names = [
      'iss',
      'aud',
      'sub',
      'exp',
      'nbf',
      'iat',
      'model',
      'arm',
      'jti',
      '__proto__',
      'constructor',
    ]
    const now = Math.floor(Date.now() / 1000)
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.constantFrom<unknown>(
        iss,
        'recgate',
        ['recgate'],
        'games',
        ['games', 'offers'],
        'v1',
        now + 60,
        now - 60,
      ),
      fc.constantFrom<unknown>(now + 0.5, 1e300, '\ud800', '\0', -1, (now + 60) * 1000, 'player-1', 42),
    )
    const changes = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 3 })
    const header = fc.dictionary(
      fc.constantFrom('kid', 'typ', 'alg', 'crit', 'jku', 'x5t', 'cty', 'zip'),
      value,
      {
        maxKeys: 1,
      },
    )
    let answered = 0
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 2 }), header, changes, async (index, head, changed) => {
        const key = keys[index]!
        // Entries and not a spread: `__proto__` must become a claim here.
        const claims: Record<string, unknown> = Object.fromEntries([
          ...Object.entries(goodClaims(iss, { model: 'games' })),
          ...changed,
        ])
        const reply = await recommendation('', await signToken(key, claims, head))
        expectNoFault(reply)
        if (reply.status !== 200) return
        answered++
        // What JSON can say of it is what counted: it has no Infinity, and no minus zero.
        const sent = JSON.parse(JSON.stringify(claims)) as Record<string, unknown>
        expect(sent['iss']).toBe(iss)
        expect([sent['aud']].flat()).toContain('recgate')
        expect([sent['model']].flat()).toContain('games')
        expect(sent['exp']).toSatisfy(
          (exp) => typeof exp === 'number' && exp > now - 31 && exp < 253_402_300_800,
        )
        for (const name of ['nbf', 'iat'])
          if (sent[name] !== undefined)
            expect(sent[name]).toSatisfy(
              (time) => typeof time === 'number' && time >= 0 && time < now + 3_600,
            )
        expect(sent['sub']).toSatisfy(
          (sub) => Number.isSafeInteger(sub) || (typeof sub === 'string' && sub !== ''),
        )
        const offer = sent['sub'] === 'player-1' ? 'own' : 'default'
        expect(jsonOf(reply)).toMatchObject({ model: 'games', version: 'v1', recommendation: { offer } })
      }),
      { numRuns: 1_500 },
    )
    // Otherwise only refusals were looked at.
    expect(answered).toBeGreaterThan(100)
  })
})

describe('queries', () => {
  let token: string

  beforeAll(async () => {
    token = await signToken(keys[0]!, goodClaims(iss, { model: 'offers' }))
  })

  type Pair = readonly [name: string, value: string]
  const encodings: readonly ((text: string) => string)[] = [
    encodeURIComponent,
    (text) => encodeURIComponent(text).replaceAll('%20', '+'),
    (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  ]

  function uint(text: string): boolean {
    return /^(0|[1-9]|[1-4][0-9]|50)$/.test(text)
  }

  /** The codes that may be answered; where a query is wrong in several ways, any of them. Empty: 200. */
  function expectedCodes(pairs: readonly Pair[]): string[] {
    const values = new Map<string, string[]>()
    for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value])
    const models = values.get('model') ?? []
    if (models.length > 1) return ['parameter-repeated']
    if (models.length === 1 && models[0] !== 'offers') return ['model-not-allowed']
    const codes: string[] = []
    for (const [name, found] of values) {
      const isUsed = ['country', 'level', 'sku'].includes(name)
      if (!isUsed && !['model', 'utm_source'].includes(name)) codes.push('parameter-unknown')
      if (isUsed && found.length > 1) codes.push('parameter-repeated')
    }
    if (codes.length > 0) return codes
    for (const [name, isFit] of [
      ['country', (value: string) => countries.includes(value)],
      ['level', uint],
      ['sku', (value: string) => /^[A-Za-z0-9_.-]{1,8}$/.test(value)],
    ] as const) {
      const [value] = values.get(name) ?? []
      if (value === undefined) return ['parameter-missing']
      if (!isFit(value)) return ['parameter-invalid']
    }
    return []
  }

  test('any names and values, however encoded, are answered as they should be', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 })
    const good = fc
      .tuple(
        fc.constantFrom(...countries),
        fc.nat({ max: 50 }).map(String),
        fc.constantFrom('a', 'a-1', 'A_.9'),
      )
      .map(([country, level, sku]): Pair[] => [
        ['country', country],
        ['level', level],
        ['sku', sku],
      ])
    const odd = fc.tuple(
      fc.oneof(
        fc.constantFrom(
          'country',
          'level',
          'sku',
          'model',
          'utm_source',
          'Level',
          '__proto__',
          'level[]',
          '1',
        ),
        text,
      ),
      fc.oneof(text, fc.constantFrom('offers', 'games', '07', '51', '-0', '1e1', '٧', 'a\n', 'DE\0', '')),
    )
    const pairs = fc
      .tuple(
        fc.oneof({ weight: 3, arbitrary: good }, fc.constant<Pair[]>([])),
        fc.array(odd, { maxLength: 2 }),
      )
      .chain(([own, more]) => fc.shuffledSubarray([...own, ...more], { minLength: own.length }))
    const encoding = fc.nat({ max: encodings.length - 1 })
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(pairs, encoding, async (given, index) => {
        const encode = encodings[index]!
        const query = given.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
        const reply = await recommendation(`?${query}`, token)
        const codes = expectedCodes(given)
        const code = reply.status === 200 ? 'answered' : String(jsonOf(reply)['code'])
        expect(codes.length === 0 ? ['answered'] : codes).toContain(code)
        seen.add(code)
      }),
      { numRuns: 1_500 },
    )
    expect([...seen].sort()).toStrictEqual([
      'answered',
      'model-not-allowed',
      'parameter-invalid',
      'parameter-missing',
      'parameter-repeated',
      'parameter-unknown',
    ])
  })

  test('any characters behind the question mark', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'country=DE',
        'level=7',
        'sku=a',
        'model=offers',
        '&',
        '=',
        '%',
        '%zz',
        '%c0%af',
        '%ed%a0%80',
      ),
      fc.constantFrom(
        '%00',
        '+',
        ';',
        '?',
        '#',
        '[]',
        '%u0041',
        '&&',
        '%26',
        '%3D',
        '%',
        '\\',
        '|',
        '{}',
        '"',
      ),
      visible,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        const target = `/recommendations?${pieces.join('')}`
        const headers = { Connection: 'close' }
        const [reply] = rawReplies(await exchange(gateway.data, requestText(target, { token, headers })), [
          'GET',
        ])
        expect([200, 400, 403]).toContain(reply!.status)
      }),
      { numRuns: 500 },
    )
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error and no token', () => {
    expect(memory.lines.length).toBeGreaterThan(0)
    expect(signatures.size).toBeGreaterThan(1_000)
    const log = memory.lines.join('\n')
    expect(log).not.toContain('unexpected error')
    expect([...signatures].filter((signature) => log.includes(signature))).toStrictEqual([])
    expect(log).not.toMatch(/eyJ[\w-]{10}/)
  })

  test('it has counted no fault of its own, and answers on', async () => {
    const families = parseExposition((await ask(`${gateway.ops}/metrics`)).body.toString())
    const requests = families.get('recgate_requests_total')!.samples
    expect(requests.filter(({ labels }) => labels['status'] === '5xx')).toStrictEqual([])
    for (const token of genuine) expect((await recommendation('', token)).status).toBe(200)
  })
})
