import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { composeGateway, type Gateway, planes, type Tools } from '../../src/compose.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { runCli } from '../support/cli.ts'
import { type KeyServer, startKeyServer } from '../support/key-server.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, publishRows, testSettings, testTools } from '../support/studio.ts'
import { goodClaims, makeKey, signToken, type TestKey } from '../support/tokens.ts'
import { until } from '../support/until.ts'
import { ask, expectProblem, jsonOf, type Reply } from './client.ts'
import { parseExposition } from './exposition.ts'
import { gamesModel, gamesRows, playerId, playerRecord, range } from './games.ts'

/** A whole gateway whose tenant's keys are on a key server. */

const tenant = 'steam-studio'
const iss = 'https://auth.steam.example'
const players = range(10)

let redis: LocalRedis
let tools: Tools
let server: KeyServer
let directory: string
let key: TestKey
let nextKey: TestKey
let gateways: Gateway[]
let lines: string[]

beforeEach(async () => {
  gateways = []
  lines = []
  directory = await mkdtemp(join(tmpdir(), 'recgate-keys-by-url-'))
  ;[redis, server, key, nextKey] = await Promise.all([
    testRedis(),
    startKeyServer(),
    makeKey('ES256', 'a'),
    makeKey('RS256', 'b'),
  ])
  server.serve(key.publicJwk)
  tools = await testTools(redis.url)
})
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()))
  tools.close()
  await Promise.all([redis.stop(), server.stop(), rm(directory, { recursive: true })])
})

function document(more: Record<string, unknown> = {}, url = server.url()) {
  return {
    format: 1,
    tenant,
    issuers: [{ issuer: iss, audience: 'recgate', jwks: { url }, ...more }],
    models: { games: gamesModel },
  }
}

async function applyAll(): Promise<void> {
  await applyDocument(tools, document())
  for (const version of gamesModel.versions)
    await publishRows(tools, [tenant, 'games', version], gamesRows(players, 0))
}

async function start(settings: Record<string, string> = { RECGATE_JWKS_PRIVATE_HOSTS: 'localhost' }) {
  const gateway = composeGateway({
    settings: testSettings(redis.url, {
      RECGATE_JWKS_CA_FILE: server.authority.file,
      RECGATE_CATALOG_POLL_MS: '100',
      ...settings,
    }),
    resolveSecret: () => null,
    planes,
    developmentKey: null,
    log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
  })
  gateways.push(gateway)
  const { data = '', ops = '' } = await gateway.start()
  return {
    gateway,
    ask: async (token: string): Promise<Reply> => ask(`${data}/recommendations`, { token }),
    metric: async ({ name }: { name: string }) =>
      parseExposition((await ask(`${ops}/metrics`)).body.toString()).get(name)!.samples,
  }
}

function token(by = key, index = 0, more: Record<string, unknown> = {}): Promise<string> {
  return signToken(by, goodClaims(iss, { model: 'games', sub: playerId(index), ...more }))
}

/** What the log says of keys. */
function keyLines(): Record<string, unknown>[] {
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => String(msg).includes('key'))
    .map(({ level: _level, time: _time, pid: _pid, hostname: _hostname, ...line }) => line)
}

function expectRecord(reply: Reply, index = 0): void {
  expect(reply.status).toBe(200)
  expect(jsonOf(reply)).toMatchObject({ reason: 'split', recommendation: playerRecord(index, 0) })
}

describe('keys by URL', () => {
  test('serve; a rotation arrives with a token; a dead server changes nothing', async () => {
    await applyAll()
    expect(server.connections()).toBe(0)
    const gateway = await start()
    const known = await token()
    expectRecord(await gateway.ask(known))
    server.serve(key.publicJwk, { ...nextKey.publicJwk, alg: undefined })
    const rotated = await token(nextKey, 1)
    // With the first one, unless the machine is so busy that the fetch takes far longer than the one before.
    await until('the new key serves', async () => (await gateway.ask(rotated)).status === 200)
    expectRecord(await gateway.ask(rotated), 1)
    expectProblem(await gateway.ask(await token(await makeKey('ES256', 'c'))), 401, 'token-invalid')
    expect(server.requests()).toBe(2)

    await server.stop()
    expectRecord(await gateway.ask(known))
    for (const index of players) expectRecord(await gateway.ask(await token(key, index)), index)
    expectRecord(await gateway.ask(await token(nextKey, 2)), 2)
    expect(await gateway.metric(metricNames.jwksFetches)).toMatchObject([
      { labels: { tenant, outcome: 'ok' }, value: 2 },
      { labels: { tenant, outcome: 'failed' }, value: 0 },
    ])
    const [age] = await gateway.metric(metricNames.jwksAge)
    expect(age?.labels).toStrictEqual({ tenant, issuer: iss })
    expect(await gateway.metric(metricNames.jwksStale)).toMatchObject([{ value: 0 }])
    expect(keyLines()).toStrictEqual([])
    server = await startKeyServer()
  })

  test('a process that starts while the key server is dead verifies with the keys that were saved', async () => {
    await applyAll()
    const authority = join(directory, 'authority.pem')
    await copyFile(server.authority.file, authority)
    const settings = {
      RECGATE_JWKS_PRIVATE_HOSTS: 'localhost',
      RECGATE_JWKS_CA_FILE: authority,
      RECGATE_STATE_DIR: join(directory, 'state'),
    }
    const first = await start(settings)
    expectRecord(await first.ask(await token()))
    await first.gateway.stop()
    await server.stop()
    const second = await start(settings)
    for (const index of players) expectRecord(await second.ask(await token(key, index)), index)
    expectProblem(await second.ask(await token(nextKey)), 401, 'token-invalid')
    const { RECGATE_STATE_DIR: _, ...unsaved } = settings
    const without = await start(unsaved)
    expectProblem(await without.ask(await token()), 503, 'busy')
  })

  test('that can not be fetched make players come back, and are told in the log once', async () => {
    server.answerWith((_request, response) => response.writeHead(500).end())
    await applyAll()
    const gateway = await start()
    const bearer = await token()
    expectProblem(await gateway.ask(bearer), 503, 'busy')
    expectProblem(await gateway.ask(await token(nextKey)), 503, 'busy')
    server.serve(key.publicJwk, { kty: 'oct', k: 'c2VjcmV0', kid: 'shared' })
    await until('they are tried again', async () => (await gateway.ask(bearer)).status === 200)
    expect(keyLines()).toStrictEqual([
      {
        tenant,
        issuer: iss,
        reason: 'the key server answers 500',
        msg: 'keys can not be fetched; the last ones go on serving for a day',
      },
      {
        tenant,
        issuer: iss,
        kid: 'shared',
        reason: expect.stringMatching(/^kty: must not be oct/),
        msg: 'a key of the key server can not be used',
      },
      { tenant, issuer: iss, msg: 'keys can be fetched again' },
    ])
    for (const part of [bearer.split('.')[2]!, 'c2VjcmV0', server.url()])
      expect(lines.join()).not.toContain(part)
    const refusals = await gateway.metric(metricNames.refusals)
    expect(refusals).toContainEqual(expect.objectContaining({ labels: { tenant: '', code: 'busy' } }))
  })

  test('at an address of the gateway’s own network are not fetched', async () => {
    await applyAll()
    const gateway = await start({})
    await until('it was tried', () => keyLines().length > 0)
    expectProblem(await gateway.ask(await token()), 503, 'busy')
    expect(keyLines()).toMatchObject([
      { reason: 'its host has no public address; the setting jwksPrivateHosts can allow it' },
    ])
    expect(server.connections()).toBe(0)
  })

  test('are not asked for by commands that check or apply a document', async () => {
    const file = join(directory, 'tenant.json')
    await writeFile(file, JSON.stringify(document()))
    const env = { RECGATE_REDIS_URL: redis.url, NODE_EXTRA_CA_CERTS: server.authority.file }
    expect(await runCli(['catalog', 'check', file], { env })).toMatchObject({ exitCode: 0 })
    expect(await runCli(['catalog', 'apply', file], { env })).toMatchObject({ exitCode: 0 })
    expect(server.connections()).toBe(0)
    await writeFile(file, JSON.stringify(document({}, 'http://169.254.169.254/latest/')))
    const refused = await runCli(['catalog', 'check', file], { env })
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('issuers[0].jwks.url: must be an https:// URL')
  })
})

describe('revokedKids', () => {
  test.each(['by URL', 'in the document'])('act on a running gateway, for keys %s', async (where) => {
    server.serve(key.publicJwk, nextKey.publicJwk)
    const inline = { jwks: { keys: [key.publicJwk, nextKey.publicJwk] } }
    const more = where === 'by URL' ? {} : inline
    await applyAll()
    await applyDocument(tools, document(more))
    const gateway = await start()
    const [old, good] = [await token(), await token(nextKey, 1)]
    expectRecord(await gateway.ask(old))
    expectRecord(await gateway.ask(good), 1)
    await applyDocument(tools, document({ ...more, revokedKids: ['a'] }))
    await until('the old key is revoked', async () => (await gateway.ask(old)).status === 401)
    expectProblem(await gateway.ask(await token(key, 2)), 401, 'token-invalid')
    expectRecord(await gateway.ask(good), 1)
    expectRecord(await gateway.ask(await token(nextKey, 2)), 2)
    // The change dropped no key, and asked for none.
    expect(server.requests()).toBe(where === 'by URL' ? 1 : 0)
  })
})

test('a gateway that has stopped asks no key server', async () => {
  server.hang()
  await applyAll()
  const { gateway } = await start()
  await until('it asks', () => server.requests() === 1)
  gateways = []
  await gateway.stop()
  // The fetch under way is given up, not failed: nothing is told of it, and nothing stays open.
  await until('its connection is closed', () => server.open() === 0)
  expect(keyLines()).toStrictEqual([])
})
