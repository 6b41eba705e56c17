import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import {
  goodClaims,
  makeKey,
  makeSecret,
  signText,
  type TestKey,
  type TestSecret,
} from '../support/tokens.ts'
import { ask, expectProblem, jsonOf, type Reply } from './client.ts'
import { applyWithSalt, assignmentsOf } from './games.ts'

/**
 * What genuine tokens say, over HTTP: each algorithm, several issuers of one tenant with rules of their own, times,
 * audiences, names that JavaScript gives a meaning of its own, and versions that the issuer signs.
 */

const tenant = 'many-issuers'
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA', 'HS256'] as const
type AnyAlgorithm = (typeof algorithms)[number]

/** Names that every object seems to have. */
const inherited = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']
const players = ['player-1', 'player-2', '42', '-5', '9007199254740991', 'プレイヤー42', ...inherited]

const offer = { type: 'string', maxBytes: 40 }
const base = { record: { offer }, default: { offer: 'nothing' }, deadlineMs: 10_000 }
const models = {
  games: {
    ...base,
    key: [{ claim: 'sub', column: 'id' }],
    versions: ['left', 'right'],
    control: 'left',
    weights: { left: 50, right: 50 },
    overrides: { right: ['player-2', 'toString'], left: ['valueOf'] },
  },
  offers: {
    ...base,
    public: true,
    key: [
      { query: 'constructor', values: ['toString', 'DE'] },
      { query: 'valueOf', uint: { max: 9 } },
    ],
    versions: ['seasonal'],
    control: 'seasonal',
    weights: { seasonal: 100 },
    ignoredParameters: ['hasOwnProperty'],
  },
  clans: {
    ...base,
    key: [{ claim: 'constructor', column: 'id' }],
    versions: ['left', 'third'],
    control: 'left',
    weights: { left: 100, third: 0 },
  },
}

let site: Site
let gateway: RunningGateway
let assigned: (unit: string) => string
let signers: Record<AnyAlgorithm, TestKey | TestSecret>
const strict: Record<string, TestKey> = {}

const issOf = (alg: AnyAlgorithm) => `https://${alg.toLowerCase()}.many.example`
const shortIss = 'https://short.many.example'
const gamesIss = 'https://games.many.example'
const secretOf = (ref: string) => (ref === 'shared' ? (signers.HS256 as TestSecret).secret : null)

beforeAll(async () => {
  site = await openSite(await testRedis())
  const publicKeys = await Promise.all(
    algorithms.map(async (alg) => (alg === 'HS256' ? makeSecret() : await makeKey(alg, 'same-kid'))),
  )
  signers = Object.fromEntries(algorithms.map((alg, index) => [alg, publicKeys[index]!])) as typeof signers
  strict['short'] = await makeKey('ES256', 'same-kid')
  strict['games'] = await makeKey('EdDSA')
  const withKey = (issuer: string, key: TestKey, more = {}) => ({
    issuer,
    audience: 'recgate',
    jwks: { keys: [key.publicJwk] },
    ...more,
  })
  await applyWithSalt(
    site.tools,
    {
      format: 1,
      tenant,
      issuers: [
        ...algorithms.map((alg) =>
          alg === 'HS256'
            ? { issuer: issOf(alg), audience: 'recgate', hs256: { secretRef: 'shared' } }
            : withKey(issOf(alg), signers[alg] as TestKey),
        ),
        withKey(shortIss, strict['short'], { maxLifetimeSeconds: 300, audience: 'short' }),
        withKey(gamesIss, strict['games'], { models: ['games', 'clans'] }),
      ],
      claims: { version: '__proto__' },
      models,
    },
    'issuers',
  )
  for (const version of ['left', 'right'])
    await publishRows(
      site.tools,
      [tenant, 'games', version],
      rowsOf(
        ['id', 'offer'],
        players.map((id) => [id, `${version} of ${id}`]),
      ),
    )
  await publishRows(
    site.tools,
    [tenant, 'offers', 'seasonal'],
    rowsOf(['constructor', 'valueOf', 'offer'], [['toString', 7, 'inherited']]),
  )
  for (const version of ['left', 'third'])
    await publishRows(
      site.tools,
      [tenant, 'clans', version],
      rowsOf(['id', 'offer'], [['toString', `${version} clan`]]),
    )
  assigned = await assignmentsOf(site.tools, tenant, 'games')
  gateway = await site.startGateway(testSettings(site.redis.url), {
    resolveSecret: (tenantId, ref) => (tenantId === tenant ? secretOf(ref) : null),
  })
})

afterAll(() => site?.stop())

/** Members given as JSON text stand in the payload as they are, which JSON.stringify may not be able to write. */
function tokenOf(
  signer: TestKey | TestSecret,
  claims: Record<string, unknown>,
  raw: Readonly<Record<string, string>> = {},
): Promise<string> {
  const kept = Object.entries(claims).filter(([name]) => !Object.hasOwn(raw, name))
  const members = [
    ...kept.flatMap(([name, value]) =>
      value === undefined ? [] : [`${JSON.stringify(name)}:${JSON.stringify(value)}`],
    ),
    ...Object.entries(raw).map(([name, text]) => `${JSON.stringify(name)}:${text}`),
  ]
  const kid = signer.kid === null ? {} : { kid: signer.kid }
  return signText(signer, JSON.stringify({ alg: signer.algorithm, ...kid }), `{${members.join(',')}}`)
}

function asked(token: string, query = ''): Promise<Reply> {
  return ask(`${gateway.data}/recommendations${query}`, { token })
}

/** With the ES256 issuer's key. */
async function askWith(
  claims: Record<string, unknown>,
  raw: Readonly<Record<string, string>> = {},
  query = '',
): Promise<Reply> {
  const all = goodClaims(issOf('ES256'), { model: 'games', ...claims })
  return asked(await tokenOf(signers.ES256, all, raw), query)
}

async function gamesOf(claims: Record<string, unknown>, raw: Readonly<Record<string, string>> = {}) {
  const reply = await askWith(claims, raw)
  expect(reply.status).toBe(200)
  return jsonOf(reply)
}

describe('algorithms', () => {
  test.each(algorithms)('%s: its issuer’s tokens get what every issuer’s tokens get', async (alg) => {
    for (const sub of players) {
      const claims = goodClaims(issOf(alg), { model: 'games', sub })
      const reply = await asked(await tokenOf(signers[alg], claims))
      const isOverridden = sub === 'player-2' || sub === 'toString' || sub === 'valueOf'
      const version = !isOverridden ? assigned(sub) : sub === 'valueOf' ? 'left' : 'right'
      expect(jsonOf(reply)).toStrictEqual({
        model: 'games',
        version,
        reason: isOverridden ? 'override' : 'split',
        recommendation: { offer: `${version} of ${sub}` },
      })
    }
  })

  test('no issuer’s key signs for another', async () => {
    for (const claimed of algorithms)
      for (const alg of algorithms) {
        const claims = goodClaims(issOf(claimed), { model: 'games' })
        const { status } = await asked(await tokenOf(signers[alg], claims))
        expect({ claimed, alg, status }).toStrictEqual({ claimed, alg, status: claimed === alg ? 200 : 401 })
      }
  })
})

describe('rules of one issuer', () => {
  test('its own audience', async () => {
    for (const [aud, code] of [
      ['short', null],
      [['x', 'short'], null],
      ['recgate', 'audience-mismatch'],
      [['recgate'], 'audience-mismatch'],
    ] as const) {
      const token = await tokenOf(
        strict['short']!,
        goodClaims(shortIss, { model: 'games', aud, exp: inSeconds(60) }),
      )
      const reply = await asked(token)
      if (code === null) expect(reply.status).toBe(200)
      else expectProblem(reply, 401, code)
    }
  })

  test.each<[seconds: string, isWithin: boolean]>([
    ['300', true],
    ['300.0', true],
    ['299.999', true],
    ['300.001', false],
    ['300.5', false],
    ['301', false],
    ['300000', false],
    ['3e9', false],
  ])('maxLifetimeSeconds 300: %s seconds', async (seconds, isWithin) => {
    const iat = inSeconds(0)
    const [whole = '', fraction] = seconds.split('.')
    const exp = fraction === undefined ? String(iat + Number(whole)) : `${iat + Number(whole)}.${fraction}`
    const claims = goodClaims(shortIss, { model: 'games', aud: 'short', iat })
    const reply = await asked(await tokenOf(strict['short']!, claims, { exp }))
    if (isWithin) expect(reply.status).toBe(200)
    else expectProblem(reply, 401, 'claim-invalid')
  })

  test('maxLifetimeSeconds needs an iat that is a time', async () => {
    const claims = goodClaims(shortIss, { model: 'games', aud: 'short', exp: inSeconds(60), iat: undefined })
    expectProblem(await asked(await tokenOf(strict['short']!, claims)), 401, 'claim-invalid')
    for (const iat of ['null', '"0"', '-1', '1e999', '[]'])
      expectProblem(await asked(await tokenOf(strict['short']!, claims, { iat })), 401, 'claim-invalid')
  })

  test('its list of models bounds every claim and every parameter', async () => {
    const from = (model: unknown) =>
      tokenOf(strict['games']!, goodClaims(gamesIss, { model, constructor: 'toString' }))
    expect(jsonOf(await asked(await from('clans')))).toMatchObject({ model: 'clans', version: 'left' })
    expect(jsonOf(await asked(await from(undefined), '?model=clans'))).toMatchObject({ model: 'clans' })
    expect(jsonOf(await asked(await from(['games', 'offers'])))).toMatchObject({ model: 'games' })
    expect(jsonOf(await asked(await from(['clans', 'clans'])))).toMatchObject({ model: 'clans' })
    expectProblem(await asked(await from(undefined)), 400, 'model-ambiguous')
    for (const model of ['offers', ['offers'], [], '', 'constructor', ['__proto__']])
      expectProblem(await asked(await from(model)), 403, 'model-not-allowed')
    for (const model of [undefined, 'games', ['games', 'offers']])
      expectProblem(await asked(await from(model), '?model=offers'), 403, 'model-not-allowed')
    for (const model of [null, 5, {}, [['games']], ['games', null]])
      expectProblem(await asked(await from(model)), 401, 'claim-invalid')
  })
})

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds
}

describe('times', () => {
  test.each<[name: string, json: () => string]>([
    ['exp', () => `"${inSeconds(600)}"`],
    ['exp', () => `${inSeconds(600)}000`],
    ['exp', () => '253402300800'],
    ['exp', () => '1e300'],
    ['exp', () => '1e999'],
    ['exp', () => '-1'],
    ['exp', () => '-1e999'],
    ['exp', () => 'null'],
    ['exp', () => `[${inSeconds(600)}]`],
    ['exp', () => '{}'],
    ['exp', () => 'true'],
    ['nbf', () => `"${inSeconds(-60)}"`],
    ['nbf', () => `${inSeconds(-60)}000`],
    ['nbf', () => '1e999'],
    ['nbf', () => '-0.5'],
    ['nbf', () => 'null'],
    ['nbf', () => `${inSeconds(120)}.5`],
    ['iat', () => `"${inSeconds(-60)}"`],
    ['iat', () => `${inSeconds(-60)}000`],
    ['iat', () => '1e300'],
    ['iat', () => '-1'],
    ['iat', () => '[]'],
    ['iat', () => `${inSeconds(120)}.5`],
  ])('%s that is none, or not yet', async (name, json) => {
    const reply = await askWith({}, { [name]: json() })
    expectProblem(reply, 401, 'claim-invalid')
    expect(jsonOf(reply)['detail']).toContain(`"${name}"`)
  })

  test('exp: missing; past, also by fractions, in exponents and as -0', async () => {
    expectProblem(await askWith({ exp: undefined }), 401, 'claim-invalid')
    for (const exp of [`${inSeconds(-32)}.75`, '-0', '0', '0.001', '1e9', '1.7e9', '1700000000000e-3'])
      expectProblem(await askWith({}, { exp }), 401, 'token-expired')
  })

  test('fractions, exponents and the last year that has four digits', async () => {
    for (const exp of [
      `${inSeconds(60)}.25`,
      `${inSeconds(-20)}.999`,
      '253402300799',
      '2534023007.99e2',
      '4e9',
    ])
      expect((await askWith({}, { exp })).status).toBe(200)
    for (const name of ['nbf', 'iat'])
      for (const time of ['0', '-0', '0.5', `${inSeconds(-1)}.123456789`, `${inSeconds(20)}.5`])
        expect((await askWith({}, { [name]: time })).status).toBe(200)
  })
})

describe('aud', () => {
  test.each([
    'null',
    '5',
    'true',
    '{}',
    '{"recgate":"recgate"}',
    '[]',
    '[[]]',
    '[["recgate"]]',
    '["recgate",5]',
    '["recgate",null]',
    '""',
    '[""]',
    '"recgate "',
    '"RECGATE"',
    '"recgate\\u0000"',
    '"\\ud800"',
    '["\\udfff"]',
    '"constructor"',
    '"__proto__"',
  ])('%s', async (aud) => {
    expectProblem(await askWith({}, { aud }), 401, 'audience-mismatch')
  })
})

describe('sub', () => {
  test.each(['42', '"42"', '42.0', '4.2e1', '420e-1'])('%s is player 42', async (sub) => {
    expect(await gamesOf({}, { sub })).toMatchObject({
      recommendation: { offer: expect.stringMatching(/ of 42$/) },
    })
  })

  test.each(['-5', '9007199254740991'])('the number %s', async (sub) => {
    expect(await gamesOf({}, { sub })).toMatchObject({
      recommendation: { offer: expect.stringMatching(new RegExp(` of ${sub}$`)) },
    })
  })

  test.each([
    '9007199254740992',
    '1e16',
    '1e999',
    '0.5',
    'true',
    'null',
    '[]',
    '{}',
    '""',
    '"\\u0000"',
    '"player-1\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"player-1\\udfff"',
    `"${'x'.repeat(256)}"`,
    `"${'é'.repeat(128)}"`,
  ])('%s is nobody', async (sub) => {
    expectProblem(await askWith({}, { sub }), 401, 'claim-invalid')
  })

  test('the same characters in another form of Unicode are another player', async () => {
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301']
    expect((await gamesOf({ sub: composed }))['version']).toBe(assigned(composed))
    expect((await gamesOf({ sub: decomposed }))['version']).toBe(assigned(decomposed))
  })

  test.each(['player-1 ', ' player-1', 'Player-1', 'player-1\n', 'ｐlayer-1'])(
    '%j is not player-1',
    async (sub) => {
      expect(await gamesOf({ sub })).toMatchObject({
        reason: 'default',
        recommendation: { offer: 'nothing' },
      })
    },
  )
})

describe('names that every object seems to have', () => {
  test.each(inherited)('a model claim, alone and in a list, and ?model=%s', async (name) => {
    expectProblem(await askWith({ model: name }), 403, 'model-not-allowed')
    expectProblem(await askWith({ model: ['games', name] }, {}, `?model=${name}`), 403, 'model-not-allowed')
    expectProblem(await askWith({}, {}, `?model=${name}`), 403, 'model-not-allowed')
    expectProblem(await askWith({ [name]: 'games', model: undefined }), 401, 'claim-invalid')
  })

  test('parameters that are declared under them', async () => {
    const offers = { model: 'offers' }
    const found = await askWith(offers, {}, '?constructor=toString&valueOf=7')
    expect(jsonOf(found)).toMatchObject({ reason: 'split', recommendation: { offer: 'inherited' } })
    const ignored = await askWith(
      offers,
      {},
      '?valueOf=7&hasOwnProperty=1&hasOwnProperty=2&constructor=toString',
    )
    expect(jsonOf(ignored)).toMatchObject({ recommendation: { offer: 'inherited' } })
    for (const [code, query] of [
      ['parameter-missing', ''],
      ['parameter-missing', '?valueOf=7'],
      ['parameter-missing', '?constructor=DE'],
      ['parameter-repeated', '?constructor=DE&constructor=DE&valueOf=7'],
      ['parameter-invalid', '?constructor=constructor&valueOf=7'],
      ['parameter-invalid', '?constructor=DE&valueOf=valueOf'],
      ['parameter-unknown', '?constructor=DE&valueOf=7&toString=1'],
      ['parameter-unknown', '?constructor=DE&valueOf=7&__proto__=1'],
      ['parameter-unknown', '?constructor=DE&valueOf=7&constructor[prototype]=1'],
    ] as const)
      expectProblem(await askWith(offers, {}, query), 400, code)
  })

  test('a claim of the row key', async () => {
    const clan = { model: 'clans' }
    expect(jsonOf(await askWith({ ...clan, constructor: 'toString' }))).toMatchObject({
      reason: 'split',
      recommendation: { offer: 'left clan' },
    })
    expectProblem(await askWith(clan), 401, 'claim-invalid')
    expectProblem(await askWith(clan, { constructor: '{"name":"toString"}' }), 401, 'claim-invalid')
  })
})

describe('a version that the issuer signs', () => {
  const arm = '"__proto__"'
  /** One whom the split gives the version `left`, and no override anything else. */
  const ofLeft = () => ['player-1', '42', '-5', 'プレイヤー42'].find((player) => assigned(player) === 'left')!

  /** The claim `__proto__`, which an object literal could not hold. */
  async function withArm(claims: Record<string, unknown>, json: string): Promise<Reply> {
    const payload = JSON.stringify(goodClaims(issOf('ES256'), { model: 'games', ...claims }))
    const header = '{"alg":"ES256","kid":"same-kid"}'
    return asked(await signText(signers.ES256, header, payload.replace('{', `{${arm}:${json},`)))
  }

  test('is given, under whatever name the tenant chose for the claim', async () => {
    const sub = ofLeft()
    expect(jsonOf(await withArm({ sub }, '"right"'))).toStrictEqual({
      model: 'games',
      version: 'right',
      reason: 'override',
      recommendation: { offer: `right of ${sub}` },
    })
  })

  test('also one that has no weight', async () => {
    const clan = { model: 'clans', constructor: 'toString' }
    expect(jsonOf(await withArm(clan, '"third"'))).toMatchObject({
      version: 'third',
      reason: 'override',
      recommendation: { offer: 'third clan' },
    })
  })

  test.each([
    '"third"',
    '"seasonal"',
    '"unheard-of"',
    '"Right"',
    '"right "',
    '"r\\u0131ght"',
    '"\\ud800"',
    '""',
    'null',
    '5',
    'true',
    '["right"]',
    '{"right":true}',
    ...inherited.map((name) => JSON.stringify(name)),
  ])('%s is passed over: it is no version of this model', async (json) => {
    const sub = ofLeft()
    expect(jsonOf(await withArm({ sub }, json))).toStrictEqual({
      model: 'games',
      version: 'left',
      reason: 'split',
      recommendation: { offer: `left of ${sub}` },
    })
  })

  test('comes after the document’s overrides', async () => {
    expect(jsonOf(await withArm({ sub: 'player-2' }, '"left"'))).toMatchObject({
      version: 'right',
      reason: 'override',
    })
  })
})
