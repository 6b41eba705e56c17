import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchScope, itemsOf, postBatch } from '../http/batch-client.ts'
import { ask } from '../http/client.ts'
import {
  gamesModel,
  gamesRows,
  playerId,
  range,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from '../http/games.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'

/** Whatever stands in a batch, each of its units gets what a request with a token of its own gets. */

const tenant = 'steam-studio'
const clan = {
  ...gamesModel,
  key: [{ claim: 'clan' }, { query: 'level', uint: { max: 3 } }, { claim: 'sub' }],
  ignoredParameters: ['utm'],
  record: { offer: { type: 'string', maxBytes: 24 } },
  default: 'none',
}

let site: Site
let gateway: RunningGateway
let issuer: StudioIssuer
let service: string

beforeAll(async () => {
  site = await openSite(await testRedis())
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  await applyDocument(site.tools, {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    claims: { version: 'arm' },
    models: { games: { ...gamesModel, overrides: { itemcf: [playerId(2), 'a'] } }, clan },
  })
  const rows = gamesRows(range(10), versionSalt.popular)
  await publishRows(site.tools, [tenant, 'games', 'popular'], rows)
  await publishRows(site.tools, [tenant, 'games', 'itemcf'], gamesRows(range(5), versionSalt.itemcf))
  const clans = ['wolves', '4'].flatMap((name) =>
    range(2).map((level) => [name, level, 'a', `${name}-${level}`]),
  )
  await publishRows(site.tools, [tenant, 'clan', 'popular'], rowsOf(['clan', 'level', 'sub', 'offer'], clans))
  gateway = await site.startGateway(testSettings(site.redis.url))
  service = await issuer.token({ sub: 'server', model: ['games', 'clan'], scope: batchScope })
})

afterAll(() => site.stop())

const name = fc.oneof(
  fc.integer({ min: 0, max: 11 }).map(playerId),
  fc.constantFrom(
    'a',
    'wolves',
    '',
    'x'.repeat(256),
    '__proto__',
    'constructor',
    'プレイヤー42',
    'a\0b',
    '\ud800',
  ),
  fc.string({ maxLength: 8 }),
  fc.integer(),
)
const level = fc.constantFrom<string | number>(0, '1', 2, 4, '01', 'x', '')

interface Asked {
  readonly unit: string | number
  readonly claims: Record<string, string | number>
  readonly parameters: Record<string, string | number>
}

const unitOf = (
  claims: Record<string, fc.Arbitrary<string | number>>,
  parameters: typeof claims,
): fc.Arbitrary<Asked> =>
  fc.record({
    unit: name,
    claims: fc.record(claims, { requiredKeys: [] }) as fc.Arbitrary<Asked['claims']>,
    parameters: fc.record(parameters, { requiredKeys: [] }) as fc.Arbitrary<Asked['parameters']>,
  })

const arm = fc.constantFrom('itemcf', 'popular', 'gone')

/** What the unit's own token gets: the body, with a code for a body's fault where the token's is at fault. */
async function single(model: string, { unit, claims, parameters }: Asked): Promise<unknown> {
  const token = await issuer.token({ ...claims, sub: unit, model })
  const query = new URLSearchParams(parameters as Record<string, string>)
  const { body } = await ask(`${gateway.data}/recommendations?${query}`, { token })
  const answer = JSON.parse(body.toString()) as Record<string, unknown>
  if (answer['code'] === 'claim-invalid') return { code: 'unit-invalid' }
  return 'code' in answer ? { code: answer['code'] } : answer
}

async function check(
  model: string,
  unit: fc.Arbitrary<Asked>,
  shared: fc.Arbitrary<Asked['parameters']>,
): Promise<Set<unknown>> {
  const seen = new Set<unknown>()
  await fc.assert(
    fc.asyncProperty(fc.array(unit, { maxLength: 25 }), shared, async (units, parameters) => {
      const compared = async () => {
        const items = itemsOf(await postBatch(gateway.data, { model, parameters, units }, { token: service }))
        const singles = await Promise.all(
          units.map((one) => single(model, { ...one, parameters: { ...parameters, ...one.parameters } })),
        )
        return { items: items.map((item) => ('code' in item ? { code: item.code } : item)), singles }
      }
      let { items, singles } = await compared()
      // A machine that is busy elsewhere may stall Redis, and something stand in for rows; not twice in a row.
      if (!isDeepStrictEqual(items, singles)) ({ items, singles } = await compared())
      expect(items).toEqual(singles)
      for (const item of items) seen.add('code' in item ? item.code : item.reason)
    }),
    { numRuns: 40 },
  )
  return seen
}

describe('a batch', () => {
  test('of a model whose row key is the unit', async () => {
    const seen = await check('games', unitOf({ arm }, {}), fc.constant({}))
    expect([...seen].sort()).toEqual(['default', 'override', 'sibling', 'split', 'unit-invalid'])
  })

  test('of a model whose row key has claims and parameters, and which has no default record', async () => {
    const unit = unitOf({ arm, clan: name }, { level, utm: fc.string() })
    const seen = await check('clan', unit, fc.constantFrom({}, { level: 1 }, { utm: 'x', level: '0' }))
    const common = [
      'unit-invalid',
      'parameter-missing',
      'parameter-invalid',
      'record-not-found',
      'store-unavailable',
    ]
    expect([...seen]).toEqual(expect.arrayContaining(common))
  })
})
