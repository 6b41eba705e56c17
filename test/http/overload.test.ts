import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { metricNames } from '../../src/metrics/names.ts'
import { startCli } from '../support/cli.ts'
import { applyDocument, publishRows, rowsOf } from '../support/studio.ts'
import { until } from '../support/until.ts'
import {
  ask,
  exchange,
  expectProblem,
  jsonOf,
  type Reply,
  rawReplies,
  replyOf,
  requestText,
} from './client.ts'
import { scrape, valuesOf } from './exposition.ts'
import { type StudioIssuer, studioIssuer } from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

let studio: GamesStudio

beforeAll(async () => {
  studio = await startGamesStudio()
})
// Those that live share quotas.
afterEach(() => studio.stopGateways())
afterAll(() => studio.stop())

/**
 * Requests that come in one piece over one connection: all of them are begun before the first can be answered, since
 * each answer needs Redis. The health check behind them closes the connection.
 */
async function together(base: string, ...tokens: readonly string[]): Promise<Reply[]> {
  const requests = tokens.map((token) => requestText('/recommendations', { token }))
  const last = requestText('/healthz', { headers: { Connection: 'close' } })
  const received = await exchange(base, requests.join('') + last)
  const methods = [...tokens.map(() => 'GET'), 'GET']
  const replies = rawReplies(received, methods).map(replyOf)
  expect(replies.pop()?.body.toString()).toBe('up')
  return replies
}

const times = <T>(count: number, what: T): T[] => Array.from({ length: count }, () => what)

const reasonsOf = (replies: readonly Reply[]) =>
  replies.map((reply) => `${reply.status} ${jsonOf(reply)['reason'] ?? jsonOf(reply)['code']}`)

/** A token is verified once, and found again from then on: its requests go straight to the read. */
async function verified(base: string, token: string): Promise<string> {
  expect((await ask(`${base}/recommendations`, { token })).status).toBe(200)
  return token
}

const gauge = async (ops: string, metric: { name: string; labels: readonly string[] }) =>
  valuesOf(await scrape(ops), metric)['']

describe('before verification', () => {
  test('requests beyond those that may be in flight are busy, whoever asks, and the next ones are not', async () => {
    const { data, ops } = await studio.start({ RECGATE_DATA_IN_FLIGHT_MAX: '3' })
    const token = await verified(data, await studio.token(0))
    const replies = await together(data, ...times(8, token))
    expect(reasonsOf(replies)).toEqual([...Array(3).fill('200 override'), ...Array(5).fill('503 busy')])
    for (const reply of replies.slice(3)) expectProblem(reply, 503, 'busy')
    expect(reasonsOf(await together(data, ...times(3, token)))).toEqual(Array(3).fill('200 override'))
    const metrics = await scrape(ops)
    expect(valuesOf(metrics, metricNames.refusals)).toEqual({ ',busy': 5 })
    expect(valuesOf(metrics, metricNames.inFlight)).toEqual({ '': 0 })
  })

  test('strangers count, too, and nothing of theirs stays', async () => {
    const { data, ops } = await studio.start({ RECGATE_DATA_IN_FLIGHT_MAX: '1' })
    for (let round = 0; round < 20; round++)
      expectProblem(await ask(`${data}/recommendations`, { token: `a.b.${round}` }), 401, 'token-invalid')
    const long = `${data}/recommendations?x=${'x'.repeat(4_096)}`
    for (let round = 0; round < 5; round++) expectProblem(await ask(long), 414, 'url-too-long')
    await verified(data, await studio.token(0))
    expect(await gauge(ops, metricNames.inFlight)).toBe(0)
  })

  test.each([
    ['heap', { RECGATE_DATA_HEAP_BYTES_MAX: '1048576' }],
    ['event loop', { RECGATE_DATA_EVENT_LOOP_UTILIZATION_MAX: '0.0000001' }],
  ])(
    'a process that is short of %s is busy; its health, readiness and metrics are not',
    async (_, settings) => {
      const { data, admin, ops } = await studio.start(settings)
      const token = await studio.token(0)
      await until(
        'it is sampled',
        async () => (await ask(`${data}/recommendations`, { token })).status === 503,
      )
      expectProblem(await ask(`${data}/recommendations`, { token }), 503, 'busy')
      for (const address of [`${data}/healthz`, `${ops}/healthz`, `${ops}/readyz`, `${admin}/api/tenants`])
        expect({ address, status: (await ask(address)).status }).toEqual({ address, status: 200 })
      expect(await gauge(ops, metricNames.inFlight)).toBe(0)
    },
  )
})

const playersVerified = async (data: string, count: number): Promise<string[]> => {
  const tokens: string[] = []
  for (let player = 0; player < count; player++) tokens.push(await verified(data, await studio.token(player)))
  return tokens
}

test('reads beyond those that may wait are shed: answered at once with 200 and a copy from before', async () => {
  const { data, ops } = await studio.start({ RECGATE_DATA_READS_IN_FLIGHT_MAX: '2' })
  const tokens = await playersVerified(data, 6)
  const replies = await together(data, ...tokens)
  expect(reasonsOf(replies)).toEqual([...Array(2).fill('200 override'), ...Array(4).fill('200 stale')])
  for (const reply of replies) expect(jsonOf(reply)['version']).toBe('itemcf')
  expect(reasonsOf(await together(data, ...tokens.slice(4)))).toEqual(Array(2).fill('200 override'))
  const metrics = await scrape(ops)
  const requests = valuesOf(metrics, metricNames.requests)
  expect(requests[`${studio.tenant},games,itemcf,stale,shed,json,2xx`]).toBe(4)
  expect(valuesOf(metrics, metricNames.readsInFlight)).toEqual({ '': 0 })
  expect(valuesOf(metrics, metricNames.readsInFlightMax)).toEqual({ '': 2 })
})

test('requests for one row are one read, however many wait for it', async () => {
  const { data, ops } = await studio.start({ RECGATE_DATA_READS_IN_FLIGHT_MAX: '1' })
  const [token = '', other = ''] = await playersVerified(data, 2)
  expect(reasonsOf(await together(data, ...times(20, token), other, token))).toEqual([
    ...Array(20).fill('200 override'),
    '200 stale',
    '200 override',
  ])
  expect(await gauge(ops, metricNames.readsInFlight)).toBe(0)
})

test('where there is nothing to answer with, what is shed is a 503', async () => {
  const { data } = await studio.start({ RECGATE_DATA_READS_IN_FLIGHT_MAX: '1' })
  const token = await verified(data, await studio.token(0, 'itemcf', { model: 'games' }))
  const strict = await studio.token(0, 'itemcf', { model: 'strict' })
  await ask(`${data}/recommendations`, { token: strict })
  // The version `itemcf` of `strict` has no table, so that only `games` waits for Redis.
  const pipelined =
    requestText('/recommendations', { token }) + requestText('/recommendations', { token: strict })
  const last = requestText('/healthz', { headers: { Connection: 'close' } })
  const [first, second] = rawReplies(await exchange(data, pipelined + last), ['GET', 'GET', 'GET']).map(
    replyOf,
  )
  expect(first?.status).toBe(200)
  expectProblem(second!, 503, 'store-unavailable')
})

test('while requests wait too long for their turn, connections that are open end with their next answer', async () => {
  const { data, ops } = await studio.start({ RECGATE_DATA_TURN_WAIT_MS_MAX: '50' })
  const token = await verified(data, await studio.token(0))
  const endsConnection = async () =>
    (await ask(`${data}/recommendations`, { token })).headers['connection'] === 'close'
  expect(await endsConnection()).toBe(false)
  const busy = setInterval(() => {
    for (const until = performance.now() + 120; performance.now() < until; );
  }, 1)
  try {
    const answered = Array.from({ length: 8 }, async () => {
      await until('an answer is the last of its connection', async () =>
        // The door may be closed to newcomers just then.
        endsConnection().catch(() => false),
      )
    })
    await Promise.all(answered)
  } finally {
    clearInterval(busy)
  }
  await until('connections stay again', async () => !(await endsConnection().catch(() => true)))
  expect(await gauge(ops, metricNames.acceptQueueFlushed)).toBeGreaterThan(0)
})

describe('a tenant’s quota', () => {
  const wide = { requestsPerSecond: 100_000, burst: 100_000, concurrency: 100_000 }
  /** Next to nothing comes back within a test. */
  const slow = { ...wide, requestsPerSecond: 0.000_1 }
  let issuer: StudioIssuer
  let neighbour: StudioIssuer
  let played = 0

  async function applyQuota(tenant: string, by: StudioIssuer, quota?: typeof wide): Promise<number> {
    return applyDocument(studio.tools, {
      format: 1,
      tenant,
      issuers: [by.entry()],
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
      },
    })
  }

  /** For a gateway that begins after it. */
  const tokenOf = (by: StudioIssuer) => by.token({ model: 'games', sub: 'player-1', jti: String(++played) })

  beforeAll(async () => {
    issuer = await studioIssuer('https://auth.metered.example', 'k1')
    neighbour = await studioIssuer('https://auth.neighbour.example', 'k1')
    await applyQuota('metered', issuer)
    await applyQuota('neighbour', neighbour)
    for (const tenant of ['metered', 'neighbour'])
      await publishRows(studio.tools, [tenant, 'games', 'v1'], rowsOf(['sub', 'game'], [['player-1', 7]]))
  })

  const statuses = async (base: string, token: string, count: number) => {
    const found: number[] = []
    for (let request = 0; request < count; request++)
      found.push((await ask(`${base}/recommendations`, { token })).status)
    return found
  }

  test('refuses what is beyond its burst with 429, and leaves its neighbour alone', async () => {
    await applyQuota('metered', issuer, { ...slow, burst: 4 })
    const { data, ops } = await studio.start()
    const token = await tokenOf(issuer)
    expect(await statuses(data, token, 6)).toEqual([...times(4, 200), ...times(2, 429)])
    const refused = await ask(`${data}/recommendations`, { token })
    expectProblem(refused, 429, 'quota-exceeded')
    expect(await statuses(data, await tokenOf(neighbour), 20)).toEqual(times(20, 200))
    expect(valuesOf(await scrape(ops), metricNames.refusals)).toEqual({ 'metered,quota-exceeded': 3 })
  })

  test('is charged for what was verified only: not for junk in its name, nor for what no token allows', async () => {
    await applyQuota('metered', issuer, { ...slow, burst: 3 })
    const { data } = await studio.start()
    const token = await tokenOf(issuer)
    const [head, claims] = token.split('.')
    const [, , foreign] = (await tokenOf(neighbour)).split('.')
    for (let round = 0; round < 30; round++)
      expectProblem(
        await ask(`${data}/recommendations`, { token: `${head}.${claims}.${foreign}` }),
        401,
        'token-invalid',
      )
    expect((await ask(`${data}/recommendations?cuontry=DE`, { token })).status).toBe(400)
    expect(await statuses(data, token, 5)).toEqual([...times(3, 200), ...times(2, 429)])
  })

  test('bounds what is answered at one time', async () => {
    await applyQuota('metered', issuer, { ...wide, concurrency: 2 })
    const { data } = await studio.start()
    const token = await verified(data, await tokenOf(issuer))
    const refused = '429 quota-exceeded'
    for (let round = 0; round < 3; round++)
      expect(reasonsOf(await together(data, ...times(5, token)))).toEqual([
        ...Array(2).fill('200 split'),
        ...Array(3).fill(refused),
      ])
  })

  test('a change of the document changes it, and gives back nothing that was spent', async () => {
    await applyQuota('metered', issuer, { ...slow, burst: 2 })
    const { data, gateway } = await studio.start()
    const token = await tokenOf(issuer)
    expect(await statuses(data, token, 3)).toEqual([200, 200, 429])
    const served = () => gateway.snapshots.current()?.tenants.get('metered')?.revision
    const larger = await applyQuota('metered', issuer, { ...slow, burst: 20 })
    await until('the change is served', () => served() === larger)
    expect(await statuses(data, token, 1)).toEqual([429])
    const none = await applyQuota('metered', issuer)
    await until('it is gone', () => served() === none)
    expect(await statuses(data, token, 5)).toEqual(times(5, 200))
  })

  test('is the fleet’s: each gateway gives its share, and the whole when the other has died', async () => {
    await applyQuota('metered', issuer, { ...wide, concurrency: 8 })
    const { data, ops } = await studio.start({ RECGATE_HEARTBEAT_MS: '200' })
    const token = await verified(data, await tokenOf(issuer))
    const answered = async () =>
      (await together(data, ...times(12, token))).filter(({ status }) => status === 200).length
    expect(await gauge(ops, metricNames.processesLive)).toBe(1)
    expect(await answered()).toBe(8)
    const other = startCli(['serve', '--planes', 'data'], {
      env: {
        RECGATE_REDIS_URL: studio.redis.url,
        RECGATE_DATA_HOST: '127.0.0.1',
        RECGATE_DATA_PORT: '0',
        RECGATE_HEARTBEAT_MS: '200',
      },
    })
    try {
      await until('both live', async () => (await gauge(ops, metricNames.processesLive)) === 2)
      expect(await answered()).toBe(4)
    } finally {
      // Without a word.
      await other.stop()
    }
    await until('one is dead', async () => (await gauge(ops, metricNames.processesLive)) === 1)
    expect(await answered()).toBe(8)
  })

  test('a gateway that stops in order hands its share over at once', async () => {
    const lasting = await studio.start({ RECGATE_HEARTBEAT_MS: '100' })
    // Its time would be over long after this test.
    const leaving = await studio.start({ RECGATE_HEARTBEAT_MS: '60000' })
    const live = () => gauge(lasting.ops, metricNames.processesLive)
    await until('both live', async () => (await live()) === 2)
    await leaving.gateway.stop()
    await until('it counts no more', async () => (await live()) === 1)
  })
})
