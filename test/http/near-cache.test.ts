import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findLiveTenant } from '../../src/catalog/live-tenant.ts'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { rollBack } from '../../src/tables/roll-back.ts'
import { createGate, type Gate } from '../support/gate.ts'
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
import { ask, jsonOf } from './client.ts'
import { parseExposition } from './exposition.ts'
import {
  gamesDefault,
  gamesModel,
  gamesRows,
  playerId,
  playerRecord,
  range,
  type StudioIssuer,
  studioIssuer,
} from './games.ts'

/** What a gateway answers from its copies: while Redis is away, and in place of reads of public rows. */

const tenant = 'steam-studio'
const other = 'other-studio'
const players = range(6)
const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: copies are not tried while Redis is away; install redis-server\n')

const offers = {
  public: true,
  key: [{ query: 'country', values: ['DE', 'FR', 'US'] }],
  record: { title: { type: 'string', maxBytes: 40 } },
  default: { title: 'welcome' },
  // A minute and more passes on no machine here.
  nearCacheSeconds: 300,
  deadlineMs: 10_000,
  versions: ['v1'],
  control: 'v1',
  weights: { v1: 100 },
}

let redis: LocalRedis
let gate: Gate
let tools: Tools
let hands: Redis
let issuer: StudioIssuer
let otherIssuer: StudioIssuer
let served: RunningGateway

const documentOf = (id: string, by: StudioIssuer, games: Record<string, unknown> = {}) => ({
  format: 1,
  tenant: id,
  issuers: [by.entry()],
  claims: { version: 'arm' },
  models: { games: { ...gamesModel, ...games }, offers },
})

beforeEach(async () => {
  if (binary === null) return
  redis = await startRedisServer(binary)
  gate = await createGate(redis.url)
  await gate.open()
  tools = await testTools(redis.url)
  hands = new Redis(redis.url)
  issuer = await studioIssuer('https://auth.steam.example', 'k1')
  otherIssuer = await studioIssuer('https://auth.other.example', 'k1')
  for (const [id, by] of [
    [tenant, issuer],
    [other, otherIssuer],
  ] as const) {
    await applyDocument(tools, documentOf(id, by))
    await publishRows(tools, [id, 'games', 'popular'], gamesRows(players, id === tenant ? 1 : 2))
  }
  await publishRows(tools, [tenant, 'games', 'itemcf'], gamesRows([0, 1], 500))
  // The catalog isn't behind the gate: it goes on changing while records can't be read.
  served = await startGateway(
    testSettings(gate.url, { RECGATE_CATALOG_REDIS_URL: redis.url, RECGATE_CATALOG_POLL_MS: '100' }),
  )
})

afterEach(async () => {
  if (binary === null) return
  await served.gateway.stop()
  hands.disconnect()
  tools.close()
  await gate.shut()
  await redis.stop()
})

/** Reason and record that a player gets. */
async function answerOf(index: number, { by = issuer, arm = 'popular' as string, headers = {} } = {}) {
  const token = await by.token({ model: 'games', sub: playerId(index), arm })
  const reply = await ask(`${served.data}/recommendations`, { token, headers })
  expect(reply.status).toBe(200)
  const { reason, recommendation } = jsonOf(reply)
  return { reason, recommendation, cacheControl: reply.headers['cache-control'] }
}

const short = 'private, max-age=10'
const long = 'private, max-age=300'
const staleOf = (index: number, salt = 1) => ({
  reason: 'stale',
  recommendation: playerRecord(index, salt),
  cacheControl: short,
})
const own = (index: number, salt = 1) => ({ ...staleOf(index, salt), reason: 'override', cacheControl: long })
const defaultRow = { reason: 'default', recommendation: gamesDefault, cacheControl: short }

async function metrics() {
  return parseExposition((await ask(`${served.ops}/metrics`)).body.toString())
}

/** Sum over all label values. */
async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  const samples = (await metrics()).get(name)?.samples ?? []
  const fitting = samples.filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  return fitting.reduce((sum, { value }) => sum + value, 0)
}

const revisionServed = () => served.gateway.snapshots.current()?.tenants.get(tenant)?.revision

async function loaded(): Promise<void> {
  const { revision } = await findLiveTenant(tools.catalog, tenant)
  await until('the change serves', () => revisionServed() === revision)
}

async function publishPopular(indexes: readonly number[], salt: number): Promise<void> {
  await publishRows(tools, [tenant, 'games', 'popular'], gamesRows(indexes, salt))
  await loaded()
}

describe.skipIf(binary === null)('while Redis is away', () => {
  test('players who were answered before get their copies, and the others the default record', async () => {
    for (const index of [0, 1, 2]) expect(await answerOf(index)).toEqual(own(index))
    // Player 5 has no row in itemcf: control's, and so it is from the copies.
    expect(await answerOf(5, { arm: 'itemcf' })).toMatchObject({ reason: 'sibling' })
    await gate.shut()
    for (const index of [0, 1, 2]) expect(await answerOf(index)).toEqual(staleOf(index))
    expect(await answerOf(3)).toEqual(defaultRow)
    expect(await answerOf(5, { arm: 'itemcf' })).toEqual(staleOf(5))
    // Kept for control; who has another version gets it, too.
    expect(await answerOf(2, { arm: 'itemcf' })).toEqual(staleOf(2))
    // Another tenant's player of the same name.
    expect(await answerOf(0, { by: otherIssuer })).toEqual(defaultRow)
    expect(await metric('recgate_requests_total', { reason: 'stale', cause: 'store' })).toBe(5)
    expect(await metric('recgate_near_cache_answers_total', { tenant, kind: 'stale' })).toBe(5)
    expect(await metric('recgate_near_cache_entries')).toBe(4)
    expect(await metric('recgate_near_cache_bytes', { tenant })).toBeGreaterThan(4 * 200)
    await gate.open()
    await until('rows are back', async () => (await answerOf(0)).reason === 'override')
    expect(await answerOf(3)).toEqual(own(3))
  })

  test('packed copies are the stored bytes, with an ETag of their own', async () => {
    const token = await issuer.token({ model: 'games', sub: playerId(0), arm: 'popular' })
    const packed = { Accept: 'application/vnd.recgate.packed' }
    const url = `${served.data}/recommendations`
    const live = await ask(url, { token, headers: packed })
    await gate.shut()
    const stale = await ask(url, { token, headers: packed })
    expect(stale.body.equals(live.body)).toBe(true)
    expect(stale.headers['recgate']).toBe('v=popular, r=stale')
    expect(stale.headers['etag']).not.toBe(live.headers['etag'])
    const etag = String(stale.headers['etag'])
    expect((await ask(url, { token, headers: { ...packed, 'If-None-Match': etag } })).status).toBe(304)
  })

  test('copies older than staleSeconds answer no more', async () => {
    await applyDocument(tools, documentOf(tenant, issuer, { staleSeconds: 1 }))
    await loaded()
    expect(await answerOf(0)).toEqual(own(0))
    await gate.shut()
    await until('the copy is too old', async () => (await answerOf(0)).reason === 'default')
    expect(await answerOf(0)).toEqual(defaultRow)
  })

  test('a Redis that hangs: copies, by the deadline, the client’s or the model’s', async () => {
    await applyDocument(tools, documentOf(tenant, issuer, { deadlineMs: 100 }))
    await loaded()
    const pid = Number(/^process_id:(\d+)/m.exec(await hands.info('server'))![1])
    await until('a row is read', async () => (await answerOf(0)).reason === 'override')
    process.kill(pid, 'SIGSTOP')
    try {
      expect(await answerOf(0)).toEqual(staleOf(0))
      expect(await answerOf(1)).toEqual(defaultRow)
      expect(await answerOf(0, { headers: { 'Recgate-Deadline-Ms': '5' } })).toEqual(staleOf(0))
      const causes = (await metrics())
        .get('recgate_requests_total')!
        .samples.flatMap(({ labels }) => (labels['reason'] === 'stale' ? [labels['cause']] : []))
      // The connection may have been given up meanwhile.
      for (const cause of causes) expect(['deadline', 'client-deadline', 'store']).toContain(cause)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await until('rows are back', async () => (await answerOf(1)).reason === 'override')
  })
})

describe.skipIf(binary === null)('copies and generations', () => {
  test('after a publish those of the generation before stand in, until the new one was read', async () => {
    for (const index of [0, 1]) expect(await answerOf(index)).toEqual(own(index))
    await publishPopular(players, 3)
    expect(await answerOf(1)).toEqual(own(1, 3))
    await gate.shut()
    expect(await answerOf(0)).toEqual(staleOf(0, 1))
    expect(await answerOf(1)).toEqual(staleOf(1, 3))
  })

  test('after a rollback none of the generation that was rolled back from answers again', async () => {
    for (const index of [0, 1]) expect(await answerOf(index)).toEqual(own(index))
    await publishPopular(players, 3)
    for (const index of [1, 2]) expect(await answerOf(index)).toEqual(own(index, 3))
    const services = {
      store: tools.tables,
      catalog: tools.generationCatalog({ who: 'tester', why: 'test' }),
      now: () => new Date(),
    }
    await rollBack(services, { tenantId: tenant, modelId: 'games', versionId: 'popular' })
    await loaded()
    await gate.shut()
    expect(await answerOf(0)).toEqual(staleOf(0))
    expect(await answerOf(1)).toEqual(staleOf(1))
    expect(await answerOf(2)).toEqual(defaultRow)
  })

  test('a row that the new generation lacks does not come back from the one before', async () => {
    for (const index of [0, 1]) expect(await answerOf(index)).toEqual(own(index))
    await publishPopular([1, 2, 3, 4, 5], 3)
    expect(await answerOf(0)).toEqual(defaultRow)
    await gate.shut()
    expect(await answerOf(0)).toEqual(defaultRow)
    expect(await answerOf(1)).toEqual(staleOf(1))
  })

  test('an erasure voids every copy of its tenant, and of no other', async () => {
    expect(await answerOf(0)).toEqual(own(0))
    expect(await answerOf(0, { by: otherIssuer })).toEqual(own(0, 2))
    const live = await findLiveTenant(tools.catalog, tenant)
    const outcome = await tools.catalog.change({
      tenantId: tenant,
      expectedRevision: live.revision,
      state: JSON.stringify({ ...live.state, erasures: live.state.erasures + 1 }),
      configuration: null,
      revisionAbove: 0,
      history: { who: 'tester', why: 'erasure', at: '', what: [] },
    })
    expect(outcome.outcome).toBe('changed')
    await loaded()
    expect(await metric('recgate_near_cache_entries', { tenant })).toBe(0)
    await gate.shut()
    expect(await answerOf(0)).toEqual(defaultRow)
    expect(await answerOf(0, { by: otherIssuer })).toEqual(staleOf(0, 2))
  })
})

describe.skipIf(binary === null)('a public model', () => {
  const titles = (suffix: string) =>
    rowsOf(
      ['country', 'title'],
      [
        ['DE', `Angebot${suffix}`],
        ['FR', `Offre${suffix}`],
      ],
    )

  async function offerOf(country: string, sub = 'anybody') {
    const token = await issuer.token({ model: 'offers', sub })
    const reply = await ask(`${served.data}/recommendations?country=${country}`, { token })
    const { reason, recommendation } = jsonOf(reply)
    return [reason, (recommendation as { title: string }).title]
  }

  async function rowsRead(): Promise<number> {
    const stats = await hands.info('commandstats')
    return Number(/^cmdstat_hmget:calls=(\d+)/m.exec(stats)?.[1] ?? 0)
  }

  test('is read once a row, however many ask at once and after', async () => {
    await publishRows(tools, [tenant, 'offers', 'v1'], titles(''))
    await loaded()
    await hands.config('RESETSTAT')
    const countries = ['DE', 'FR'] as const
    const asked = range(100).map((index) => offerOf(countries[index % 2]!, `player-${index}`))
    expect(await Promise.all(asked)).toEqual(
      range(100).map((index) => ['split', index % 2 === 0 ? 'Angebot' : 'Offre']),
    )
    expect(await rowsRead()).toBe(2)
    for (const sub of ['one', 'two']) expect(await offerOf('DE', sub)).toEqual(['split', 'Angebot'])
    expect(await rowsRead()).toBe(2)
    // What isn't there is asked for each time.
    for (const reads of [3, 4]) {
      expect(await offerOf('US')).toEqual(['default', 'welcome'])
      expect(await rowsRead()).toBe(reads)
    }
    expect(
      await metric('recgate_near_cache_answers_total', { tenant, kind: 'fresh' }),
    ).toBeGreaterThanOrEqual(2)
    await gate.shut()
    expect(await offerOf('DE')).toEqual(['split', 'Angebot'])
  })

  test('gives the new generation’s rows as soon as it serves', async () => {
    await publishRows(tools, [tenant, 'offers', 'v1'], titles(' 1'))
    await loaded()
    expect(await offerOf('DE')).toEqual(['split', 'Angebot 1'])
    await publishRows(tools, [tenant, 'offers', 'v1'], titles(' 2'))
    await loaded()
    expect(await offerOf('DE')).toEqual(['split', 'Angebot 2'])
    expect(await offerOf('DE')).toEqual(['split', 'Angebot 2'])
  })
})
