import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, startRedisServer } from '../../src/commands/local-redis.ts'
import { metricNames } from '../../src/metrics/names.ts'
import { urlAs, writeAclFile } from '../support/acl-users.ts'
import { createMemoryLog, type MemoryLog } from '../support/memory-log.ts'
import { gameFor, oneGameDocument, playerToken } from '../support/one-game-studio.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, rowsOf, testSettings } from '../support/studio.ts'
import { makeKey } from '../support/tokens.ts'
import { until } from '../support/until.ts'
import { ask, jsonOf } from './client.ts'
import { scrape, valuesOf } from './exposition.ts'

const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: a Redis that fails reads is skipped; install redis-server\n')

const tenant = 'studio-a'

describe.skipIf(binary === null)('a gateway whose Redis fails reads', () => {
  let directory: string
  let site: Site
  let gateway: RunningGateway
  let token: string
  let memory: MemoryLog
  let node: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-breaker-'))
    site = await openSite(await startRedisServer(binary!, ['--aclfile', await writeAclFile(directory)]))
    const key = await makeKey('ES256')
    await applyDocument(site.tools, oneGameDocument(tenant, key, 100))
    await publishRows(site.tools, [tenant, 'games', 'popular'], rowsOf(['sub', 'game'], [['player-1', 7]]))
    token = await playerToken(tenant, key, 'player-1')
    memory = createMemoryLog()
    gateway = await site.startGateway(testSettings(urlAs('gateway', site.redis.url)), { log: memory.log })
    node = new URL(site.redis.url).host
  })
  afterAll(async () => {
    await site.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const reads = ['evalsha_ro', 'eval_ro']
  const allow = (sign: '+' | '-') =>
    site.hands.acl('SETUSER', 'recgate-gateway', ...reads.map((command) => sign + command))
  const lines = (text: string) =>
    memory.lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => String(msg).startsWith(text))
  const counted = async () => {
    const metrics = await scrape(gateway.ops)
    return [metricNames.storeBreakerOpen, metricNames.storeBreakerOpened].map((name) =>
      valuesOf(metrics, name),
    )
  }
  const answer = async () => {
    const reply = await ask(`${gateway.data}/recommendations`, { token })
    expect(reply.status).toBe(200)
    return jsonOf(reply)['reason']
  }

  test('answers on, says so once, counts it, stays ready, and reads again by itself', async () => {
    expect(await gameFor(token, gateway.data)).toContain('split')
    expect(await counted()).toEqual([{ [node]: 0 }, { '': 0 }])

    await allow('-')
    await until('the breaker is open', async () => {
      expect(await answer()).toBe('stale')
      return (await counted())[0]![node] === 1
    })
    for (let index = 0; index < 20; index++) expect(await answer()).toBe('stale')
    expect(await counted()).toEqual([{ [node]: 1 }, { '': 1 }])
    expect((await ask(`${gateway.ops}/readyz`)).status).toBe(200)
    expect(lines('Redis fails reads')).toEqual([
      expect.objectContaining({ level: 40, node, reason: expect.stringMatching(/^NOPERM/) }),
    ])

    await allow('+')
    await until('rows are read', async () => (await answer()) === 'split')
    expect(await counted()).toEqual([{ [node]: 0 }, { '': 1 }])
    expect(lines('Redis fails reads')).toHaveLength(1)
    expect(lines('Redis is read again')).toEqual([
      expect.objectContaining({ level: 30, node, afterMs: expect.any(Number) }),
    ])
  })
})
