import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { batchPath, batchScope, itemsOf, postBatch } from './batch-client.ts'
import { ask, exchange, expectProblem, jsonOf, rawReplies, replyOf, requestText } from './client.ts'
import { type Metrics, scrape, valuesOf } from './exposition.ts'
import { range, type StudioIssuer, studioIssuer } from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** What batches cost a quota, and what bounds them where there is too much to do. */

const wide = { requestsPerSecond: 100_000, burst: 100_000, concurrency: 100_000 }
/** Next to nothing comes back within a test. */
const slow = { ...wide, requestsPerSecond: 0.000_1 }

let studio: GamesStudio
let issuer: StudioIssuer
let service: string

beforeAll(async () => {
  studio = await startGamesStudio()
  issuer = await studioIssuer('https://auth.metered.example', 'k1')
  await applyQuota()
  await publishRows(studio.tools, ['metered', 'games', 'v1'], rowsOf(['sub', 'game'], [['player-1', 7]]))
  service = await issuer.token({ sub: 'server', model: 'games', scope: batchScope })
})
// Those that live share quotas.
afterEach(() => studio.stopGateways())
afterAll(() => studio.stop())

function applyQuota(quota?: typeof wide): Promise<number> {
  return applyDocument(studio.tools, {
    format: 1,
    tenant: 'metered',
    issuers: [issuer.entry()],
    ...(quota === undefined ? {} : { quota }),
    models: {
      games: {
        key: [{ claim: 'sub' }],
        record: { game: { type: 'uint', max: 255 } },
        default: { game: 0 },
        versions: ['v1'],
        control: 'v1',
        weights: { v1: 100 },
        deadlineMs: 10_000,
      },
      long: {
        key: [{ claim: 'sub' }],
        record: { text: { type: 'string', maxBytes: 4_000 } },
        default: { text: 'x'.repeat(4_000) },
        versions: ['v1'],
        control: 'v1',
        weights: { v1: 100 },
      },
    },
  })
}

const batch = (count: number) => ({ units: range(count).map((index) => `player-${index}`) })
const post = ({ data }: RunningGateway, body: unknown) => postBatch(data, body, { token: service })
const single = async ({ data }: RunningGateway) => {
  const token = await issuer.token({ sub: 'player-1', model: 'games' })
  return (await ask(`${data}/recommendations`, { token })).status
}

describe('a quota', () => {
  test('counts units, and gives all of a batch or none', async () => {
    await applyQuota({ ...slow, burst: 100 })
    const gateway = await studio.start()
    expect(itemsOf(await post(gateway, batch(60)))).toHaveLength(60)
    const refused = await post(gateway, batch(50))
    expectProblem(refused, 429, 'quota-exceeded')
    expect(jsonOf(refused)['detail']).toBe('there are more requests than have been agreed upon')
    expect(itemsOf(await post(gateway, batch(39)))).toHaveLength(39)
    expect([await single(gateway), await single(gateway)]).toEqual([200, 429])
  })

  test('is charged for every unit, whether it fits or not, and for no batch that is refused', async () => {
    await applyQuota({ ...slow, burst: 10 })
    const gateway = await studio.start()
    for (const body of [
      '{',
      { units: 5 },
      { ...batch(5), model: 'x' },
      { ...batch(5), parameters: { a: 1 } },
    ])
      expect((await post(gateway, body)).status).toBeGreaterThanOrEqual(400)
    const units = [...batch(4).units, '', null, { unit: 'x', claims: { sub: 'y' } }]
    expect(itemsOf(await post(gateway, { units }))).toHaveLength(7)
    expectProblem(await post(gateway, { units: ['', '', '', ''] }), 429, 'quota-exceeded')
    expect(itemsOf(await post(gateway, { units: ['', null] }))).toHaveLength(2)
    expect(itemsOf(await post(gateway, { units: [] }))).toEqual([])
    for (const rest of [{ units: [] }, { units: [''] }, batch(1)])
      expectProblem(await post(gateway, rest), 429, 'quota-exceeded')
  })

  test.each([
    ['burst', { ...wide, burst: 500 }],
    ['concurrency', { ...wide, concurrency: 500 }],
  ])('whose %s is less than the batch says how many units may be', async (_, quota) => {
    await applyQuota(quota)
    const gateway = await studio.start()
    const refused = await post(gateway, batch(501))
    // No Retry-After: waiting doesn't help.
    expectProblem(refused, 413, 'batch-too-large')
    expect(jsonOf(refused)['detail']).toBe(
      'the quota lets 500 units at once pass here, and this batch has 501; ask in smaller ones',
    )
    expect(itemsOf(await post(gateway, batch(500)))).toHaveLength(500)
  })

  test('bounds what is answered at one time, and is free again after', async () => {
    await applyQuota({ ...wide, concurrency: 10 })
    const gateway = await studio.start()
    await post(gateway, batch(1))
    const body = JSON.stringify(batch(6))
    const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
    const request = requestText(batchPath, { method: 'POST', token: service, headers }) + body
    const last = requestText('/healthz', { headers: { Connection: 'close' } })
    for (const _ of range(3)) {
      const received = await exchange(gateway.data, request.repeat(2) + last)
      const replies = rawReplies(received, ['POST', 'POST', 'GET']).map(replyOf)
      expect(replies.map(({ status }) => status)).toEqual([200, 429, 200])
    }
    expect(await single(gateway)).toBe(200)
  })
})

describe('too much to do', () => {
  test('before the token: a batch is one of those in flight', async () => {
    await applyQuota()
    const gateway = await studio.start({ RECGATE_DATA_IN_FLIGHT_MAX: '1' })
    await post(gateway, batch(1))
    const waiting = openBatch(gateway)
    await until(
      'it is in flight',
      async () => valuesOf(await scrape(gateway.ops), metricNames.inFlight)[''] === 1,
    )
    expectProblem(await post(gateway, batch(1)), 503, 'busy')
    expect(await single(gateway)).toBe(503)
    expect((await waiting.finish()).status).toBe(200)
    expect(await single(gateway)).toBe(200)
  })

  test('of one tenant’s batches: its next is refused, players and other tenants are not', async () => {
    await applyQuota()
    const gateway = await studio.start()
    await post(gateway, batch(1))
    const waiting = range(limits.batchesPerTenantMax).map(() => openBatch(gateway))
    const inFlight = async () => valuesOf(await scrape(gateway.ops), metricNames.inFlight)['']
    await until('they are in flight', async () => (await inFlight()) === limits.batchesPerTenantMax)
    const refused = await post(gateway, batch(1))
    expectProblem(refused, 429, 'quota-exceeded')
    expect(jsonOf(refused)['detail']).toMatch(/batches/)
    expect(await single(gateway)).toBe(200)
    const other = await studio.issuer.token({ sub: 'server', model: 'games', scope: batchScope })
    expect(itemsOf(await postBatch(gateway.data, batch(2), { token: other }))).toHaveLength(2)
    for (const one of waiting) expect((await one.finish()).status).toBe(200)
    expect(itemsOf(await post(gateway, batch(3)))).toHaveLength(3)
  })

  test.each([
    ['on connections of their own, which are closed', limits.batchesPerTenantMax, 1, 'close'],
    ['on one connection, which is closed', 1, limits.batchesPerTenantMax, 'close'],
    ['on connections of their own, which are read in the end', limits.batchesPerTenantMax, 1, 'read'],
    ['on one connection, which is read in the end', 1, limits.batchesPerTenantMax, 'read'],
  ] as const)('of answers that nobody reads, %s', async (_, connections, batchesEach, end) => {
    await applyQuota()
    const gateway = await studio.start()
    await post(gateway, batch(1))
    const unread = await Promise.all(range(connections).map(() => askUnread(gateway, batchesEach)))
    await until('all are answered', async () => {
      const batches = valuesOf(await scrape(gateway.ops), metricNames.batches)
      return batches['metered,long,2xx'] === limits.batchesPerTenantMax
    })
    for (const _ of range(2)) expectProblem(await post(gateway, batch(1)), 429, 'quota-exceeded')
    expect(await single(gateway)).toBe(200)
    const other = await studio.issuer.token({ sub: 'server', model: 'games', scope: batchScope })
    expect(itemsOf(await postBatch(gateway.data, batch(2), { token: other }))).toHaveLength(2)

    for (const connection of unread) end === 'close' ? connection.destroy() : connection.resume()
    // They come back one by one.
    await until('there is room for as many at one time', () => hasRoomForAll(gateway))
    for (const connection of unread) connection.destroy()
  })

  test('a batch is answered by the catalog of when its body had come', async () => {
    await applyQuota()
    const gateway = await studio.start()
    await post(gateway, batch(1))
    const waiting = openBatch(gateway)
    await until(
      'it is in flight',
      async () => valuesOf(await scrape(gateway.ops), metricNames.inFlight)[''] === 1,
    )
    const revision = await applyQuota({ ...wide, concurrency: 1 })
    const served = () => gateway.gateway.snapshots.current()?.tenants.get('metered')?.revision
    await until('the change is served', () => served() === revision)
    expect((await waiting.finish()).status).toBe(413)
  })

  test('of reads: units beyond those that may wait are shed, and the others are not', async () => {
    await applyQuota()
    const gateway = await studio.start({ RECGATE_DATA_READS_IN_FLIGHT_MAX: '50' })
    expect(itemsOf(await post(gateway, batch(100)))).toHaveLength(100)
    const units = valuesOf(await scrape(gateway.ops), metricNames.batchUnits)
    expect(units).toMatchObject({
      'metered,games,v1,split,,json,2xx': 1,
      'metered,games,v1,default,unknown-row,json,2xx': 49,
      'metered,games,v1,default,shed,json,2xx': 50,
    })
    expect(valuesOf(await scrape(gateway.ops), metricNames.readsInFlight)).toEqual({ '': 0 })
  })
})

/** Whether as many batches as a tenant may have are let in while none of them is answered. */
async function hasRoomForAll(gateway: RunningGateway): Promise<boolean> {
  const refusedOf = (metrics: Metrics) =>
    valuesOf(metrics, metricNames.refusals)['metered,quota-exceeded'] ?? 0
  const refusedBefore = refusedOf(await scrape(gateway.ops))
  const open = range(limits.batchesPerTenantMax).map(() => openBatch(gateway))
  await until('they are in flight, or refused', async () => {
    const metrics = await scrape(gateway.ops)
    const inFlight = valuesOf(metrics, metricNames.inFlight)[''] ?? 0
    return inFlight + refusedOf(metrics) - refusedBefore === open.length
  })
  const replies = await Promise.all(open.map((one) => one.finish()))
  return replies.every(({ status }) => status === 200)
}

/** Asks for so many batches, each with more to say than the kernel keeps between the two, and reads nothing. */
async function askUnread({ data }: RunningGateway, count: number): Promise<Socket> {
  const token = await issuer.token({ sub: 'server', model: 'long', scope: batchScope })
  const { hostname, port } = new URL(data)
  const connection = connect(Number(port), hostname)
  await once(connection, 'connect')
  connection.pause()
  const body = JSON.stringify(batch(limits.batchUnitsMax))
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
  connection.write((requestText(batchPath, { method: 'POST', token, headers }) + body).repeat(count))
  return connection
}

/** A batch whose last byte is still to come. */
function openBatch({ data }: RunningGateway): { finish(): Promise<{ readonly status: number }> } {
  const encoder = new TextEncoder()
  let end: (() => void) | undefined
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(JSON.stringify(batch(2)).slice(0, -1)))
      end = () => {
        controller.enqueue(encoder.encode('}'))
        controller.close()
      }
    },
  })
  const headers = { Authorization: `Bearer ${service}`, 'Content-Type': 'application/json' }
  const reply = fetch(data + batchPath, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
  return {
    async finish() {
      end?.()
      const answered = await reply
      await answered.arrayBuffer()
      return answered
    },
  }
}
