import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { limits } from '../../src/domain/limits.ts'
import { activeGeneration } from '../../src/domain/tenant-state.ts'
import { durationBuckets, metricNames } from '../../src/metrics/names.ts'
import { tableKeys } from '../../src/redis/keys.ts'
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
import { answeredBatch, batchScope } from './batch-client.ts'
import { type Ask, ask, exchange, expectProblem, jsonOf, requestText } from './client.ts'
import { type Family, parseExposition, type Sample, scrape, valuesOf } from './exposition.ts'
import { gamesModel, gamesRows, playerId, range, type StudioIssuer, studioIssuer } from './games.ts'

const tenant = 'steam-studio'
const packed = 'application/vnd.recgate.packed'
const players = range(10)
const cold = 9

let redis: LocalRedis
let tools: Tools
let issuer: StudioIssuer
let revision: number

/** Refused before any connection, since the address is not public. */
const unreachableKeys = { url: 'https://127.0.0.1/jwks.json' }

function tenantDocument(maxAgeSeconds = 300) {
  const model = {
    key: [{ claim: 'sub' }],
    record: { title: { type: 'string', maxBytes: 64 } },
    default: { title: 'nothing' },
    deadlineMs: 10_000,
    versions: ['v1'],
    control: 'v1',
    weights: { v1: 100 },
  }
  return {
    format: 1,
    tenant,
    issuers: [issuer.entry(), { ...issuer.entry(), issuer: 'https://by-url.example', jwks: unreachableKeys }],
    claims: { version: 'arm' },
    models: {
      games: { ...gamesModel, maxAgeSeconds, maxAgeHours: { itemcf: 6 } },
      unpublished: model,
      damaged: model,
      garbled: model,
      strict: { ...model, default: 'none' },
    },
  }
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  await applyDocument(tools, tenantDocument())
  await publishRows(tools, [tenant, 'games', 'popular'], gamesRows(players, 1))
  await publishRows(tools, [tenant, 'games', 'itemcf'], gamesRows(players.slice(0, cold), 2))
  const row = [['player-1', 'row']] as const
  const bucketOf = async (model: string) => {
    const { generation, catalogRevision } = await publishRows(
      tools,
      [tenant, model, 'v1'],
      rowsOf(['sub', 'title'], row),
    )
    revision = catalogRevision
    return `${tableKeys.bucketPrefix(tenant, model, generation)}0`
  }
  const client = new Redis(redis.url)
  // As an eviction leaves it, and as a stray writer does.
  await client.del(await bucketOf('damaged'))
  await client.hset(await bucketOf('garbled'), 'player-1', Buffer.from([1, 255, 255, 255]))
  client.disconnect()
})

afterAll(async () => {
  tools.close()
  await redis.stop()
})

async function withGateway(
  use: (gateway: RunningGateway) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
  url = redis.url,
): Promise<void> {
  const gateway = await startGateway(testSettings(url, settings))
  try {
    await use(gateway)
  } finally {
    await gateway.gateway.stop()
  }
}

describe('health', () => {
  test('ready: engine, tenants, nothing broken', async () => {
    await withGateway(async ({ data, ops }) => {
      expect(jsonOf(await ask(`${ops}/healthz`))).toStrictEqual({ status: 'up' })
      const up = await ask(`${data}/healthz`)
      expect(up).toMatchObject({
        status: 200,
        headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' },
      })
      expect(up.body.toString()).toBe('up')
      await until(
        'the engine is known',
        async () => jsonOf(await ask(`${ops}/readyz`))['engine'] !== 'not connected',
      )
      const ready = await ask(`${ops}/readyz`)
      expect(ready.status).toBe(200)
      expect(jsonOf(ready)).toStrictEqual({
        status: 'ready',
        draining: false,
        engine: expect.stringMatching(/^(Redis|Valkey) \d|^js-redis-server/),
        catalog: {
          ready: true,
          source: 'catalog',
          reachable: true,
          readAgeSeconds: expect.any(Number),
          tenants: 1,
          fromDisk: { tenants: 0, savedAt: null },
          problems: {},
        },
      })
    })
  })

  test('unready, but alive, while no catalog has been read', async () => {
    const nowhere = 'redis://127.0.0.1:1'
    await withGateway(
      async ({ data, admin, ops }) => {
        expect((await ask(`${ops}/healthz`)).status).toBe(200)
        expect((await ask(`${data}/healthz`)).status).toBe(200)
        const unready = await ask(`${ops}/readyz`)
        expect(unready.status).toBe(503)
        expect(jsonOf(unready)).toStrictEqual({
          status: 'unready',
          draining: false,
          engine: 'not connected',
          catalog: {
            ready: false,
            source: 'none',
            reachable: false,
            readAgeSeconds: expect.any(Number),
            tenants: 0,
            fromDisk: { tenants: 0, savedAt: null },
            problems: {},
          },
        })
        expect((await ask(`${admin}/api/tenants`)).status).toBe(503)
        parseExposition((await ask(`${ops}/metrics`)).body.toString())
      },
      {},
      nowhere,
    )
  })

  test('each plane serves its own paths only', async () => {
    await withGateway(async ({ admin, ops }) => {
      for (const url of [`${admin}/recommendations`, `${admin}/metrics`, `${admin}/readyz`])
        expect((await ask(url)).status).toBe(404)
      for (const url of [`${ops}/recommendations`, `${ops}/api/tenants`]) {
        const reply = await ask(url)
        expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
        expect(jsonOf(reply)).toMatchObject({ status: 404, code: 'path-not-found' })
      }
    })
  })
})

/** One request of the series, and what it must be counted as. */
interface Counted {
  readonly claims?: Record<string, unknown>
  readonly query?: string
  readonly ask?: Ask
  readonly times: number
  readonly status: number
  /** model, version, reason, cause, format; or a refusal's tenant and code. */
  readonly as: { readonly answer: string } | { readonly refusal: string }
}

function answered(
  claims: Record<string, unknown>,
  times: number,
  answer: string,
  accept = 'application/json',
): Counted {
  return { claims, times, status: 200, ask: { headers: { accept } }, as: { answer } }
}

const player = { model: 'games', sub: playerId(0), arm: 'itemcf' }
const garbled = { model: 'garbled', sub: 'player-1' }

const series: readonly Counted[] = [
  answered(player, 3, 'games,itemcf,override,,json'),
  answered(player, 2, 'games,itemcf,override,,packed', packed),
  answered({ ...player, arm: 'popular' }, 1, 'games,popular,override,,json'),
  answered({ ...player, sub: playerId(cold) }, 4, 'games,itemcf,sibling,unknown-row,json'),
  answered({ ...player, sub: 'nobody' }, 2, 'games,itemcf,default,unknown-row,json'),
  answered({ ...player, sub: 'nobody' }, 1, 'games,itemcf,default,unknown-row,packed', packed),
  answered({ model: 'unpublished' }, 2, 'unpublished,v1,default,no-table,json'),
  answered({ model: 'damaged', sub: 'player-1' }, 3, 'damaged,v1,default,table-damaged,json'),
  answered(garbled, 1, 'garbled,v1,default,table-damaged,json'),
  { times: 5, status: 401, ask: { token: 'x.y.z' }, as: { refusal: ',token-invalid' } },
  { claims: { ...player, exp: 1 }, times: 2, status: 401, as: { refusal: `${tenant},token-expired` } },
  {
    claims: { ...player, aud: 'other' },
    times: 1,
    status: 401,
    as: { refusal: `${tenant},audience-mismatch` },
  },
  { claims: { model: 'nothing' }, times: 3, status: 403, as: { refusal: `${tenant},model-not-allowed` } },
  { claims: player, query: '?x=1', times: 2, status: 400, as: { refusal: `${tenant},parameter-unknown` } },
  {
    claims: player,
    ask: { headers: { 'recgate-deadline-ms': '4' } },
    times: 1,
    status: 400,
    as: { refusal: `${tenant},header-invalid` },
  },
  {
    claims: player,
    ask: { headers: { accept: 'text/html' } },
    times: 1,
    status: 406,
    as: { refusal: `${tenant},not-acceptable` },
  },
  {
    claims: { model: 'strict', sub: 'x' },
    times: 2,
    status: 503,
    as: { refusal: `${tenant},store-unavailable` },
  },
  { query: '/x', times: 2, status: 404, as: { refusal: ',path-not-found' } },
  { ask: { method: 'POST' }, times: 1, status: 405, as: { refusal: ',method-not-allowed' } },
  { query: `?x=${'x'.repeat(limits.urlBytesMax)}`, times: 1, status: 414, as: { refusal: ',url-too-long' } },
]

async function run(
  data: string,
  { claims, query = '', ask: asked = {}, times, status }: Counted,
): Promise<void> {
  for (let time = 0; time < times; time++) {
    const token = claims === undefined ? {} : { token: await issuer.token(claims) }
    const reply = await ask(`${data}/recommendations${query}`, { ...token, ...asked })
    expect({ query, claims, status: reply.status }).toStrictEqual({ query, claims, status })
  }
}

/** What the counters must say after the series, times `rounds`. */
function expectedCounts(rounds: number) {
  const requests: Record<string, number> = {}
  const refusals: Record<string, number> = {}
  const durations: Record<string, number> = {}
  const add = (counts: Record<string, number>, key: string, times: number) => {
    counts[key] = (counts[key] ?? 0) + times * rounds
  }
  for (const { as, status, times } of series) {
    if ('answer' in as) {
      add(requests, `${tenant},${as.answer},2xx`, times)
      add(durations, `${tenant},${as.answer.split(',')[0]}`, times)
    } else {
      const owner = as.refusal.split(',')[0]
      add(refusals, as.refusal, times)
      add(requests, `${owner},,,,,,${Math.floor(status / 100)}xx`, times)
      add(durations, `${owner},`, times)
    }
  }
  return { requests, refusals, durations }
}

describe('/metrics', () => {
  test('counts exactly what was asked, also over a reload of the catalog', async () => {
    await withGateway(async ({ gateway, data, ops }) => {
      const startedAt = performance.now()
      for (const counted of series) await run(data, counted)
      await expectCounts(ops, 1, startedAt)

      const newest = await applyDocument(tools, tenantDocument(301))
      await until(
        'the gateway has reloaded',
        () => gateway.snapshots.current()?.tenants.get(tenant)?.revision === newest,
      )
      await expectCounts(ops, 1, startedAt)
      for (const counted of series) await run(data, counted)
      await expectCounts(ops, 2, startedAt)
      revision = newest
    })
  })

  async function expectCounts(ops: string, rounds: number, startedAt: number): Promise<void> {
    const metrics = await scrape(ops)
    const expected = expectedCounts(rounds)
    expect(valuesOf(metrics, metricNames.refusals)).toStrictEqual(expected.refusals)
    expect(valuesOf(metrics, metricNames.requests)).toStrictEqual(expected.requests)
    expectHistogram(
      metrics.get(metricNames.duration.name)!,
      expected.durations,
      performance.now() - startedAt,
    )
  }

  function expectHistogram(
    { name, samples }: Family,
    counts: Record<string, number>,
    elapsedMs: number,
  ): void {
    const keyOf = ({ labels }: Sample) => `${labels['tenant']},${labels['model']}`
    const of = (suffix: string) => samples.filter((sample) => sample.name === `${name}_${suffix}`)
    const total = Object.fromEntries(of('count').map((sample) => [keyOf(sample), sample.value]))
    expect(total).toStrictEqual(counts)
    expect(of('sum').map(keyOf).sort()).toStrictEqual(Object.keys(counts).sort())
    for (const sample of of('sum')) {
      expect(sample.value).toBeGreaterThanOrEqual(0)
      expect(sample.value).toBeLessThanOrEqual(elapsedMs / 1000)
    }
    for (const [key, count] of Object.entries(counts)) {
      const buckets = of('bucket').filter((sample) => keyOf(sample) === key)
      expect(buckets.map(({ labels }) => labels['le'])).toStrictEqual([
        ...durationBuckets.map(String),
        '+Inf',
      ])
      const values = buckets.map(({ value }) => value)
      expect(values).toStrictEqual(values.toSorted((a, b) => a - b))
      expect(values.at(-1)).toBe(count)
    }
  }

  test('304 counts as 3xx, HEAD as what GET would be', async () => {
    await withGateway(async ({ data, ops }) => {
      const token = await issuer.token(player)
      const { headers } = await ask(`${data}/recommendations`, { token, method: 'HEAD' })
      for (const method of ['GET', 'HEAD', 'GET'])
        await ask(`${data}/recommendations`, {
          token,
          method,
          headers: { 'if-none-match': String(headers.etag) },
        })
      expect(valuesOf(await scrape(ops), metricNames.requests)).toStrictEqual({
        [`${tenant},games,itemcf,override,,json,2xx`]: 1,
        [`${tenant},games,itemcf,override,,json,3xx`]: 3,
      })
    })
  })

  test('bytes that never became a request are counted by code', async () => {
    await withGateway(async ({ data, ops }) => {
      await exchange(data, 'GARBAGE\r\n\r\n')
      await exchange(data, 'MORE GARBAGE\r\n\r\n')
      await exchange(data, requestText('/', { headers: { 'X-Pad': 'x'.repeat(limits.headerBytesMax) } }))
      expect(valuesOf(await scrape(ops), metricNames.refusals)).toStrictEqual({
        ',request-malformed': 2,
        ',headers-too-large': 1,
      })
    })
  })

  test('a split answer is counted under the version that it was assigned', async () => {
    await withGateway(async ({ data, ops }) => {
      const expected: Record<string, number> = {}
      for (const index of players.slice(0, cold)) {
        const token = await issuer.token({ model: 'games', sub: playerId(index) })
        const { version } = jsonOf(await ask(`${data}/recommendations`, { token }))
        const key = `${tenant},games,${version},split,,json,2xx`
        expected[key] = (expected[key] ?? 0) + 1
      }
      expect(valuesOf(await scrape(ops), metricNames.requests)).toStrictEqual(expected)
    })
  })

  test('says what is served: revision, rows, broken tenants', async () => {
    await withGateway(async ({ ops }) => {
      const metrics = await scrape(ops)
      expect(valuesOf(metrics, metricNames.catalogRevision)).toStrictEqual({ [tenant]: revision })
      expect(valuesOf(metrics, metricNames.catalogBroken)).toStrictEqual({
        broken: 0,
        vanished: 0,
        backwards: 0,
      })
      expect(valuesOf(metrics, metricNames.catalogTenants)).toStrictEqual({ catalog: 1, disk: 0 })
      expect(valuesOf(metrics, metricNames.catalogReadAge)['']).toBeLessThan(60)
      expect(valuesOf(metrics, metricNames.stateWrites)).toStrictEqual({ done: 0, failed: 0 })
      expect(valuesOf(metrics, metricNames.tableRows)).toStrictEqual({
        [`${tenant},games,popular`]: players.length,
        [`${tenant},games,itemcf`]: cold,
        [`${tenant},damaged,v1`]: 1,
        [`${tenant},garbled,v1`]: 1,
      })
      const { entry } = activeGeneration(
        (await readLiveTenant(tools.catalog, tenant))!.state.models['games']!,
        'itemcf',
      )!
      expect(valuesOf(metrics, metricNames.tableBytes)).toMatchObject({
        [`${tenant},games,itemcf`]: entry.bytes,
      })
      expect(valuesOf(metrics, metricNames.tableAgeMax)).toStrictEqual({
        [`${tenant},games,itemcf`]: 6 * 3_600,
      })
      const ageOf = async () => valuesOf(await scrape(ops), metricNames.tableAge)[`${tenant},games,itemcf`]!
      const seconds = (Date.now() - Date.parse(entry.publishedAt)) / 1_000
      expect(await ageOf()).toBeGreaterThanOrEqual(seconds)
      const age = await ageOf()
      await until('the table has aged', async () => (await ageOf()) > age)
    })
  })

  test('has the names, helps and labels of the one table, and no other', async () => {
    await withGateway(async ({ data, ops }) => {
      for (const counted of series) await run(data, { ...counted, times: 1 })
      const service = await issuer.token({ sub: 'game-server', model: 'games', scope: batchScope })
      await answeredBatch(data, { units: [playerId(0)] }, service)
      const metrics = await scrape(ops)
      const table = Object.values(metricNames)
      expect([...metrics.keys()].sort()).toStrictEqual(table.map(({ name }) => name).sort())
      for (const { name, help, labels } of table) {
        const family = metrics.get(name)!
        expect(family.help).toBe(help)
        expect(family.type === 'counter').toBe(name.endsWith('_total'))
        expect(family.samples.length).toBeGreaterThan(0)
        for (const sample of family.samples) {
          const { le: _, ...own } = sample.labels
          expect(Object.keys(own).sort()).toStrictEqual([...labels].sort())
        }
      }
    })
  })
})

describe('the admin plane', () => {
  test('lists tenants, and shows one with its document and tables', async () => {
    await withGateway(async ({ admin }) => {
      expect(jsonOf(await ask(`${admin}/api/tenants`))).toStrictEqual({ tenants: [{ tenant, revision }] })
      const shown = await ask(`${admin}/api/tenants/${tenant}`)
      expect(shown).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      })
      const { document, tables, ...rest } = jsonOf(shown)
      expect(rest).toStrictEqual({ tenant, revision })
      expect(document).toMatchObject({
        format: 1,
        tenant,
        models: { games: { versions: ['popular', 'itemcf'] } },
      })
      expect(tables).toContainEqual(
        expect.objectContaining({
          model: 'games',
          version: 'itemcf',
          state: 'active',
          rows: cold,
          by: 'tester',
        }),
      )
    })
  })

  test('answers in the shapes that docs/operating.md shows', async () => {
    const page = readFileSync('docs/operating.md', 'utf8')
    const [list, one] = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text]) => JSON.parse(text!))
    const shapeOf = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
      if (typeof value !== 'object' || value === null) return null
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]))
    }
    await withGateway(async ({ admin }) => {
      expect(shapeOf(jsonOf(await ask(`${admin}/api/tenants`)))).toEqual(shapeOf(list))
      const { document, tables, ...shown } = jsonOf(await ask(`${admin}/api/tenants/${tenant}`))
      const { document: shownDocument, tables: shownTables, ...expected } = one
      expect(shapeOf(shown)).toEqual(shapeOf(expected))
      expect(shapeOf(document)).toMatchObject(shapeOf(shownDocument) as object)
      // Findings and times may be there or not.
      expect(Object.keys((tables as object[])[0]!)).toEqual(Object.keys(shownTables[0]))
    })
  })

  test('404 for what is not there', async () => {
    await withGateway(async ({ admin }) => {
      const paths = [
        'nobody',
        'Steam-Studio',
        '__proto__',
        'constructor',
        'a%2F..',
        '%7Brg-catalog%7D',
        'x'.repeat(90),
      ]
      for (const path of [...paths.map((id) => `/api/tenants/${id}`), '/api', '/api/nothing', '/']) {
        const reply = await ask(admin + path)
        expect({ path, status: reply.status }).toStrictEqual({ path, status: 404 })
        expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
        expect(jsonOf(reply)).toMatchObject({ status: 404, code: 'path-not-found' })
      }
    })
  })

  test('its token, where there is one, is needed for every path', async () => {
    const token = 'a-token-of-the-administrators'
    await withGateway(
      async ({ admin, ops }) => {
        for (const path of ['/api/tenants', `/api/tenants/${tenant}`, '/api/tenants/nobody', '/nothing']) {
          const good = await ask(admin + path, { token })
          expect(good.status).toBe(path.includes('no') ? 404 : 200)
          const wrong = [
            undefined,
            '',
            token.slice(1),
            `${token}x`,
            token.toUpperCase(),
            await issuer.token(player),
          ]
          for (const other of wrong) {
            const reply = await ask(admin + path, other === undefined ? {} : { token: other })
            expect(reply.status).toBe(401)
            expect(reply.headers['www-authenticate']).toBe('Bearer')
            expect(jsonOf(reply)).toMatchObject({ code: 'token-invalid' })
            expect(reply.body.toString()).not.toContain(tenant)
          }
          const basic = await ask(admin + path, { headers: { authorization: `Basic ${token}` } })
          expect(basic.status).toBe(401)
        }
        expect((await ask(`${ops}/readyz`)).status).toBe(200)
      },
      { RECGATE_ADMIN_TOKEN: token },
    )
  })

  test('refusals of the data plane are the same with an admin’s token', async () => {
    const token = 'a-token-of-the-administrators'
    await withGateway(
      async ({ data }) => {
        expectProblem(await ask(`${data}/recommendations`, { token }), 401, 'token-invalid')
      },
      { RECGATE_ADMIN_TOKEN: token },
    )
  })
})
