import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRedisClient, redisReady } from '../../src/redis/client.ts'
import { watchCoverage } from '../../src/redis/cluster-coverage.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { testClient, testConnection } from '../support/redis-clients.ts'
import { type ClusterServers, cannotRun, startCluster } from '../support/redis-topologies.ts'
import { startGateway, testSettings, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

const password = 'geheim'

describe.skipIf(await cannotRun('what is said of a Cluster'))('what is said of a Cluster', () => {
  let cluster: ClusterServers

  beforeAll(async () => {
    cluster = await startCluster(0, { password, more: ['--cluster-require-full-coverage', 'no'] })
  })
  afterAll(() => cluster?.stop())

  /** What the log of a gateway says of its connections, until `isEnough`. */
  async function warningsOf(url: string, isEnough: (warnings: readonly string[]) => boolean) {
    const { log, lines } = createMemoryLog()
    const warnings = () => lines.filter((line) => JSON.parse(line).level >= 40)
    const { gateway } = await startGateway(testSettings(url), { log })
    try {
      await until('the log says it', () => isEnough(warnings()))
      return warnings()
    } finally {
      await gateway.stop()
    }
  }

  test('nothing, where all is well', async () => {
    for (let start = 0; start < 10; start++) expect(await warningsOf(cluster.url, () => true)).toEqual([])
  })

  test('nothing, where connections end before it is known whether all is well, and are there again', async () => {
    const reasons: string[] = []
    const onError = ({ message }: Error) => void reasons.push(message)
    const client = createRedisClient('tables', { ...testConnection(cluster.url), onError })
    client.once('connect', () => client.disconnect(true))
    try {
      await redisReady(client, 15_000)
      expect(reasons).toEqual([])
    } finally {
      client.disconnect()
    }
  })

  test('that an ACL forbids to ask whether it is up', async () => {
    const user = ['blind', 'on', '>geheim', '~*', '&*', '+@all', '-cluster|info']
    for (const { client } of cluster.servers) await client.call('ACL', 'SETUSER', ...user)
    expect(await reasonOf(cluster.url.replace('default:', 'blind:'))).toMatch(
      /can't be reached: NOPERM .*'cluster\|info'/,
    )
  })

  describe('by a URL for one server', () => {
    const ofOneNode = () => cluster.url.replace('+cluster', '').replace(/,.*$/, '')
    const right = () => `redis+cluster://127.0.0.1:${cluster.servers[0]!.port}`

    test('a command says which URL it takes', async () => {
      const error = await testTools(ofOneNode()).catch((reason: Error) => reason)
      expect(error).toMatchObject({
        name: 'OperationError',
        message: `Redis at ${right().slice(16)} can't be reached: it belongs to a Redis Cluster, whose URL must be ${right()}`,
      })
    })

    test('a gateway says it, once for all of its connections', async () => {
      const told = (warnings: readonly string[]) =>
        warnings.filter((line) => line.includes('a Redis Cluster'))
      const cannotRead = (warnings: readonly string[]) =>
        warnings.filter((line) => line.includes('catalog can not be read'))
      const warnings = await warningsOf(ofOneNode(), (lines) => cannotRead(lines).length > 0)
      expect(told(warnings.filter((line) => line.includes('"role"')))).toHaveLength(1)
      for (const line of told(warnings)) expect(JSON.parse(line).reason).toContain(right())
      expect(warnings.join()).not.toContain('MOVED')
    })
  })

  async function requireFullCoverage(value: 'yes' | 'no', servers = cluster.servers): Promise<void> {
    for (const { client } of servers) await client.config('SET', 'cluster-require-full-coverage', value)
  }

  describe('that one node’s death costs all rows', () => {
    const told = (warnings: readonly string[]) =>
      warnings.filter((line) => line.includes('cluster-require-full-coverage'))

    test('once, where a node is set so', async () => {
      await requireFullCoverage('yes', cluster.servers.slice(2))
      try {
        const warnings = await warningsOf(cluster.url, (lines) => told(lines).length > 0)
        expect(warnings.map((line) => JSON.parse(line).msg)).toEqual([
          'the Redis Cluster answers for no row as long as one slot has no master: set cluster-require-full-coverage to no (docs/redis.md)',
        ])
      } finally {
        await requireFullCoverage('no')
      }
    })

    test('not, and nothing is refused, where the user may not ask', async () => {
      const user = ['unasking', 'on', '>geheim', '~*', '&*', '+@all', '-config']
      for (const { client } of cluster.servers) {
        await client.call('ACL', 'SETUSER', ...user)
        await client.call('ACL', 'LOG', 'RESET')
      }
      await requireFullCoverage('yes')
      const reads = testClient('reads', cluster.url.replace('default:', 'unasking:'))
      let [isReady, isTold] = [false, false]
      try {
        watchCoverage(reads, () => {
          isTold = true
        })
        const asked = () => callsOf('eval_ro')
        const before = await asked()
        reads.once('ready', () => {
          isReady = true
        })
        await until('each master was asked whether it may be', async () => (await asked()) >= before + 3)
        expect([isReady, isTold]).toEqual([true, false])
        for (const { client } of cluster.servers) expect(await client.call('ACL', 'LOG')).toEqual([])
      } finally {
        reads.disconnect()
        await requireFullCoverage('no')
      }
    })

    /** How often the masters ran a command. */
    async function callsOf(command: string): Promise<number> {
      let calls = 0
      for (const { client } of cluster.servers) {
        const stats = await client.info('commandstats')
        calls += Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
      }
      return calls
    }
  })

  /** Why a command would give up. */
  async function reasonOf(url: string): Promise<string> {
    const client = testClient('tables', url)
    try {
      return await redisReady(client, 2_000).then(
        () => 'none',
        ({ message }: Error) => message,
      )
    } finally {
      client.disconnect()
    }
  }

  async function preferEndpoints(type: 'ip' | 'unknown-endpoint'): Promise<void> {
    for (const { client } of cluster.servers)
      await client.config('SET', 'cluster-preferred-endpoint-type', type)
  }

  test('that its list of slots names no host', async () => {
    await preferEndpoints('unknown-endpoint')
    try {
      expect(await reasonOf(cluster.url)).toMatch(
        /can't be reached: CLUSTER SLOTS names no host; is cluster-preferred-endpoint-type unknown-endpoint\?$/,
      )
    } finally {
      await preferEndpoints('ip')
    }
  })

  test('that it is down, by its own word', async () => {
    const [, , dead] = cluster.servers
    await requireFullCoverage('yes')
    await dead!.kill()
    await until('the others know', async () =>
      String(await cluster.servers[0]!.client.cluster('INFO')).includes('cluster_state:fail'),
    )
    await until('a client is told so', async () =>
      (await reasonOf(cluster.url)).endsWith(
        'CLUSTER INFO says cluster_state:fail; is cluster-require-full-coverage yes?',
      ),
    )
  })
})
