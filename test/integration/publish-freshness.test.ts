import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { randomToken, type Tools } from '../../src/compose.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { activate } from '../../src/tables/activate.ts'
import { collectTables } from '../../src/tables/collect.ts'
import { rollBack } from '../../src/tables/roll-back.ts'
import { scrape, valuesOf } from '../http/exposition.ts'
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

/** What a gateway tells whoever watches that publishes go on, as versions live through what may happen to them. */

const day = 24 * 3_600_000
let redis: LocalRedis
let tools: Tools
let running: RunningGateway
let tenants = 0
/** Each test has a tenant of its own. */
let tenant: string

function document(versions: readonly string[] = ['popular', 'itemcf']) {
  const games = {
    key: [{ claim: 'sub', column: 'player_id' }],
    record: { score: { type: 'uint', max: 1_000 } },
    default: { score: 0 },
    versions,
    control: 'popular',
    weights: { popular: 100 },
    maxAgeHours: 6,
  }
  return { format: 1, tenant, issuers: [], models: { games } }
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  running = await startGateway(testSettings(redis.url))
})
beforeEach(async () => {
  tenant = `studio-${++tenants}`
  await applyDocument(tools, document())
})
afterAll(async () => {
  await running?.gateway.stop()
  tools?.close()
  await redis?.stop()
})

/** 200 players; `base` moves the mean, and 300 further than a gate allows. */
const publish = (base: number, version = 'itemcf') =>
  publishRows(
    tools,
    [tenant, 'games', version],
    rowsOf(
      ['player_id', 'score'],
      Array.from({ length: 200 }, (_, index) => [`player-${index}`, base + index]),
    ),
  )
const services = (at = new Date()) => ({
  store: tools.tables,
  leases: tools.leases,
  catalog: tools.generationCatalog({ who: 'tester', why: 'to see' }),
  newToken: randomToken,
  now: () => at,
})
const activateAnyway = (generation: number) =>
  activate(services(), { tenantId: tenant, modelId: 'games', generation }, { despiteGates: true })
const rollBackItemcf = () => rollBack(services(), { tenantId: tenant, modelId: 'games', versionId: 'itemcf' })

/** When the generation was published, as the catalog has it, in Unix time. */
async function publishedAt(generation: number): Promise<number> {
  const { state } = await services().catalog.read(tenant)
  return Date.parse(state.models['games']!.generations[generation]!.publishedAt) / 1_000
}

/** What the gateway tells of itemcf, once it has what the catalog has. */
async function told() {
  const newest = (await tools.catalog.index()).get(tenant)!.revision
  const served = () => running.gateway.snapshots.current()?.tenants.get(tenant)?.revision
  await until('the gateway has the newest revision', () => served() === newest)
  const metrics = await scrape(running.ops)
  const of = (metric: { name: string; labels: readonly string[] }, ...more: string[]) =>
    valuesOf(metrics, metric)[[tenant, 'games', 'itemcf', ...more].join(',')]
  const states = ['loaded', 'active', 'previous', 'quarantined', 'collecting']
  return {
    lastSuccess: of(metricNames.publishLastSuccess),
    refused: ['gates', 'rollback'].map((by) => of(metricNames.publishRefused, by)),
    generations: states.map((state) => of(metricNames.publishGenerations, state)),
  }
}

const notRefused = [0, 0]
const byGates = [1, 0]
const byRollback = [0, 1]

describe('a version’s publishes', () => {
  test('never published: no success, nothing refused', async () => {
    await publish(0, 'popular')
    expect(await told()).toEqual({
      lastSuccess: undefined,
      refused: notRefused,
      generations: [0, 0, 0, 0, 0],
    })
  })

  test('published twice: the newer one’s time', async () => {
    await publish(0)
    await publish(1)
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(2),
      refused: notRefused,
      generations: [0, 1, 1, 0, 0],
    })
  })

  test('the first one refused: no success', async () => {
    const { games } = document().models
    await applyDocument(tools, {
      ...document(),
      models: { games: { ...games, gates: { minRows: 201 } } },
    })
    expect(await publish(0)).toMatchObject({ outcome: 'refused' })
    expect(await told()).toEqual({
      lastSuccess: undefined,
      refused: byGates,
      generations: [1, 0, 0, 0, 0],
    })
  })

  test('refused, until a person makes it active all the same', async () => {
    await publish(0)
    expect(await publish(300)).toMatchObject({ outcome: 'refused', generation: 2 })
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(1),
      refused: byGates,
      generations: [1, 1, 0, 0, 0],
    })
    await activateAnyway(2)
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(2),
      refused: notRefused,
      generations: [0, 1, 1, 0, 0],
    })
  })

  test('refused, until a better one comes', async () => {
    await publish(0)
    await publish(300)
    await publish(1)
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(3),
      refused: notRefused,
      generations: [1, 1, 1, 0, 0],
    })
  })

  test('refused, also once its rows are gone', async () => {
    await publish(0)
    await publish(300)
    const { collected } = await collectTables(services(new Date(Date.now() + 3 * day + 60_000)), tenant, 'x')
    expect(collected.map(({ generation }) => generation)).toEqual([2])
    expect(await told()).toMatchObject({ refused: byGates, generations: [0, 1, 0, 0, 0] })
  })

  test('rolled back: nothing is refused, until the same content comes again', async () => {
    await publish(0)
    await publish(1)
    await rollBackItemcf()
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(2),
      refused: notRefused,
      generations: [0, 1, 0, 1, 0],
    })
    expect(await publish(1)).toMatchObject({ outcome: 'refused', quarantined: true })
    expect(await told()).toEqual({
      lastSuccess: await publishedAt(2),
      refused: byRollback,
      generations: [1, 1, 0, 1, 0],
    })
    await activateAnyway(3)
    expect(await told()).toMatchObject({ lastSuccess: await publishedAt(3), refused: notRefused })
  })

  test('another version’s are another’s, and a version that left the document tells nothing more', async () => {
    await publish(0)
    await publish(300)
    await publish(0, 'popular')
    const popular = () => `${tenant},games,popular`
    expect((await told()).refused).toEqual(byGates)
    const metrics = await scrape(running.ops)
    expect(valuesOf(metrics, metricNames.publishRefused)).toMatchObject({
      [`${popular()},gates`]: 0,
      [`${popular()},rollback`]: 0,
    })
    await applyDocument(tools, document(['popular']))
    expect(await told()).toEqual({
      lastSuccess: undefined,
      refused: [undefined, undefined],
      generations: Array(5).fill(undefined),
    })
  })
})
