import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { catalogKeys } from '../../src/redis/keys.ts'
import { readAclPage } from '../support/acl-page.ts'
import { urlAs, writeAclFile } from '../support/acl-users.ts'
import { runCli } from '../support/cli.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { gameFor, oneGameDocument, playerToken } from '../support/one-game-studio.ts'
import {
  applyDocument,
  publishRows,
  publishShardRows,
  type RunningGateway,
  rowsOf,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import { makeKey, type TestKey } from '../support/tokens.ts'
import { until } from '../support/until.ts'

/** The users of docs/redis.md, as they stand there: everything runs under them, and what they must not do is refused. */

const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: the ACL of docs/redis.md is skipped; install redis-server\n')

const [studio, other] = ['studio-a', 'studio-b'] as const

describe.skipIf(binary === null)('under the ACL of docs/redis.md', () => {
  let directory: string
  let redis: LocalRedis
  let key: TestKey
  let administrator: Tools
  let publisher: Tools
  let gateway: RunningGateway
  /** Under the default user, who may do everything: the test's own hands. */
  let hands: Redis

  const gameOf = async (tenant: string) => gameFor(await playerToken(tenant, key, 'player-1'), gateway.data)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-acl-'))
    redis = await startRedisServer(binary!, ['--aclfile', await writeAclFile(directory)])
    hands = new Redis(redis.url)
    key = await makeKey('ES256')
    administrator = await testTools(urlAs('administrator', redis.url))
    publisher = await testTools(urlAs('publisher', redis.url))
    await applyDocument(administrator, oneGameDocument(studio, key))
    await applyDocument(administrator, oneGameDocument(other, key))
    gateway = await startGateway(
      testSettings(urlAs('gateway', redis.url), { RECGATE_CATALOG_POLL_MS: '60000' }),
    )
  })

  afterAll(async () => {
    await gateway?.gateway.stop()
    administrator?.close()
    publisher?.close()
    hands?.disconnect()
    await redis?.stop()
    await rm(directory, { recursive: true })
  })

  test('the page has the three users', async () => {
    const { ofServers: rules } = await readAclPage()
    expect(rules.map((rule) => rule.split(' ')[1])).toEqual([
      'recgate-gateway',
      'recgate-publisher-studio-a',
      'recgate-administrator',
    ])
  })

  test('a publish by its publisher, and a change by an administrator, reach the gateway by announcement', async () => {
    const rows = (game: number) => rowsOf(['sub', 'game'], [['player-1', game]])
    expect(await gameOf(studio)).toBe('200 itemcf default 0')
    await publishRows(publisher, [studio, 'games', 'itemcf'], rows(7))
    await until('the publish is served', async () => (await gameOf(studio)) === '200 itemcf split 7')
    await publishRows(administrator, [other, 'games', 'itemcf'], rows(9))
    await until('the other is', async () => (await gameOf(other)) === '200 itemcf split 9')
    await publishRows(publisher, [studio, 'games', 'popular'], rows(8))
    await applyDocument(administrator, oneGameDocument(studio, key, 100))
    await until('the change is served', async () => (await gameOf(studio)) === '200 popular split 8')
    expect(await gameOf(other)).toBe('200 itemcf split 9')
  })

  test('the command line publishes under it, and says in one line what another studio’s tables answer', async () => {
    const rows = join(directory, 'rows.csv')
    await writeFile(rows, 'sub,game\nplayer-1,11\n')
    const publish = (tenant: string) =>
      runCli(['publish', rows, '--tenant', tenant, '--model', 'games', '--version', 'popular'], {
        env: { RECGATE_REDIS_URL: urlAs('publisher', redis.url) },
      })
    expect(await publish(studio)).toMatchObject({ exitCode: 0 })
    await until('it is served', async () => (await gameOf(studio)) === '200 popular split 11')
    const refused = await publish(other)
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toMatch(
      /^failed: the Redis user recgate-publisher-studio-a may not do that \(NOPERM .*\)\. A publisher works on its own studio's --tenant, .*docs\/redis\.md.*\n$/,
    )
    expect(refused.stderr).not.toContain('publisher-password')
    expect(await gameOf(other)).toBe('200 itemcf split 9')
  })

  test('several processes publish one table under it', async () => {
    for (const index of [0, 1]) {
      const rows = rowsOf(['sub', 'game'], [[`player-${index + 1}`, 20 + index]])
      const shard = { index, count: 2, expectedRows: 2, runId: 'job-1' }
      await publishShardRows(publisher, [studio, 'games', 'popular'], rows, shard)
    }
    await until('it is served', async () => (await gameOf(studio)) === '200 popular split 20')
  })

  test('the publisher rolls back, reads back and collects its own studio’s tables, and no other’s', async () => {
    const tables = (tenant: string, ...args: string[]) =>
      runCli(['tables', ...args, '--tenant', tenant], {
        env: { RECGATE_REDIS_URL: urlAs('publisher', redis.url) },
      })
    const before = await gameOf(studio)
    const back = await tables(studio, 'rollback', '--model', 'games', '--version', 'popular')
    expect(back).toMatchObject({ exitCode: 0, stderr: '' })
    await until('the rollback is served', async () => (await gameOf(studio)) !== before)
    const [verified, dry] = await Promise.all([
      tables(studio, 'verify', '--model', 'games'),
      tables(studio, 'collect', '--dry-run'),
    ])
    expect([verified.exitCode, verified.stderr]).toEqual([0, ''])
    expect(dry).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await tables(studio, 'collect')).toMatchObject({ exitCode: 0, stderr: '' })
    const history = await runCli(['catalog', 'history', '--tenant', studio, '--json'], {
      env: { RECGATE_REDIS_URL: urlAs('publisher', redis.url) },
    })
    expect(history).toMatchObject({ exitCode: 0, stderr: '' })
    expect(history.json()[0]).toMatchObject({ why: 'rollback', who: expect.any(String) })
    const refused = await tables(other, 'rollback', '--model', 'games', '--version', 'itemcf')
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^[^\n]*NOPERM[^\n]*\n$/) })
    expect(await gameOf(other)).toBe('200 itemcf split 9')
  })

  test('an administrator erases a player, and the publisher leaves him out and can not change that', async () => {
    const erase = (url: string, ...args: string[]) =>
      runCli(['erase', '--tenant', studio, '--unit', 'player-9', ...args], {
        env: { RECGATE_REDIS_URL: url },
      })
    const rows = () =>
      rowsOf(
        ['sub', 'game'],
        [
          ['player-1', 12],
          ['player-9', 13],
        ],
      )
    await publishRows(publisher, [studio, 'games', 'itemcf'], rows())
    const refused = await erase(urlAs('publisher', redis.url))
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^[^\n]*NOPERM[^\n]*\n$/) })
    expect((await erase(urlAs('administrator', redis.url))).stdout).toMatch(
      /\n1 row removed from 1 of \d generations; later publishes leave this player out\n$/,
    )
    const report = await publishRows(publisher, [studio, 'games', 'itemcf'], rows())
    expect(report).toMatchObject({ outcome: 'unchanged', suppressedRows: 1 })
    const own = 'rg:{rg-catalog}:suppressed:studio-a'
    expect(await allowed(urlAs('publisher', redis.url), writes(own))).toEqual([])
    expect(
      await allowed(urlAs('gateway', redis.url), [['HGETALL', own], ['HSCAN', own, '0'], ...writes(own)]),
    ).toEqual([])
    expect(await erase(urlAs('administrator', redis.url), '--lift')).toMatchObject({
      exitCode: 0,
      stderr: '',
    })
  })

  test('a gateway that may only read collects nothing, and serves on', async () => {
    const settings = testSettings(urlAs('gateway', redis.url), { RECGATE_COLLECT_EVERY_MS: '10' })
    const collecting = await startGateway(settings)
    const forbidden = async () =>
      ((await hands.acl('LOG')) as unknown[][]).filter(
        (entry) => entry.includes('recgate-gateway') && entry.includes('set'),
      )
    await until('it was forbidden', async () => (await forbidden()).length > 0)
    expect(await gameOf(other)).toBe('200 itemcf split 9')
    await collecting.gateway.stop()
  })

  /** One command of each kind that writes, and of each that reads, on a key of whatever type. */
  const writes = (name: string): string[][] => [
    ['SET', name, 'x'],
    ['DEL', name],
    ['UNLINK', name],
    ['HSET', name, 'player-1', 'x'],
    ['HDEL', name, 'player-1'],
    ['SADD', name, 'x'],
    ['XADD', name, '*', 'entry', 'x'],
    ['EXPIRE', name, '1'],
    ['ZADD', name, '1', 'x'],
    ['ZREM', name, 'x'],
    ['ZREMRANGEBYSCORE', name, '-inf', '+inf'],
    ['EVAL', 'return redis.call("ZADD", KEYS[1], "1", "x")', '1', name],
    ['RENAME', name, 'rg:t:studio-a:x'],
    ['EVAL', 'return redis.call("HSET", KEYS[1], "a", "b")', '1', name],
    ['EVAL', 'return redis.call("HSET", ARGV[1], "a", "b")', '0', name],
  ]
  const reads = (name: string): string[][] => [
    ['HGETALL', name],
    ['HMGET', name, 'player-1'],
    ['GET', name],
    ['EXISTS', name],
    ['EVAL', 'return redis.call("HGETALL", KEYS[1])', '1', name],
  ]
  const everywhere = [
    ['FLUSHDB'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['KEYS', '*'],
    ['SHUTDOWN', 'NOSAVE'],
    ['ACL', 'LIST'],
    ['SCRIPT', 'FLUSH'],
    ['SWAPDB', '0', '1'],
  ]

  async function allowed(url: string, commands: readonly (readonly string[])[]): Promise<string[]> {
    const client = new Redis(url, { retryStrategy: () => null })
    const before = await contents()
    const permitted: string[] = []
    for (const [name = '', ...values] of commands) {
      const error = await client.call(name, ...values).then(
        () => '(done)',
        ({ message }: Error) => message,
      )
      // Inside a script the refusal is worded otherwise.
      if (!/^NOPERM|The user executing the script can't (access|run)/.test(error))
        permitted.push(`${name} ${values.join(' ')}: ${error}`)
    }
    client.disconnect()
    expect(await contents()).toEqual(before)
    return permitted
  }

  async function contents(): Promise<string[]> {
    // What lives says so meanwhile.
    const keys = (await hands.keys('*')).filter((name) => name !== catalogKeys.gateways).sort()
    return Promise.all(keys.map(async (name) => `${name} ${(await hands.dumpBuffer(name))?.toString('hex')}`))
  }

  test('the gateway’s user can write nothing but that it lives', async () => {
    await until('the gateway has said so', async () => (await hands.zcard(catalogKeys.gateways)) > 0)
    const all = await hands.keys('rg:*')
    const keys = [...all.filter((name) => name !== catalogKeys.gateways), 'rg:t:new', 'rg:{rg-catalog}:new']
    expect(keys.length).toBeGreaterThan(12)
    const commands = [...keys.flatMap(writes), ...everywhere, ['PUBLISH', 'rg:{rg-catalog}:changes', studio]]
    expect(await allowed(urlAs('gateway', redis.url), commands)).toEqual([])
  })

  test.each([
    ['of before there were heartbeats', /:gateways$|^\+(eval|time|z[a-z]+)$/],
    ['that lack one command', /^\+zadd$/],
  ])('under rules %s a gateway says so once, and serves on', async (_, missing) => {
    const { ofServers } = await readAclPage()
    const rules = ofServers[0]!.replace('recgate-gateway', 'recgate-old').split(' ')
    const [, name = '', ...older] = rules.filter((rule) => !missing.test(rule))
    await hands.acl('DELUSER', name)
    await hands.acl('SETUSER', name, ...older)
    const { log, lines } = createMemoryLog()
    const url = urlAs('gateway', redis.url).replace('recgate-gateway', name)
    const heartbeats = { RECGATE_HEARTBEAT_MS: '100' }
    const silent = await startGateway(testSettings(url, heartbeats), { log })
    const said = () => lines.filter((line) => line.includes('forbids'))
    const refusals = async () =>
      ((await hands.acl('LOG')) as unknown[][])
        .filter((entry) => entry.includes(name))
        .reduce((sum, entry) => sum + Number(entry[entry.indexOf('count') + 1]), 0)
    await hands.acl('LOG', 'RESET')
    try {
      await until('it was refused three times', async () => (await refusals()) >= 3)
      expect(said()).toEqual([expect.stringMatching(/"reason":"(NOPERM|ERR )[^"]*".*docs\/redis\.md/)])
      const token = await playerToken(other, key, 'player-1')
      expect(await gameFor(token, silent.data)).toBe('200 itemcf split 9')
    } finally {
      await silent.gateway.stop()
    }
  })

  test('the publisher of one studio reaches no key of another’s, and none that studios share', async () => {
    const keys = (await hands.keys('rg:*')).filter((name) => !/:studio-a(:|$)/.test(name))
    expect(keys.filter((name) => name.includes(other)).length).toBeGreaterThan(4)
    expect(keys).toEqual(expect.arrayContaining(['rg:{rg-catalog}:tenants', 'rg:{rg-catalog}:issuers']))
    const commands = [...keys.flatMap(writes), ...keys.flatMap(reads), ...everywhere]
    expect(await allowed(urlAs('publisher', redis.url), commands)).toEqual([])
  })
})
