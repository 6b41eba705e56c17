import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { testRedis } from '../support/redis.ts'
import {
  publishRows,
  type RunningGateway,
  rowsOf,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { type Ask, ask, expectProblem, jsonOf, type Reply } from './client.ts'
import {
  applyWithSalt,
  assignmentsOf,
  gamesDefault,
  gamesModel,
  gamesRecord,
  gamesRows,
  hasItemcfRow,
  playerId,
  playerRecord,
  range,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from './games.ts'

const tenant = 'steam-studio'
const players = 300
const packed = 'application/vnd.recgate.packed'
const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))

const offer = { type: 'string', maxBytes: 24 }
const offersModel = {
  public: true,
  key: [
    { query: 'country', values: ['DE', 'FR', 'Côte d’Ivoire'] },
    { query: 'level', uint: { max: 50 } },
    { query: 'sku', id: { maxBytes: 8 } },
  ],
  record: { offer },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['seasonal'],
  control: 'seasonal',
  weights: { seasonal: 100 },
}
const clanModel = {
  ...offersModel,
  public: false,
  key: [{ claim: 'clan' }, { query: 'country', values: ['DE', 'FR'] }, { claim: 'season' }],
  ignoredParameters: ['utm_source'],
}

let redis: LocalRedis
let tools: Tools
let gateway: RunningGateway
let issuer: StudioIssuer
let listed: StudioIssuer
let single: StudioIssuer
let assigned: (unit: string) => string
/** Units by the version that the split gives them, from among the players. */
let playersOf: Record<string, number[]>
let overridden: number

function tenantDocument(overrides: Record<string, string[]>) {
  return {
    format: 1,
    tenant,
    issuers: [
      issuer.entry(),
      listed.entry({ models: ['games', 'offers'] }),
      single.entry({ models: ['games'] }),
    ],
    claims: { version: 'arm' },
    models: { games: { ...gamesModel, overrides }, offers: offersModel, clan: clanModel },
  }
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  listed = await studioIssuer('https://listed.steam.example', 'k2')
  single = await studioIssuer('https://single.steam.example', 'k3')
  await applyWithSalt(tools, tenantDocument({}), 'L1:7f3a')
  const everybody = range(players)
  await publishRows(tools, [tenant, 'games', 'popular'], gamesRows(everybody, versionSalt.popular))
  await publishRows(
    tools,
    [tenant, 'games', 'itemcf'],
    gamesRows(everybody.filter(hasItemcfRow), versionSalt.itemcf),
  )
  const offers = [
    ['DE', 7, 'a-1', 'german-pack'],
    ['Côte d’Ivoire', 0, 'B_2.x', 'ivorian-pack'],
    ['FR', 50, '12345678', 'french-pack'],
  ] as const
  await publishRows(
    tools,
    [tenant, 'offers', 'seasonal'],
    rowsOf(['country', 'level', 'sku', 'offer'], offers),
  )
  const clans = [['wolves', 'DE', 4, 'wolf-pack']] as const
  await publishRows(
    tools,
    [tenant, 'clan', 'seasonal'],
    rowsOf(['clan', 'country', 'season', 'offer'], clans),
  )
  assigned = await assignmentsOf(tools, tenant, 'games')
  playersOf = { popular: [], itemcf: [] }
  for (const index of everybody) playersOf[assigned(playerId(index))]!.push(index)
  // One whom the split would give the other version.
  overridden = playersOf['popular']!.find(hasItemcfRow)!
  await applyWithSalt(tools, tenantDocument({ itemcf: [playerId(overridden), 'a-stranger'] }), 'unused')
  gateway = await startGateway(testSettings(redis.url))
})

afterAll(async () => {
  await gateway.gateway.stop()
  tools.close()
  await redis.stop()
})

async function recommended(
  claims: Record<string, unknown>,
  options: Ask & { query?: string } = {},
): Promise<Reply> {
  const { query = '', ...rest } = options
  const token = rest.token ?? (await issuer.token({ model: 'games', ...claims }))
  return ask(`${gateway.data}/recommendations${query}`, { ...rest, token })
}

async function answerOf(claims: Record<string, unknown>, options: Ask & { query?: string } = {}) {
  const reply = await recommended(claims, options)
  expect(reply.status).toBe(200)
  return jsonOf(reply)
}

/** What a player must get, worked out without the gateway. */
function expectedFor(index: number) {
  const version = index === overridden ? 'itemcf' : assigned(playerId(index))
  const isSibling = version === 'itemcf' && !hasItemcfRow(index)
  const source = version === 'popular' || isSibling ? 'popular' : 'itemcf'
  const own = index === overridden ? 'override' : 'split'
  return { version, reason: isSibling ? 'sibling' : own, record: playerRecord(index, versionSalt[source]) }
}

describe('every player', () => {
  test('the sample holds each case', () => {
    expect(playersOf['popular']!.length).toBeGreaterThan(100)
    expect(playersOf['itemcf']!.filter(hasItemcfRow).length).toBeGreaterThan(100)
    expect(playersOf['itemcf']!.filter((index) => !hasItemcfRow(index)).length).toBeGreaterThan(2)
  })

  test('gets the row of the assigned version, as JSON and packed', async () => {
    await Promise.all(
      range(players).map(async (index) => {
        const token = await issuer.token({ model: 'games', sub: playerId(index) })
        const { version, reason, record } = expectedFor(index)
        const json = await recommended({}, { token })
        expect(jsonOf(json)).toStrictEqual({ model: 'games', version, reason, recommendation: record })
        const bits = await recommended({}, { token, headers: { accept: packed } })
        expect(bits.headers['content-type']).toBe(packed)
        expect(bits.headers['recgate']).toBe(`v=${version}, r=${reason}`)
        expect(bits.body.equals(codec.encode({ ...record }))).toBe(true)
      }),
    )
  })

  test('a numeric sub is the same player as its text', async () => {
    const clan = { model: 'clan', clan: 'wolves', query: '?country=DE' }
    for (const season of [4, '4'])
      expect(await answerOf({ ...clan, season }, { query: clan.query })).toMatchObject({
        reason: 'split',
        recommendation: { offer: 'wolf-pack' },
      })
  })
})

describe('units', () => {
  test("DESIGN's vectors: salt and unit → slot → version", async () => {
    // 50/50, code-point order: slots 0 to 4,999 are itemcf's.
    const vectors = { 'user-1': 'itemcf', 'user-2': 'popular', プレイヤー42: 'popular', '😀': 'itemcf' }
    for (const [sub, version] of Object.entries(vectors)) {
      expect(assigned(sub)).toBe(version)
      expect(await answerOf({ sub })).toMatchObject({ version })
    }
  })

  test('strangers get the default record, split within 4 sigma and as the domain assigns', async () => {
    const units = 1_000
    let itemcf = 0
    await Promise.all(
      range(units).map(async (index) => {
        const sub = `stranger-${index}`
        const { version, reason, recommendation } = await answerOf({ sub })
        expect({ version, reason, recommendation }).toStrictEqual({
          version: assigned(sub),
          reason: 'default',
          recommendation: gamesDefault,
        })
        if (version === 'itemcf') itemcf++
      }),
    )
    expect(Math.abs(itemcf - units / 2)).toBeLessThan(4 * Math.sqrt(units / 4))
  })

  test('the same unit gets the same version with every token', async () => {
    const sub = playerId(playersOf['itemcf']![0]!)
    for (const jti of range(5)) expect(await answerOf({ sub, jti })).toMatchObject({ version: 'itemcf' })
  })
})

describe('overrides', () => {
  test("the document's", async () => {
    expect(assigned(playerId(overridden))).toBe('popular')
    expect(await answerOf({ sub: playerId(overridden) })).toMatchObject({
      version: 'itemcf',
      reason: 'override',
      recommendation: playerRecord(overridden, versionSalt.itemcf),
    })
  })

  test('of a unit without any row: the reason is whose record it is', async () => {
    expect(await answerOf({ sub: 'a-stranger' })).toMatchObject({ version: 'itemcf', reason: 'default' })
  })

  test('a signed version, also without a row of its own', async () => {
    const ofPopular = playersOf['popular']!.find((index) => index !== overridden && hasItemcfRow(index))!
    const cold = playersOf['popular']!.find((index) => !hasItemcfRow(index))!
    expect(await answerOf({ sub: playerId(ofPopular), arm: 'itemcf' })).toMatchObject({
      version: 'itemcf',
      reason: 'override',
      recommendation: playerRecord(ofPopular, versionSalt.itemcf),
    })
    expect(await answerOf({ sub: playerId(cold), arm: 'itemcf' })).toMatchObject({
      version: 'itemcf',
      reason: 'sibling',
      recommendation: playerRecord(cold, versionSalt.popular),
    })
  })

  test.each(['gone', '', 'ITEMCF', 'constructor', '__proto__', 5, null, ['itemcf'], { itemcf: true }])(
    'a signed version that does not exist is passed over: %j',
    async (arm) => {
      const ofPopular = playersOf['popular']!.find((index) => index !== overridden)!
      expect(await answerOf({ sub: playerId(ofPopular), arm })).toMatchObject({
        version: 'popular',
        reason: 'split',
      })
    },
  )

  test('only the claim that the tenant named signs a version', async () => {
    const ofPopular = playersOf['popular']!.find((index) => index !== overridden)!
    expect(await answerOf({ sub: playerId(ofPopular), version: 'itemcf' })).toMatchObject({
      version: 'popular',
      reason: 'split',
    })
  })

  test("the document's comes before a signed one", async () => {
    expect(await answerOf({ sub: playerId(overridden), arm: 'popular' })).toMatchObject({
      version: 'itemcf',
      reason: 'override',
    })
  })
})

describe('the model', () => {
  const offerQuery = 'country=DE&level=7&sku=a-1'

  test.each([
    ['?model=games', 'games'],
    [`?model=offers&${offerQuery}`, 'offers'],
    [`?${offerQuery}&model=offers`, 'offers'],
  ])('%s chooses within a list claim', async (query, model) => {
    expect(await answerOf({ model: ['games', 'offers'] }, { query })).toMatchObject({ model })
  })

  test('a list of one, or a name, needs no parameter and bears its own', async () => {
    for (const model of ['games', ['games']])
      for (const query of ['', '?model=games'])
        expect(await answerOf({ model }, { query })).toMatchObject({ model: 'games' })
  })

  test("an issuer's list stands in for a missing claim", async () => {
    const fromSingle = await single.token()
    expect(await answerOf({}, { token: fromSingle })).toMatchObject({ model: 'games' })
    const fromListed = await listed.token()
    expect(await answerOf({}, { token: fromListed, query: '?model=games' })).toMatchObject({ model: 'games' })
    expect(await answerOf({}, { token: fromListed, query: `?model=offers&${offerQuery}` })).toMatchObject({
      model: 'offers',
    })
    expectProblem(await recommended({}, { token: fromListed }), 400, 'model-ambiguous')
    const clan = await recommended({}, { token: fromListed, query: '?model=clan' })
    expectProblem(clan, 403, 'model-not-allowed')
  })

  test("a claim chooses within the issuer's list, and not beyond it", async () => {
    const both = await listed.token({ model: ['games', 'clan'] })
    expect(await answerOf({}, { token: both })).toMatchObject({ model: 'games' })
    expectProblem(await recommended({}, { token: both, query: '?model=clan' }), 403, 'model-not-allowed')
    const beyond = await single.token({ model: 'offers' })
    expectProblem(await recommended({}, { token: beyond, query: `?${offerQuery}` }), 403, 'model-not-allowed')
  })
})

describe('a row key of query parameters', () => {
  test.each([
    ['country=DE&level=7&sku=a-1', 'german-pack'],
    ['sku=a-1&country=DE&level=7', 'german-pack'],
    ['country=%44E&level=%37&sku=a%2D1', 'german-pack'],
    [`country=${encodeURIComponent('Côte d’Ivoire')}&level=0&sku=B_2.x`, 'ivorian-pack'],
    [
      `country=${encodeURIComponent('Côte d’Ivoire').replaceAll('%20', '+')}&level=0&sku=B_2.x`,
      'ivorian-pack',
    ],
    ['country=FR&level=50&sku=12345678', 'french-pack'],
  ])('%s', async (query, found) => {
    expect(await answerOf({ model: 'offers' }, { query: `?${query}` })).toStrictEqual({
      model: 'offers',
      version: 'seasonal',
      reason: 'split',
      recommendation: { offer: found },
    })
  })

  test('is the same for every player, and another row gives the default', async () => {
    const query = '?country=DE&level=7&sku=a-1'
    for (const sub of ['player-1', 'player-2', '😀'])
      expect(await answerOf({ model: 'offers', sub }, { query })).toMatchObject({ reason: 'split' })
    expect(await answerOf({ model: 'offers' }, { query: '?country=DE&level=8&sku=a-1' })).toMatchObject({
      reason: 'default',
      recommendation: { offer: 'welcome-pack' },
    })
  })

  test('with claims between: each part counts, in declared order', async () => {
    const claims = { model: 'clan', clan: 'wolves', season: 4 }
    const query = '?country=DE&utm_source=mail&utm_source=twice'
    expect(await answerOf(claims, { query })).toMatchObject({ recommendation: { offer: 'wolf-pack' } })
    for (const other of [{ clan: 'bears' }, { season: 5 }, { clan: '4', season: 'wolves' }])
      expect(await answerOf({ ...claims, ...other }, { query })).toMatchObject({ reason: 'default' })
    expect(await answerOf(claims, { query: '?country=FR' })).toMatchObject({ reason: 'default' })
  })
})
