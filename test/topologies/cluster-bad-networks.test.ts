import { setTimeout as pause } from 'node:timers/promises'
import type { Cluster } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BreakerEvent } from '../../src/redis/breaker-event.ts'
import { isCluster, redisReady } from '../../src/redis/client.ts'
import type { RedisRole } from '../../src/redis/client-options.ts'
import { createRecordReader, type GuardedRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordReadResult } from '../../src/serving/ports.ts'
import { testClient } from '../support/redis-clients.ts'
import { type ClusterServers, cannotRun, startCluster } from '../support/redis-topologies.ts'
import {
  badNetworks,
  expectOwnAnswers,
  type TaggedTables,
  writeTaggedTables,
} from '../support/tagged-reads.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const modelDeadlineMs = 50

describe.skipIf(await cannotRun('a Cluster over bad networks'))('a Cluster over bad networks', () => {
  let cluster: ClusterServers
  /** In the way to each server, which says that it is there. */
  let proxies: TcpProxy[]
  let tables: TaggedTables
  let client: Cluster
  let reader: GuardedRecordReader
  let events: BreakerEvent[]

  beforeAll(async () => {
    cluster = await startCluster(0)
    proxies = await Promise.all(cluster.servers.map(({ port }) => startTcpProxy(port)))
    for (const [index, { client: hands }] of cluster.servers.entries())
      await hands.config('SET', 'cluster-announce-port', proxies[index]!.port)
    for (const { client: hands } of cluster.servers)
      await until('every node names the proxies', async () => {
        const slots = (await hands.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
        return slots.every(([, , [, port]]) => proxies.some((proxy) => proxy.port === port))
      })
    const hands = testClient('tables', cluster.url)
    await redisReady(hands, 10_000)
    tables = await writeTaggedTables(hands, 60)
    hands.disconnect()
  })
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()))
    await cluster?.stop()
  })

  beforeEach(() => {
    events = []
  })
  afterEach(() => {
    client.disconnect()
    for (const proxy of proxies) proxy.setWeather(null)
  })

  async function connect(role: RedisRole): Promise<void> {
    const created = testClient(role, cluster.url)
    if (!isCluster(created)) throw new Error('the URL names no Cluster')
    client = created
    reader = createRecordReader(client, { report: (event) => void events.push(event) })
    await redisReady(client, 10_000)
  }

  test.each(badNetworks)(
    'each of 1,000 reads at once gets its own record or none over $name',
    async (network) => {
      await connect(network.role)
      await expectOwnAnswers(network, { proxies, client, reader, tables })
    },
  )

  test('one node that takes 300 ms is read by those who have a second', async () => {
    const [far] = proxies
    far!.setWeather({ delayMs: () => 300 })
    await connect('reads')
    const isRead = async () => {
      const deadlineAt = performance.now() + 1_000
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, index) => {
          const rowKey = `row-${3 * index + 1}`
          return reader.read({ rowKey, own: tables.own, control: null }, deadlineAt)
        }),
      )
      return results.every(({ from }) => from === 'own')
    }
    await until('every node is read', isRead)
    const before = far!.connections()
    for (let round = 0; round < 5; round++) expect(await isRead()).toBe(true)
    expect(far!.connections()).toBe(before)
    expect(events).toEqual([])
  })

  test('one node that is too slow costs its own rows, and control’s row on another stands in', async () => {
    await connect('reads')
    const [slow] = proxies
    const node = `127.0.0.1:${slow!.port}`
    const readAll = (deadlineMs: number): Promise<RecordReadResult[]> =>
      Promise.all(
        Array.from({ length: 300 }, (_, index) => {
          const deadlineAt = performance.now() + deadlineMs
          // Every third row is in control's table alone.
          const rowKey = `row-${index + (index % 3 === 0 ? 1 : 0)}`
          return reader.read({ rowKey, ...tables }, deadlineAt)
        }),
      )
    const isRead = (results: readonly RecordReadResult[]) => results.every(({ from }) => from === 'own')
    await until('everything is read', async () => isRead(await readAll(10_000)))
    expect(reader.breakers.nodes().map(({ isOpen }) => isOpen)).toEqual([false, false, false])

    slow!.setWeather({ delayMs: () => 120 })
    const isOpen = () => reader.breakers.nodes().some((each) => each.node === node && each.isOpen)
    await until('its breaker opens', async () => {
      await readAll(modelDeadlineMs)
      return isOpen()
    })
    expect(events).toMatchObject([{ event: 'opened', node }])
    expect(reader.breakers.nodes().filter((each) => each.isOpen)).toEqual([{ node, isOpen: true }])
    // None of them waits: these have no deadline.
    const results = await readAll(Number.POSITIVE_INFINITY)
    const causes = new Set(results.map((result) => (result.from === 'own' ? 'own' : result.cause)))
    expect([...causes].sort()).toEqual(['own', 'store'])
    expect(results.some(({ from }) => from === 'control')).toBe(true)
    expect(isOpen()).toBe(true)

    slow!.setWeather(null)
    await until('everything is read again', async () => {
      await pause(1)
      return isRead(await readAll(10_000))
    })
    expect(events.at(-1)).toMatchObject({ event: 'closed', node })
    expect(events.every((event) => event.node === node)).toBe(true)
  })

  test('a node that is lost has no breaker any more', async () => {
    await connect('tables')
    const deadlineAt = performance.now() + 20_000
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        reader.read({ rowKey: `row-${index}`, ...tables }, deadlineAt),
      ),
    )
    expect(reader.breakers.nodes()).toHaveLength(3)
    const [lost] = client.slots[0]!
    client.slots = client.slots.map((owners) => owners.filter((owner) => owner !== lost))
    client.emit('refresh')
    const left = reader.breakers.nodes().map(({ node }) => node)
    expect(left).toHaveLength(2)
    expect(left).not.toContain(lost)
  })
})
