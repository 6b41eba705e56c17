import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRedisClient, redisReady } from '../../src/redis/client.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { testClient, testConnection } from '../support/redis-clients.ts'
import { type ClusterServers, cannotRun, startCluster } from '../support/redis-topologies.ts'
import { startGateway, testSettings, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

const password = 'geheim'

describe.skipIf(await cannotRun('what is said of a Cluster'))('what is said of a Cluster', () => {
  let cluster: ClusterServers

  beforeAll(async () => {
    cluster = await startCluster(0, { password })
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
    await dead!.kill()
    await until('the others know', async () =>
      String(await cluster.servers[0]!.client.cluster('INFO')).includes('cluster_state:fail'),
    )
    await until('a client is told so', async () =>
      (await reasonOf(cluster.url)).endsWith('CLUSTER INFO says cluster_state:fail'),
    )
  })
})
