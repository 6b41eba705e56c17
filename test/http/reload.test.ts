import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { planChange } from '../../src/catalog/change.ts'
import { findRedisServer } from '../../src/commands/local-redis.ts'
import { randomToken } from '../../src/compose.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { applyDocument, publishRows, type RunningGateway, testSettings } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { ask, expectProblem, jsonOf, type Reply } from './client.ts'
import { gamesModel, gamesRows, playerId, playerRecord, range, studioIssuer } from './games.ts'
import { onlyPopular, openTwoStudios, otherTenant, type TwoStudios, tenant } from './two-studios.ts'

/**
 * The catalog changes while a gateway serves. Each test has a Redis of its own, because announcements cross the
 * databases of a shared one: another test's would make this gateway read.
 */
const players = range(40)
const hasRealRedis = (await findRedisServer()) !== null

let studios: TwoStudios

type Weights = Record<string, number>

function tenantDocument(weights: Weights, more: Record<string, unknown> = {}) {
  return {
    format: 1,
    tenant,
    issuers: [studios.issuer.entry()],
    models: { games: { ...gamesModel, weights } },
    ...more,
  }
}

const even = { popular: 50, itemcf: 50 }
const allItemcf = { popular: 0, itemcf: 100 }

/** No poll in any test's lifetime: what is seen was announced. */
const announcedOnly = { RECGATE_CATALOG_POLL_MS: '60000' }

beforeEach(async () => {
  studios = await openTwoStudios()
  await applyDocument(studios.tools, tenantDocument(even))
  await publishAll(0)
})

afterEach(() => studios.stop())

async function publishAll(salt: number): Promise<void> {
  for (const version of ['popular', 'itemcf'])
    await publishRows(studios.tools, [tenant, 'games', version], gamesRows(players, salt))
}

const gateway = (settings: Readonly<Record<string, string>>) =>
  studios.startGateway(testSettings(studios.redis.url, settings))

async function askFor(
  { data }: RunningGateway,
  sub: string,
  more: Record<string, unknown> = {},
): Promise<Reply> {
  const token = await studios.issuer.token({ model: 'games', sub, ...more })
  return ask(`${data}/recommendations`, { token })
}

async function splitOf(from: RunningGateway): Promise<string[]> {
  const replies = await Promise.all(players.map((index) => askFor(from, playerId(index))))
  return replies.map((reply) => String(jsonOf(reply)['version']))
}

/** The same change as `applyDocument` makes, with nobody told: an announcement that got lost. */
async function applyUnannounced(document: unknown): Promise<number> {
  const checked = checkTenantDocument(document)
  const plan = await planChange(studios.tools.catalog, checked.document!, randomToken)
  const revision = plan.live!.revision + 1
  await writeByHand({
    revision: String(revision),
    document: JSON.stringify(plan.document),
    state: JSON.stringify(plan.state),
  })
  return revision
}

/** Writes fields of the tenant, and an index that says so. */
async function writeByHand(fields: Readonly<Record<string, string>>): Promise<void> {
  const token = randomToken()
  await studios.hands.hset(catalogKeys.tenant(tenant), { ...fields, token })
  const revision = await studios.hands.hget(catalogKeys.tenant(tenant), 'revision')
  await studios.hands.set(catalogKeys.index(tenant), `${revision} ${token}`)
}

function revisionOf({ gateway: { snapshots } }: RunningGateway): number | undefined {
  return snapshots.current()?.tenants.get(tenant)?.revision
}

describe('a change of weights', () => {
  test('arrives by its announcement, and moves only the players that it must', async () => {
    const served = await gateway(announcedOnly)
    const before = await splitOf(served)
    expect(new Set(before)).toStrictEqual(new Set(['popular', 'itemcf']))
    const revision = await applyDocument(studios.tools, tenantDocument({ popular: 20, itemcf: 80 }))
    await until('the announcement has been followed', () => revisionOf(served) === revision)
    const after = await splitOf(served)
    expect(after).not.toStrictEqual(before)
    for (const [index, version] of before.entries())
      if (version === 'itemcf') expect(after[index]).toBe('itemcf')
    await applyDocument(studios.tools, tenantDocument(allItemcf))
    await until('everybody is asked from itemcf', async () =>
      (await splitOf(served)).every((v) => v === 'itemcf'),
    )
  })

  test('arrives by the poll alone when its announcement is lost', async () => {
    const polling = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const listening = await gateway(announcedOnly)
    const before = await splitOf(listening)
    await applyUnannounced(tenantDocument(allItemcf))
    await until('everybody is asked from itemcf', async () =>
      (await splitOf(polling)).every((v) => v === 'itemcf'),
    )
    // It was nothing but the poll: who doesn't poll hasn't heard of it.
    expect(await splitOf(listening)).toStrictEqual(before)
  })

  test('arrives at the same revision with another token, as after a restore of Redis', async () => {
    const polling = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const revision = revisionOf(polling)!
    await applyUnannounced(tenantDocument(allItemcf))
    await studios.hands.hset(catalogKeys.tenant(tenant), 'revision', revision)
    await writeByHand({})
    await until('everybody is asked from itemcf', async () =>
      (await splitOf(polling)).every((v) => v === 'itemcf'),
    )
    expect(revisionOf(polling)).toBe(revision)
  })

  test.skipIf(!hasRealRedis)('arrives when the subscriber, cut meanwhile, comes back', async () => {
    const served = await gateway(announcedOnly)
    const revision = await applyUnannounced(tenantDocument(allItemcf))
    expect(revisionOf(served)).not.toBe(revision)
    await studios.hands.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until('the reconnection has been followed', () => revisionOf(served) === revision)
    const next = await applyDocument(studios.tools, tenantDocument(even))
    await until('announcements arrive again', () => revisionOf(served) === next)
  })
})

describe('other changes', () => {
  test('a key that is taken away verifies nothing more, cached tokens included', async () => {
    const served = await gateway(announcedOnly)
    const next = await studioIssuer(studios.issuer.issuer, 'k2')
    const token = await studios.issuer.token({ model: 'games', sub: playerId(0) })
    const nextToken = await next.token({ model: 'games', sub: playerId(0) })
    const statusOf = async (bearer: string) =>
      (await ask(`${served.data}/recommendations`, { token: bearer })).status
    expect([await statusOf(token), await statusOf(nextToken)]).toStrictEqual([200, 401])
    const both = [
      { ...studios.issuer.entry(), jwks: { keys: [studios.issuer.key.publicJwk, next.key.publicJwk] } },
    ]
    await applyDocument(studios.tools, tenantDocument(even, { issuers: both }))
    await until('the new key is trusted', async () => (await statusOf(nextToken)) === 200)
    expect(await statusOf(token)).toBe(200)
    await applyDocument(studios.tools, tenantDocument(even, { issuers: [next.entry()] }))
    await until('the old key is not', async () => (await statusOf(token)) === 401)
    expect(await statusOf(nextToken)).toBe(200)
  })

  test('a model that is taken away is one that was never there', async () => {
    const served = await gateway(announcedOnly)
    const never = await askFor(served, playerId(0), { model: 'never' })
    const revision = await applyDocument(studios.tools, tenantDocument(even, { models: {} }))
    await until('the model is gone', () => revisionOf(served) === revision)
    const gone = await askFor(served, playerId(0))
    expectProblem(gone, 403, 'model-not-allowed')
    expect(gone.body.equals(never.body)).toBe(true)
  })
})

/** Asks without pause, in so many lanes, until told to stop. */
function startLoad(lanes: number, request: (lane: number) => Promise<void>) {
  let stopped = false
  let failure: unknown = null
  const running = range(lanes).map(async (lane) => {
    try {
      while (!stopped && failure === null) await request(lane)
    } catch (error) {
      failure ??= error
    }
  })
  return async () => {
    stopped = true
    await Promise.all(running)
    if (failure !== null) throw failure
  }
}

describe('under load', () => {
  test('a republish switches the records, and every answer is a whole row of one publish', async () => {
    const served = await gateway(announcedOnly)
    const tokens = await Promise.all(
      players.map((index) => studios.issuer.token({ model: 'games', sub: playerId(index) })),
    )
    const publishes = [0, 100, 200, 300]
    const seen = players.map(() => new Set<number>())
    let answers = 0
    const stop = startLoad(8, async (lane) => {
      for (const index of players.filter((player) => player % 8 === lane)) {
        const reply = await ask(`${served.data}/recommendations`, { token: tokens[index]! })
        expect(reply.status).toBe(200)
        const { reason, recommendation } = jsonOf(reply)
        expect(reason).toBe('split')
        const salt = publishes.find((one) => isEqual(recommendation, playerRecord(index, one)))
        expect(salt).toBeDefined()
        // Nobody's record ever goes back to an older publish.
        expect(salt).toBeGreaterThanOrEqual(Math.max(...seen[index]!, 0))
        seen[index]!.add(salt!)
        answers++
      }
    })
    try {
      for (const salt of publishes.slice(1)) {
        const before = answers
        await publishAll(salt)
        await until('the load has seen it', () => seen.every((salts) => salts.has(salt)) && answers > before)
      }
    } finally {
      await stop()
    }
    expect(answers).toBeGreaterThan(players.length * publishes.length)
  })

  test('stop() drains: no request fails, each answer closes its connection, load balancers see it', async () => {
    // All of what follows must come within it, on whatever machine.
    const served = await gateway({ RECGATE_DRAIN_MS: '5000' })
    const tokens = await Promise.all(
      players.map((index) => studios.issuer.token({ model: 'games', sub: playerId(index) })),
    )
    const closing = players.slice(0, 8).map(() => 0)
    let opened = 0
    const stop = startLoad(8, async (lane) => {
      // A balancer that has seen enough sends its clients elsewhere.
      if (closing[lane]! >= 5) return new Promise((resolve) => setImmediate(resolve))
      const reply = await ask(`${served.data}/recommendations`, { token: tokens[lane]! })
      expect(reply.status).toBe(200)
      expect(jsonOf(reply)['reason']).toBe('split')
      if (reply.headers.connection === 'close') closing[lane]!++
      else {
        expect(closing[lane]).toBe(0)
        opened++
      }
    })
    await until('the load runs', () => opened > 200)
    expect((await ask(`${served.data}/healthz`)).status).toBe(200)
    expect((await ask(`${served.ops}/readyz`)).status).toBe(200)
    const stopped = studios.stopGateways()
    const health = await ask(`${served.data}/healthz`)
    expect({ status: health.status, text: health.body.toString() }).toStrictEqual({
      status: 503,
      text: 'draining',
    })
    const ready = await ask(`${served.ops}/readyz`)
    expect(ready.status).toBe(503)
    expect(jsonOf(ready)).toMatchObject({ status: 'unready', draining: true })
    expect((await ask(`${served.ops}/healthz`)).status).toBe(200)
    await until('each has been told to close', () => closing.every((count) => count >= 5))
    await stop()
    await stopped
    for (const base of [served.data, served.ops, served.admin])
      await expect(ask(`${base}/healthz`)).rejects.toThrow(/ECONNREFUSED/)
  })
})

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

describe('what can not be served', () => {
  const invalid = (change: (document: Record<string, unknown>) => void) => (document: string) => {
    const parsed = JSON.parse(document) as Record<string, unknown>
    change(parsed)
    return { document: JSON.stringify(parsed) }
  }
  const broken: [name: string, fields: (document: string, state: string) => Record<string, string>][] = [
    ['a document that is no JSON', () => ({ document: '{"format":1,' })],
    ['an empty document', () => ({ document: '' })],
    ['a document that is null', () => ({ document: 'null' })],
    ['no models', invalid((document) => delete document['models'])],
    ['another tenant’s document', invalid((document) => Object.assign(document, { tenant: otherTenant }))],
    [
      'weights that are 99 %',
      invalid((document) => {
        const { games } = document['models'] as { games: { weights: Weights } }
        games.weights['popular'] = 49
      }),
    ],
    [
      'keys that can not be imported',
      invalid((document) => {
        const [entry] = document['issuers'] as { jwks: { keys: unknown[] } }[]
        entry!.jwks.keys = [{ kty: 'EC', crv: 'P-256', alg: 'ES256', x: 'AA', y: 'AA' }]
      }),
    ],
    ['a state that is no JSON', () => ({ state: 'x' })],
    ['a state without its model', () => ({ state: '{"models":{},"retiredModels":[]}' })],
    [
      'an allocation that lacks a slot',
      (_document, state) => ({ state: state.replace(/"ranges":\[\["(\w+)",(\d+)/, '"ranges":[["$1",1') }),
    ],
  ]

  async function expectServed(served: RunningGateway, split: readonly string[]): Promise<void> {
    expect(await splitOf(served)).toStrictEqual(split)
    expect(jsonOf(await askFor(served, playerId(3)))).toMatchObject({
      reason: 'split',
      recommendation: playerRecord(3, 0),
    })
  }

  async function problems({ ops }: RunningGateway): Promise<unknown> {
    const ready = await ask(`${ops}/readyz`)
    // The last good snapshot serves: taking the gateway out would help nobody.
    expect(ready.status).toBe(200)
    return (jsonOf(ready)['catalog'] as { problems: unknown }).problems
  }

  test('a broken entry keeps the good one serving, is named, hinders no other tenant, and heals', async () => {
    await applyDocument(studios.tools, onlyPopular(otherTenant, studios.otherIssuer, 300))
    const served = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const otherToken = await studios.otherIssuer.token({ model: 'games' })
    const split = await splitOf(served)
    const { document = '', state = '' } = await studios.hands.hgetall(catalogKeys.tenant(tenant))
    for (const [index, [name, fields]] of broken.entries()) {
      await writeByHand(fields(document, state))
      await studios.hands.publish(catalogKeys.changes, tenant)
      await until(`${name} is found broken`, async () =>
        isEqual(await problems(served), { [tenant]: 'broken' }),
      )
      await expectServed(served, split)
      expect((await ask(`${served.ops}/metrics`)).body.toString()).toContain(
        '\nrecgate_catalog_broken_tenants{problem="broken"} 1\n',
      )
      await applyDocument(studios.tools, onlyPopular(otherTenant, studios.otherIssuer, 301 + index))
      await until('the other tenant goes on', async () => {
        const reply = await ask(`${served.data}/recommendations`, { token: otherToken })
        // A default record's age is short; the document's shows in the snapshot.
        expect(reply.status).toBe(200)
        const other = served.gateway.snapshots.current()?.tenants.get(otherTenant)
        return other?.models.get('games')?.maxAgeSeconds === 301 + index
      })
      await writeByHand({ document, state })
      await studios.hands.publish(catalogKeys.changes, tenant)
      await until(`${name} is mended`, async () => isEqual(await problems(served), {}))
      await expectServed(served, split)
    }
  })

  test('an empty catalog makes tokens come back, not give up: it may have been emptied', async () => {
    await studios.hands.del(catalogKeys.tenants)
    const served = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const early = await askFor(served, playerId(3))
    expect(early).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^[123]$/) } })
    await studios.hands.sadd(catalogKeys.tenants, tenant)
    await until('it is back', async () => (await askFor(served, playerId(3))).status === 200)
  })

  test('a tenant that was broken from the start makes tokens come back, not give up, until it heals', async () => {
    await applyDocument(studios.tools, onlyPopular(otherTenant, studios.otherIssuer, 400))
    const { document = '', state = '' } = await studios.hands.hgetall(catalogKeys.tenant(tenant))
    await writeByHand({ document: '{' })
    const served = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const early = await askFor(served, playerId(3))
    expect(early).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^[123]$/) } })
    expect(jsonOf(early)).toMatchObject({ code: 'busy' })
    const otherToken = await studios.otherIssuer.token({ model: 'games' })
    expect((await ask(`${served.data}/recommendations`, { token: otherToken })).status).toBe(200)
    // Nobody else's refusals change: only a token of an issuer that isn't known may be the broken tenant's.
    const [head, payload] = otherToken.split('.')
    for (const token of ['x.y.z', `${head}.${payload}.AAAA`, `${head}.${payload}.`])
      expect((await ask(`${served.data}/recommendations`, { token })).status, token).toBe(401)
    expect((await ask(`${served.data}/recommendations`)).status).toBe(401)
    await writeByHand({ document, state })
    await until('it has healed', async () => (await askFor(served, playerId(3))).status === 200)
    expect((await ask(`${served.data}/recommendations`, { token: 'x.y.z' })).status).toBe(401)
  })

  test('a tenant, or the whole catalog, that has vanished goes on being served', async () => {
    const served = await gateway({ RECGATE_CATALOG_POLL_MS: '100' })
    const split = await splitOf(served)
    const stored = await studios.hands.hgetall(catalogKeys.tenant(tenant))
    await studios.hands.del(catalogKeys.tenants)
    await until('it is missed', async () => isEqual(await problems(served), { [tenant]: 'vanished' }))
    await expectServed(served, split)
    await studios.hands.sadd(catalogKeys.tenants, tenant)
    await until('it is back', async () => isEqual(await problems(served), {}))
    await studios.hands.del(catalogKeys.tenant(tenant))
    await studios.hands.set(catalogKeys.index(tenant), '99 other')
    await until('its entry is missed', async () => isEqual(await problems(served), { [tenant]: 'broken' }))
    await expectServed(served, split)
    await studios.hands.hset(catalogKeys.tenant(tenant), stored)
    await writeByHand({})
    await until('its entry is back', async () => isEqual(await problems(served), {}))
    await expectServed(served, split)
  })
})
