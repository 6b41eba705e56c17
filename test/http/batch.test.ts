import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { answeredBatch, batchScope, itemsOf, packedBatch, postBatch, unframed } from './batch-client.ts'
import { type Ask, ask } from './client.ts'
import {
  applyWithSalt,
  gamesModel,
  gamesRows,
  hasItemcfRow,
  playerId,
  range,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from './games.ts'

/** A batch answers for each of its units what a request with that unit's own token gets. */

const tenant = 'steam-studio'
const players = 300
const packed = 'application/vnd.recgate.packed'

const clanModel = {
  key: [{ claim: 'clan' }, { query: 'country', values: ['DE', 'FR'] }, { query: 'level', uint: { max: 50 } }],
  ignoredParameters: ['utm_source'],
  record: { offer: { type: 'string', maxBytes: 24 } },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['seasonal', 'other'],
  control: 'seasonal',
  weights: { seasonal: 50, other: 50 },
}
const longModel = {
  ...clanModel,
  key: [{ claim: 'sub' }],
  record: { story: { type: 'string', maxBytes: 16_000 } },
  default: 'none',
  versions: ['v1'],
  control: 'v1',
  weights: { v1: 100 },
}

let site: Site
let gateway: RunningGateway
let issuer: StudioIssuer
let service: string

beforeAll(async () => {
  site = await openSite(await testRedis())
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  const overrides = { itemcf: [playerId(3), 'a-stranger'], popular: [playerId(5)] }
  await applyWithSalt(
    site.tools,
    {
      format: 1,
      tenant,
      issuers: [issuer.entry()],
      claims: { version: 'arm' },
      models: {
        games: { ...gamesModel, overrides },
        strict: { ...gamesModel, default: 'none' },
        clan: clanModel,
        long: longModel,
      },
    },
    'L1:7f3a',
  )
  const everybody = range(players)
  const withRow = everybody.filter(hasItemcfRow)
  for (const model of ['games', 'strict'])
    await publishRows(site.tools, [tenant, model, 'popular'], gamesRows(everybody, versionSalt.popular))
  await publishRows(site.tools, [tenant, 'games', 'itemcf'], gamesRows(withRow, versionSalt.itemcf))
  const clans = [
    ['wolves', 'DE', 7, 'wolf-pack'],
    ['wolves', 'FR', 7, 'loup-pack'],
    ['4', 'DE', 0, 'four-pack'],
  ] as const
  for (const version of ['seasonal', 'other'])
    await publishRows(
      site.tools,
      [tenant, 'clan', version],
      rowsOf(['clan', 'country', 'level', 'offer'], clans),
    )
  const story = 'x'.repeat(16_000)
  await publishRows(site.tools, [tenant, 'long', 'v1'], rowsOf(['sub', 'story'], [['long', story]]))
  gateway = await site.startGateway(testSettings(site.redis.url))
  service = await serviceToken()
})

afterAll(() => site.stop())

function serviceToken(more: Record<string, unknown> = {}): Promise<string> {
  const model = ['games', 'strict', 'clan', 'long']
  return issuer.token({ sub: 'game-server', model, scope: batchScope, ...more })
}

/** What a player with a token of his own gets. */
async function single(claims: Record<string, unknown>, options: Ask & { query?: string } = {}) {
  const { query = '', ...rest } = options
  const token = await issuer.token({ model: 'games', ...claims })
  return ask(`${gateway.data}/recommendations${query}`, { ...rest, token })
}

async function singleBody(claims: Record<string, unknown>, query = ''): Promise<unknown> {
  return JSON.parse((await single(claims, { query })).body.toString())
}

describe('a thousand units', () => {
  /** Players, some of them twice, and strangers, of whom one is overridden. */
  const units = [
    ...range(players).map(playerId),
    ...range(limits.batchUnitsMax - players - 200).map((index) => `stranger-${index}`),
    ...range(199).map((index) => playerId(index * 2)),
    'a-stranger',
  ]

  const known = new Set(range(players).filter(hasItemcfRow).map(playerId))
  /** A busy machine may cut the connection to Redis, for it has only 250 ms: then something stands in for rows. */
  const stoodIn = (unit: string, reason: unknown) =>
    reason === 'stale' || (known.has(unit) && (reason === 'default' || reason === 'sibling'))

  test('get, in their order, the bodies of their own requests', async () => {
    await until('Redis answers for each of them', async () => {
      const reply = await postBatch(gateway.data, { model: 'games', units }, { token: service })
      const items = itemsOf(reply).map((item) => ('reason' in item ? item.reason : item.code))
      const replies = await Promise.all(units.map((sub) => single({ sub })))
      const bodies = replies.map(({ body }) => body.toString())
      const reasonOf = (body: string) => (JSON.parse(body) as { reason: string }).reason
      if (units.some((unit, index) => stoodIn(unit, items[index]) || stoodIn(unit, reasonOf(bodies[index]!))))
        return false
      // What differs is told, and not all of it.
      expect(units.filter((_, index) => !reply.body.includes(bodies[index]!))).toEqual([])
      expect(reply.body.equals(Buffer.from(`{"items":[${bodies.join(',')}]}`))).toBe(true)
      expect([...new Set(items)].sort()).toEqual(['default', 'override', 'sibling', 'split'])
      return true
    })
  })

  test('get the same packed, with version and reason beside', async () => {
    await until('Redis answers for each of them', async () => {
      const headers = { accept: packedBatch }
      const reply = await postBatch(gateway.data, { model: 'games', units }, { token: service, headers })
      expect(reply.headers['content-type']).toBe(packedBatch)
      const framed = unframed(reply.body)
      const replies = await Promise.all(units.map((sub) => single({ sub }, { headers: { accept: packed } })))
      const ownHeads = replies.map((own) => `${own.status} ${String(own.headers['recgate'])}`)
      if (
        units.some(
          (unit, index) =>
            stoodIn(unit, framed[index]!.word) || stoodIn(unit, ownHeads[index]!.split('r=')[1]),
        )
      )
        return false
      expect(framed.map(({ status, version, word }) => `${status} v=${version}, r=${word}`)).toEqual(ownHeads)
      expect(units.filter((_, index) => !framed[index]!.body.equals(replies[index]!.body))).toEqual([])
      return true
    })
  })
})

describe('the answer', () => {
  test('is kept by nobody, and read by no page', async () => {
    const open = await site.startGateway(testSettings(site.redis.url, { RECGATE_CORS_ORIGINS: '*' }))
    const headers = { origin: 'https://game.example' }
    const reply = await postBatch(open.data, { model: 'games', units: ['1'] }, { token: service, headers })
    itemsOf(reply)
    const { date: _date, ...fields } = reply.headers
    expect(fields).toEqual({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'content-length': String(reply.body.length),
    })
  })

  test('to no units has no items', async () => {
    const body = { model: 'games', units: [] }
    expect(await answeredBatch(gateway.data, body, service)).toEqual([])
    const framed = await postBatch(gateway.data, body, { token: service, headers: { accept: packedBatch } })
    expect(framed.body.toString('hex')).toBe('0100000000')
  })

  test('to one, byte for byte', async () => {
    const body = { model: 'clan', parameters: { country: 'DE', level: 7 } }
    const units = [{ unit: 'x', claims: { clan: 'wolves', arm: 'other' } }, { unit: '' }]
    const reply = await postBatch(
      gateway.data,
      { ...body, units },
      { token: service, headers: { accept: packedBatch } },
    )
    const detail = 'the unit is empty, but must have at least one character'
    // maxBytes 24: the length in 5 bits, 01001, and then the text, moved by them.
    const record = Buffer.from(bitsOf('00000001', '01001', 'wolf-pack')).toString('hex')
    const bytes = [
      '01 00000002',
      `00c8 05 ${hex('other')} 08 ${hex('override')} 0000000b ${record}`,
      `0190 00 0c ${hex('unit-invalid')} 000000${detail.length.toString(16)} ${hex(detail)}`,
    ]
    expect(reply.body.toString('hex')).toBe(bytes.join('').replaceAll(' ', ''))
  })

  test('stops where it would be too large, in order', async () => {
    const units = Array.from({ length: 300 }, () => 'long')
    const items = await answeredBatch(gateway.data, { model: 'long', units }, service)
    const answered = items.filter((item) => 'reason' in item).length
    const bytes = JSON.stringify(items[0]).length
    expect(answered).toBe(Math.floor(limits.batchAnswerBytesMax / bytes))
    for (const item of items.slice(answered))
      expect(item).toMatchObject({ status: 413, code: 'batch-too-large' })
    const rest = { model: 'long', units: units.slice(answered) }
    const headers = { accept: packedBatch }
    const framed = unframed((await postBatch(gateway.data, rest, { token: service, headers })).body)
    expect(framed.every(({ status, word }) => status === 200 && word === 'split')).toBe(true)
  })
})

function hex(text: string): string {
  return Buffer.from(text).toString('hex')
}

/** Bits, and then a text's, filled up with zeros. */
function bitsOf(...parts: [...bits: string[], text: string]): number[] {
  const text = parts.pop()!
  const all =
    parts.join('') + [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const bytes = all.match(/.{1,8}/g) ?? []
  return bytes.map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2))
}

describe('a unit', () => {
  test('that is a number is the same as its text', async () => {
    const [number, text] = await answeredBatch(gateway.data, { model: 'games', units: [42, '42'] }, service)
    expect(number).toEqual(text)
    expect(number).toEqual(await singleBody({ sub: 42 }))
  })

  test('may have the claims that its own token would have', async () => {
    const units = [
      { unit: playerId(0), claims: { arm: 'itemcf' } },
      { unit: playerId(0), claims: { arm: 'popular' } },
      { unit: playerId(0), claims: { arm: 'gone' } },
      { unit: playerId(3), claims: { arm: 'popular' } },
    ]
    const items = await answeredBatch(gateway.data, { model: 'games', units }, service)
    for (const [index, { unit, claims }] of units.entries())
      expect(items[index]).toEqual(await singleBody({ sub: unit, ...claims }))
    expect(items.map((item) => 'reason' in item && [item.version, item.reason])).toEqual([
      ['itemcf', 'override'],
      ['popular', 'override'],
      [expect.any(String), 'split'],
      ['itemcf', 'override'],
    ])
  })

  test("the service's own token is nobody's: neither its subject nor its claims count", async () => {
    const arm = await serviceToken({ arm: 'itemcf', clan: 'wolves' })
    const [item] = await answeredBatch(gateway.data, { model: 'games', units: [playerId(5)] }, arm)
    expect(item).toEqual(await singleBody({ sub: playerId(5) }))
    const clan = { model: 'clan', parameters: { country: 'DE', level: 7 }, units: ['x'] }
    expect(await answeredBatch(gateway.data, clan, arm)).toMatchObject([{ code: 'unit-invalid' }])
  })

  test('may have parameters of its own, which go before those of all', async () => {
    const clan = { clan: 'wolves' }
    const asked = [
      { claims: clan, query: '?country=DE&level=7' },
      { claims: clan, parameters: { country: 'FR' }, query: '?country=FR&level=7' },
      { claims: clan, parameters: { level: 8, utm_source: 'mail' }, query: '?country=DE&level=8' },
      { claims: { clan: 4 }, parameters: { level: '0' }, query: '?country=DE&level=0' },
    ]
    const units = asked.map(({ query: _query, ...unit }) => ({ unit: 'x', ...unit }))
    const body = { model: 'clan', parameters: { country: 'DE', level: 7 }, units }
    const items = await answeredBatch(gateway.data, body, service)
    for (const [index, { claims, query }] of asked.entries())
      expect(items[index]).toEqual(await singleBody({ model: 'clan', sub: 'x', ...claims }, query))
    expect(items.map((item) => 'reason' in item && item.recommendation['offer'])).toEqual([
      'wolf-pack',
      'loup-pack',
      'welcome-pack',
      'four-pack',
    ])
  })
})

describe('a unit fails alone', () => {
  const clan = { model: 'clan', parameters: { country: 'DE' } }
  const good = { unit: 'x', claims: { clan: 'wolves' }, parameters: { level: 7 } }
  const half = JSON.parse('"\\ud800"') as string

  test.each<[what: string, unit: unknown, code: string, detail: RegExp]>([
    ['empty', '', 'unit-invalid', /^the unit is empty/],
    ['with NUL', 'a\0b', 'unit-invalid', /^the unit holds a NUL/],
    ['with half a pair', half, 'unit-invalid', /^the unit holds half of a surrogate pair/],
    ['a fraction', 1.5, 'unit-invalid', /^the unit is 1.5, which has a fraction/],
    ['too large a number', 2 ** 53, 'unit-invalid', /write it as a string$/],
    ['null', null, 'unit-invalid', /^the unit is null, but must be/],
    ['a list', ['x'], 'unit-invalid', /^the unit is a list, but must be/],
    ['true', true, 'unit-invalid', /^the unit is a boolean, but must be/],
    ['an object without unit', { claims: {} }, 'unit-invalid', /^the unit is missing/],
    ['an object in it', { unit: { unit: 'x' } }, 'unit-invalid', /^the unit is an object/],
    ['claims of another kind', { ...good, claims: 'clan' }, 'unit-invalid', /^"claims" must be an object/],
    ['a __proto__', JSON.parse('{"unit":"x","claims":{"__proto__":"w"}}'), 'unit-invalid', /"__proto__"/],
    ['an unknown field', { ...good, model: 'games' }, 'unit-invalid', /^"model" is not a known field here$/],
    [
      'a claim missing',
      { unit: 'x', parameters: { level: 7 } },
      'unit-invalid',
      /^the claim "clan" is missing/,
    ],
    ['a claim empty', { ...good, claims: { clan: '' } }, 'unit-invalid', /^the claim "clan" is empty/],
    [
      'a claim of another kind',
      { ...good, claims: { clan: ['w'] } },
      'unit-invalid',
      /^"claims.clan" must be a text/,
    ],
    [
      'a claim that means nothing',
      { ...good, claims: { clan: 'w', sub: 'y' } },
      'unit-invalid',
      /^the claim "sub" is not known/,
    ],
    [
      'a long row key',
      { ...good, claims: { clan: 'w'.repeat(256) } },
      'parameter-invalid',
      /^the row key has/,
    ],
    [
      'a parameter missing',
      { unit: 'x', claims: { clan: 'w' } },
      'parameter-missing',
      /^the parameter "level" is missing/,
    ],
    [
      'a parameter unfit',
      { ...good, parameters: { level: 51 } },
      'parameter-invalid',
      /^the parameter "level" must be/,
    ],
    [
      'a parameter unknown',
      { ...good, parameters: { level: 7, cuontry: 'DE' } },
      'parameter-unknown',
      /"cuontry"/,
    ],
    [
      'the model as a parameter',
      { ...good, parameters: { level: 7, model: 'games' } },
      'parameter-unknown',
      /beside "units"/,
    ],
  ])('%s', async (_what, unit, code, detail) => {
    const reply = await postBatch(gateway.data, { ...clan, units: [good, unit, good] }, { token: service })
    const [first, refused, last] = itemsOf(reply)
    expect(first).toMatchObject({ recommendation: { offer: 'wolf-pack' } })
    expect(last).toEqual(first)
    expect(refused).toMatchObject({
      type: 'about:blank',
      status: 400,
      code,
      detail: expect.stringMatching(detail),
    })
  })

  test('where its model has neither a row nor a default record', async () => {
    const units = [playerId(0), 'a-stranger', ...range(40).map((index) => `stranger-${index}`)]
    const items = await answeredBatch(gateway.data, { model: 'strict', units }, service)
    const codes = await Promise.all(
      units.map(async (sub) => (await single({ model: 'strict', sub })).body.toString()),
    )
    expect(items).toEqual(codes.map((body) => JSON.parse(body) as unknown))
    expect(items[1]).toMatchObject({ status: 404, code: 'record-not-found' })
    // The version `itemcf` has no table.
    expect(items.some((item) => 'code' in item && item.code === 'store-unavailable')).toBe(true)
  })
})
