import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeChange, planChange } from '../../src/catalog/change.ts'
import { findRedisServer, startRedisServer } from '../../src/commands/local-redis.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { createGate, type Gate } from '../support/gate.ts'
import {
  applyDocument,
  publishRows,
  type RunningGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { until } from '../support/until.ts'
import { ask, jsonOf } from './client.ts'
import { parseExposition } from './exposition.ts'
import { gamesDefault, gamesRows, playerId, playerRecord, range, studioIssuer } from './games.ts'
import { onlyPopular, openTwoStudios, otherTenant, type TwoStudios, tenant } from './two-studios.ts'

/** A whole gateway whose Redis, or whose catalog, goes away and comes back: at a start and while it runs. */

const players = range(5)
const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: a Redis that dies and is started again is skipped; install redis-server\n')

let studios: TwoStudios
let gate: Gate
let hands: Redis
let stateDir: string
let log: Record<string, unknown>[]

const documentOf = (maxAgeSeconds = 300) => onlyPopular(tenant, studios.issuer, maxAgeSeconds)
const otherDocument = (maxAgeSeconds = 300) => onlyPopular(otherTenant, studios.otherIssuer, maxAgeSeconds)

beforeEach(async () => {
  log = []
  stateDir = await mkdtemp(join(tmpdir(), 'recgate-outages-'))
  studios = await openTwoStudios()
  hands = studios.hands
  gate = await createGate(studios.redis.url)
  await applyDocument(studios.tools, documentOf())
  await applyDocument(studios.tools, otherDocument())
  await publishRows(studios.tools, [tenant, 'games', 'popular'], gamesRows(players, 1))
})

afterEach(async () => {
  await studios.stop()
  await gate.shut()
  await rm(stateDir, { recursive: true, force: true })
})

async function gateway(url = gate.url, more: Record<string, string> = {}): Promise<RunningGateway> {
  const settings = testSettings(url, {
    RECGATE_STATE_DIR: stateDir,
    RECGATE_CATALOG_POLL_MS: '100',
    RECGATE_LOG_LEVEL: 'info',
    ...more,
  })
  const lines = { write: (text: string) => void log.push(JSON.parse(text) as Record<string, unknown>) }
  return studios.startGateway(settings, { log: pino({ level: 'info', base: null }, lines) })
}

/** Leaves the catalog on disk, as a gateway that has run. */
async function savedByAnEarlierGateway(): Promise<void> {
  await gateway(studios.redis.url)
  await studios.stopGateways()
  expect(readdirSync(stateDir).sort()).toEqual([`tenant.${otherTenant}.state`, `tenant.${tenant}.state`])
  log = []
}

async function answerOf({ data }: RunningGateway, by = studios.issuer, index = 0) {
  const token = await by.token({ model: 'games', sub: playerId(index) })
  const reply = await ask(`${data}/recommendations`, { token })
  if (reply.status !== 200) return { status: reply.status }
  const { reason, recommendation } = jsonOf(reply)
  return { status: reply.status, reason, recommendation }
}

const ownRow = { status: 200, reason: 'split', recommendation: playerRecord(0, 1) }
/** A copy of it: this player was answered before. */
const staleRow = { ...ownRow, reason: 'stale' }
const defaultRow = { status: 200, reason: 'default', recommendation: gamesDefault }

async function readiness({ ops }: RunningGateway) {
  const reply = await ask(`${ops}/readyz`)
  return { status: reply.status, catalog: jsonOf(reply)['catalog'] as Record<string, unknown> }
}

/** label value → value, of a metric with at most one label. */
async function metric(
  { ops }: RunningGateway,
  { name, labels }: { name: string; labels: readonly string[] },
) {
  const family = parseExposition((await ask(`${ops}/metrics`)).body.toString()).get(name)
  return Object.fromEntries(
    (family?.samples ?? []).map((sample) => [sample.labels[labels[0] ?? ''] ?? '', sample.value]),
  )
}

const linesWith = (text: string) => log.filter(({ msg }) => String(msg).includes(text))

/** Several polls pass: what is said at every poll would be said again. */
async function somePolls(): Promise<void> {
  const reads = await indexReads()
  await until('the catalog was polled', async () => (await indexReads()) >= reads + 4)
}

async function indexReads(): Promise<number> {
  const stats = await hands.info('commandstats').catch(() => '')
  const calls = /^cmdstat_smembers:calls=(\d+)/m.exec(stats)?.[1]
  if (calls !== undefined) return Number(calls)
  // The in-process engine keeps no such statistics: time passes instead, several polls long.
  return Math.floor(performance.now() / 150)
}

describe('a start while Redis is away', () => {
  test('serves from disk: ready, defaults to verified tokens, and says so; then heals', async () => {
    await savedByAnEarlierGateway()
    const served = await gateway()
    expect(await answerOf(served)).toEqual(defaultRow)
    expect(await answerOf(served, studios.otherIssuer)).toEqual(defaultRow)
    expect(await metric(served, metricNames.catalogTenants)).toEqual({ catalog: 0, disk: 2 })
    const metrics = (await ask(`${served.ops}/metrics`)).body.toString()
    expect(metrics).toMatch(/recgate_requests_total\{.*reason="default",cause="store".*\} 1/)
    expect(await readiness(served)).toMatchObject({
      status: 200,
      catalog: {
        source: 'disk',
        reachable: false,
        tenants: 2,
        fromDisk: { tenants: 2, savedAt: expect.stringMatching(/^\d{4}-/) },
      },
    })
    // Signatures are verified: another key of the same name is no key.
    const forger = await studioIssuer(studios.issuer.issuer, 'k1')
    const forged = await ask(`${served.data}/recommendations`, {
      token: await forger.token({ model: 'games', sub: playerId(0) }),
    })
    expect(forged.status).toBe(401)
    // A tenant that was never saved can't be told from one that doesn't exist: its players must come back.
    const stranger = await studioIssuer('https://auth.stranger.example', 'k1')
    const unknown = await ask(`${served.data}/recommendations`, {
      token: await stranger.token({ model: 'games', sub: playerId(0) }),
    })
    expect(unknown.status).toBe(503)
    expect(unknown.headers['retry-after']).toMatch(/^[123]$/)
    expect(linesWith('what was saved on disk is served')).toMatchObject([{ level: 40, tenants: 2 }])
    expect(linesWith('catalog can not be read')).toHaveLength(1)

    await gate.open()
    await until('the catalog is read', async () => (await readiness(served)).catalog['source'] === 'catalog')
    await until('rows are read', async () => (await answerOf(served)).reason === 'split')
    expect(await answerOf(served)).toEqual(ownRow)
    expect(await readiness(served)).toMatchObject({
      status: 200,
      catalog: { source: 'catalog', reachable: true, fromDisk: { tenants: 0, savedAt: null }, problems: {} },
    })
    expect(await metric(served, metricNames.catalogTenants)).toEqual({ catalog: 2, disk: 0 })
    expect((await metric(served, metricNames.catalogReadAge))['']).toBeLessThan(60)
    expect(linesWith('catalog can be read again')).toHaveLength(1)
    expect(linesWith('catalog loaded')).toEqual([])
    expect((await ask(`${served.data}/recommendations`, { token: 'a.b.c' })).status).toBe(401)
  })

  test('heals by the connection’s return, not by the next poll', async () => {
    await savedByAnEarlierGateway()
    const served = await gateway(gate.url, { RECGATE_CATALOG_POLL_MS: '60000' })
    expect((await readiness(served)).catalog['source']).toBe('disk')
    await applyDocument(studios.tools, documentOf(77))
    await gate.open()
    await until('the new catalog serves', () => {
      const model = served.gateway.snapshots.current()?.tenants.get(tenant)?.models.get('games')
      return model?.maxAgeSeconds === 77
    })
    expect((await readiness(served)).catalog['source']).toBe('catalog')
  })

  test('serves from disk also where Redis takes connections and never says a word', async () => {
    await savedByAnEarlierGateway()
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => void sockets.add(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    try {
      const served = await gateway(`redis://127.0.0.1:${(silent.address() as AddressInfo).port}`)
      expect(await readiness(served)).toMatchObject({ status: 200, catalog: { source: 'disk', tenants: 2 } })
      expect(await answerOf(served)).toEqual(defaultRow)
    } finally {
      await studios.stopGateways()
      for (const socket of sockets) socket.destroy()
      silent.close()
    }
  })

  test.skipIf(binary === null)('heals when a server that had died is started again on its port', async () => {
    const [directory, port] = [await mkdtemp(join(tmpdir(), 'recgate-aof-')), new URL(gate.url).port]
    const start = () => startRedisServer(binary!, ['--port', port, '--appendonly', 'yes', '--dir', directory])
    let server = await start()
    const own = await testTools(gate.url)
    try {
      await applyDocument(own, documentOf())
      await publishRows(own, [tenant, 'games', 'popular'], gamesRows(players, 1))
      const served = await gateway()
      expect(await answerOf(served)).toEqual(ownRow)
      await server.stop()
      expect(await answerOf(served)).toEqual(staleRow)
      await until(
        'the outage is noticed',
        async () => (await readiness(served)).catalog['reachable'] === false,
      )
      const late = await gateway()
      expect((await readiness(late)).catalog).toMatchObject({ source: 'disk', tenants: 1 })
      expect(await answerOf(late)).toEqual(defaultRow)
      server = await start()
      for (const each of [served, late]) {
        await until('rows are back', async () => (await answerOf(each)).reason === 'split')
        await until('the catalog is back', async () => (await readiness(each)).catalog['reachable'] === true)
      }
    } finally {
      own.close()
      await studios.stopGateways()
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('passes over every file that is damaged, by name and reason, and serves the rest', async () => {
    await savedByAnEarlierGateway()
    const fileOf = (name: string) => join(stateDir, `tenant.${name}.state`)
    const sound = readFileSync(fileOf(otherTenant))
    const body = JSON.stringify({ tenantId: 'unfit' })
    const sha256 = createHash('sha256').update(`1 tenant.unfit\n${body}`).digest('hex')
    const header = { format: 1, name: 'tenant.unfit', bytes: body.length, sha256 }
    writeFileSync(fileOf('unfit'), `${JSON.stringify(header)}\n${body}`)
    writeFileSync(fileOf('foreign'), sound)
    writeFileSync(fileOf('short'), sound.toString().replace(`tenant.${otherTenant}`, 'tenant.short'))
    truncateSync(fileOf('short'), sound.length - 100)
    writeFileSync(fileOf('coming'), sound.toString().replace('"format":1', '"format":2'))
    const flipped = Buffer.from(sound)
    flipped[flipped.length - 200]! ^= 4
    writeFileSync(fileOf(otherTenant), flipped)
    const served = await gateway()
    expect(await answerOf(served)).toEqual(defaultRow)
    expect((await readiness(served)).catalog).toMatchObject({ source: 'disk', tenants: 1 })
    // Its players are told to come back: it isn't known that they have no tenant.
    expect(await answerOf(served, studios.otherIssuer)).toEqual({ status: 503 })
    const passedOver = linesWith('state file is passed over').map(({ file, reason }) => [
      file,
      String(reason),
    ])
    expect(passedOver).toEqual([
      [fileOf('coming'), 'is of format 2, and this recgate reads format 1'],
      [fileOf('foreign'), `is the file of "tenant.${otherTenant}" under another name`],
      [fileOf(otherTenant), 'is damaged: its checksum is wrong'],
      [fileOf('short'), expect.stringMatching(/^is not whole: \d+ of \d+ bytes are there$/)],
      [fileOf('unfit'), expect.stringContaining('revision: is missing')],
    ])
    await gate.open()
    await until(
      'the rest is loaded',
      async () => (await answerOf(served, studios.otherIssuer)).status === 200,
    )
    await studios.stopGateways()
    expect(readFileSync(fileOf(otherTenant)).equals(flipped)).toBe(false)
  })

  test('without a state directory, or with an empty one, is unready until Redis is there', async () => {
    const served = await gateway()
    expect(await readiness(served)).toMatchObject({ status: 503, catalog: { ready: false, source: 'none' } })
    expect(await answerOf(served)).toEqual({ status: 503 })
    await gate.open()
    await until('it is ready', async () => (await readiness(served)).status === 200)
  })
})

describe('an outage of a running gateway', () => {
  test('is said once when it begins and once when it is over; answers go on', async () => {
    await gate.open()
    const served = await gateway()
    expect(await answerOf(served)).toEqual(ownRow)
    await gate.shut()
    await until('it is noticed', async () => (await readiness(served)).catalog['reachable'] === false)
    await until('time passes', async () => (await metric(served, metricNames.catalogReadAge))['']! > 1)
    expect(await answerOf(served)).toEqual(staleRow)
    expect((await readiness(served)).status).toBe(200)
    expect(jsonOf(await ask(`${served.admin}/api/tenants`))).toMatchObject({
      status: 503,
      code: 'store-unavailable',
    })
    // Four roles' connections are gone, and the admin plane was asked.
    const lines = log.filter(({ level }) => Number(level) > 30)
    const messages = [
      'Redis can’t be reached; trying on',
      'catalog can not be read; what was loaded is served. Trying on',
    ]
    expect(new Set(lines.map(({ msg }) => msg))).toEqual(new Set(messages))
    // A connection may also have been reset before it was refused: another reason, and another line.
    expect(new Set(lines.map(({ msg, reason }) => `${msg}: ${reason}`)).size).toBe(lines.length)
    expect(lines.filter(({ reason }) => /^connect ECONNREFUSED/.test(String(reason)))).toHaveLength(1)
    const [unreadable] = linesWith('catalog can not be read')
    expect(unreadable?.['reason']).toMatch(
      /^Redis at 127\.0\.0\.1:\d+ can't be reached: (connect ECONNREFUSED|read ECONNRESET|the connection was lost)/,
    )
    await gate.open()
    await until('it is over', async () => (await readiness(served)).catalog['reachable'] === true)
    await until('rows are back', async () => (await answerOf(served)).reason === 'split')
    expect(linesWith('catalog can not be read')).toHaveLength(1)
    expect(linesWith('catalog can be read again')).toHaveLength(1)
  })

  test('a state directory that is lost harms no answer, costs one line, and is counted', async () => {
    await gate.open()
    const served = await gateway()
    const elsewhere = `${stateDir}-moved`
    renameSync(stateDir, elsewhere)
    try {
      for (const maxAgeSeconds of [301, 302]) {
        await applyDocument(studios.tools, documentOf(maxAgeSeconds))
        await applyDocument(studios.tools, otherDocument(maxAgeSeconds))
      }
      await until(
        'writes have failed',
        async () => (await metric(served, metricNames.stateWrites))['failed']! >= 2,
      )
      expect(await answerOf(served)).toEqual(ownRow)
      expect(linesWith('state can not be written')).toMatchObject([
        { level: 50, file: expect.stringContaining(stateDir), reason: expect.stringContaining('ENOENT') },
      ])
    } finally {
      await studios.stopGateways()
      renameSync(elsewhere, stateDir)
    }
  })
})

/** What goes wrong with a catalog that is there: what happens, what it is called, its one line, and its mending. */
const troubles: {
  name: string
  happen: () => Promise<unknown>
  problems: Record<string, string>
  says: RegExp
  mend: () => Promise<unknown>
}[] = [
  {
    name: 'a vanished index',
    happen: () => hands.del(catalogKeys.tenants),
    problems: { [tenant]: 'vanished', [otherTenant]: 'vanished' },
    says: /^vanished from the catalog; .* recgate catalog apply FILE… --revision-above 2$/,
    mend: () => hands.sadd(catalogKeys.tenants, tenant, otherTenant),
  },
  {
    name: 'an emptied catalog',
    happen: async () => {
      const tables = await hands.keys('rg:t:*')
      const rows = await Promise.all(tables.map((key) => hands.hgetallBuffer(key)))
      await hands.flushdb()
      // The tables may lie in another Redis, which is not emptied.
      for (const [index, key] of tables.entries()) await hands.hset(key, rows[index]!)
    },
    problems: { [tenant]: 'vanished', [otherTenant]: 'vanished' },
    says: /^vanished from the catalog/,
    mend: async () => {
      for (const input of [documentOf(), otherDocument()]) {
        const plan = await planChange(
          studios.tools.catalog,
          checkTenantDocument(input).document!,
          () => 'salt',
          2,
        )
        await makeChange(studios.tools.catalog, plan, { who: 'tester', why: 'mend', at: '' })
      }
    },
  },
  {
    name: 'a broken document',
    happen: async () => {
      await hands.hset(catalogKeys.tenant(tenant), { document: '{"format":1', revision: 3, token: 'bad' })
      await hands.set(catalogKeys.index(tenant), '3 bad')
    },
    problems: { [tenant]: 'broken' },
    says: /^catalog entry can not be served; the last good one is$/,
    mend: async () => {
      await hands.hset(catalogKeys.tenant(tenant), { document: JSON.stringify(documentOf()), token: 'good' })
      await hands.set(catalogKeys.index(tenant), '3 good')
    },
  },
  {
    name: 'a catalog that runs backwards',
    happen: async () => {
      await hands.hset(catalogKeys.tenant(tenant), { revision: 1, token: 'old' })
      await hands.set(catalogKeys.index(tenant), '1 old')
    },
    problems: { [tenant]: 'backwards' },
    says: /^catalog runs backwards, .* recgate catalog apply FILE… --revision-above 2$/,
    mend: async () => {
      await hands.hset(catalogKeys.tenant(tenant), { revision: 3, token: 'new' })
      await hands.set(catalogKeys.index(tenant), '3 new')
    },
  },
]

describe.each(troubles)('$name', ({ happen, problems, says, mend }) => {
  beforeEach(() => gate.open())

  async function expectServedOn(served: RunningGateway): Promise<void> {
    await until(
      'it is noticed',
      async () => Object.keys((await readiness(served)).catalog['problems']!).length > 0,
    )
    await somePolls()
    expect(await readiness(served)).toMatchObject({ status: 200, catalog: { problems, source: 'catalog' } })
    expect(await answerOf(served)).toEqual(ownRow)
    expect(await answerOf(served, studios.otherIssuer)).toEqual(defaultRow)
    expect((await ask(`${served.data}/recommendations`, { token: 'a.b.c' })).status).toBe(401)
    const counts = { broken: 0, vanished: 0, backwards: 0 } as Record<string, number>
    for (const problem of Object.values(problems)) counts[problem]!++
    expect(await metric(served, metricNames.catalogBroken)).toEqual(counts)
    const errors = log.filter(({ level }) => level === 50)
    expect(errors).toMatchObject([{ msg: expect.stringMatching(says) }])

    await mend()
    await until(
      'it is over',
      async () => Object.keys((await readiness(served)).catalog['problems']!).length === 0,
    )
    expect(await metric(served, metricNames.catalogBroken)).toEqual({ broken: 0, vanished: 0, backwards: 0 })
    expect((await answerOf(served)).status).toBe(200)
    expect(linesWith('catalog entries are sound again').length).toBeGreaterThanOrEqual(1)
    expect(log.filter(({ level }) => level === 50)).toHaveLength(1)
  }

  test('leaves a running gateway serving what it had', async () => {
    const served = await gateway()
    await happen()
    await expectServedOn(served)
  })

  test('leaves a start with what was saved', async () => {
    await savedByAnEarlierGateway()
    await happen()
    await expectServedOn(await gateway())
  })
})

describe('junk in the catalog', () => {
  test('of every kind, in every key, never stops the answers', async () => {
    await gate.open()
    const served = await gateway(gate.url, { RECGATE_LOG_LEVEL: 'info' })
    const junk = [
      '',
      '{',
      '[]',
      'null',
      '0',
      '\0'.repeat(1_000),
      '{"__proto__":{}}',
      `${'['.repeat(50_000)}`,
      '\ud800😀',
    ]
    let revision = 10
    let told = 0
    const put = async (fields: Record<string, string>) => {
      revision++
      await hands.hset(catalogKeys.tenant(tenant), { ...fields, revision, token: 'junk' })
      await hands.set(catalogKeys.index(tenant), `${revision} junk`)
      told++
      await until('it is told', () => linesWith('catalog entry can not be served').length === told)
      expect(await answerOf(served)).toEqual(ownRow)
    }
    for (const text of junk) {
      await put({ document: text })
      await put({ document: JSON.stringify(documentOf()), state: text })
    }
    for (const key of [
      catalogKeys.tenant(tenant),
      catalogKeys.index(tenant),
      catalogKeys.issuers,
      catalogKeys.tenants,
    ]) {
      for (const put of [
        () => hands.set(key, 'junk'),
        () => hands.rpush(key, 'junk'),
        () => hands.sadd(key, '../..', '__proto__', 'a b'),
      ]) {
        await hands.del(key)
        await put()
        await somePolls()
        expect(await answerOf(served)).toEqual(ownRow)
        expect((await readiness(served)).status).toBe(200)
      }
    }
    await hands.flushdb()
    await applyDocument(studios.tools, { ...documentOf(), tenant: 'newcomer', issuers: [] })
    await until(
      'what is sound is served',
      () => served.gateway.snapshots.current()?.tenants.has('newcomer') === true,
    )
  })
})
