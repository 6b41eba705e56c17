import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import type { RedisRole } from '../../src/redis/client-options.ts'
import { createRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordReader, RecordReadResult } from '../../src/serving/ports.ts'
import { readyClient } from '../support/redis-clients.ts'
import { type ClusterServers, cannotRun, type Server, startCluster } from '../support/redis-topologies.ts'
import { bucketKey, control, none, own, shown, writeTable } from '../support/tables.ts'
import { until } from '../support/until.ts'

const count = 300
const rows = Object.fromEntries(
  Array.from({ length: count }, (_, index) => [`row-${index}`, Buffer.from(`record ${index}`)]),
)
const inTime = () => performance.now() + 20_000

/**
 * Most readers here have the time-outs of the role `tables`: those of `reads` are meant for Redis, and would also meet a
 * machine that is busy with tests.
 */
describe.skipIf(await cannotRun('a reader on a Cluster'))('a reader on a Cluster', () => {
  let cluster: ClusterServers
  let hands: RedisClient
  let table: ActiveTable
  /** Of each row's bucket. */
  let owners: Server[]
  const clients: RedisClient[] = []

  beforeAll(async () => {
    cluster = await startCluster(0, { withSpare: true })
    hands = await connect('tables')
    table = await writeTable(hands, rows, 40)
    owners = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const slot = await hands.cluster('KEYSLOT', bucketKey(table, `row-${index}`))
        return cluster.ownerOf(slot as number)
      }),
    )
  })
  afterEach(() => {
    for (const server of cluster.servers) server.process.kill('SIGCONT')
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await cluster?.stop()
  })

  async function connect(role: RedisRole): Promise<RedisClient> {
    const client = await readyClient(role, cluster.url)
    clients.push(client)
    return client
  }

  /** Redis is given `modelDeadlineMs`: a connection that is silent for as long is given up. */
  function readAll(
    reader: RecordReader,
    deadlineAt = inTime(),
    modelDeadlineMs = 20_000,
  ): Promise<RecordReadResult[]> {
    const modelDeadlineAt = performance.now() + modelDeadlineMs
    return Promise.all(
      Object.keys(rows).map((rowKey) =>
        reader.read({ rowKey, own: table, control: null }, deadlineAt, modelDeadlineAt),
      ),
    )
  }

  /** Those of this server end so; all others have their record. */
  function expectOnly(server: Server, cause: string, results: readonly RecordReadResult[]): void {
    expect(results.map(shown)).toEqual(
      owners.map((owner, index) => (owner === server ? none(cause) : own(`record ${index}`))),
    )
    expect(owners.filter((owner) => owner === server).length).toBeGreaterThan(20)
  }

  const isWhole = (results: readonly RecordReadResult[]) => results.every(({ from }) => from === 'own')

  test('asks once for a read, and again only where the own row is missing', async () => {
    const reader = createRecordReader(await connect('tables'))
    const some = await writeTable(
      hands,
      Object.fromEntries(Object.entries(rows).filter((_, index) => index % 10 !== 0)),
      20,
    )
    await Promise.all(cluster.servers.map(({ client }) => client.config('RESETSTAT')))
    const results = await Promise.all(
      Object.keys(rows).map((rowKey) => reader.read({ rowKey, own: some, control: table }, inTime())),
    )
    expect(results.map(shown)).toEqual(
      results.map((_, index) =>
        index % 10 === 0 ? control(`record ${index}`, 'unknown-row') : own(`record ${index}`),
      ),
    )
    const stats = await Promise.all(cluster.servers.map(({ client }) => client.info('commandstats')))
    const calls = stats.map((text) => Number(/^cmdstat_hmget:calls=(\d+)/m.exec(text)?.[1] ?? 0))
    expect(calls.reduce((sum, each) => sum + each, 0)).toBe(count + count / 10)
    expect(calls.every((each) => each > 0)).toBe(true)
  })

  test('a node that hangs costs its own reads their deadline, and nobody else anything', async () => {
    // Its time-outs are longer than the test: only the reads' own deadline can end them.
    const reader = createRecordReader(await connect('tables'))
    const [hung] = cluster.servers
    hung!.process.kill('SIGSTOP')
    const results = await readAll(reader, performance.now() + 500)
    hung!.process.kill('SIGCONT')
    expectOnly(hung!, 'deadline', results)
    // What it answers late goes to nobody.
    expect(isWhole(await readAll(reader))).toBe(true)
  })

  test('a node that hangs longer than its reads are given gives store, and is read again afterwards', async () => {
    const reader = createRecordReader(await connect('reads'))
    const [, hung] = cluster.servers
    hung!.process.kill('SIGSTOP')
    const results = await readAll(reader, Number.POSITIVE_INFINITY, 500)
    for (const [index, result] of results.entries())
      if (owners[index] === hung) expect(result).toEqual(none('store'))
    hung!.process.kill('SIGCONT')
    await until('all are read again', async () => isWhole(await readAll(reader, inTime(), 500)))
  })

  test('connections that break are made anew', async () => {
    const reader = createRecordReader(await connect('reads'))
    for (let round = 0; round < 5; round++) {
      const [results] = await Promise.all([
        readAll(reader),
        ...cluster.servers.map(({ client }) =>
          client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
        ),
      ])
      for (const [index, result] of results.entries())
        expect([own(`record ${index}`), none('store')]).toContainEqual(shown(result))
      await until('all are read again', async () => isWhole(await readAll(reader)))
    }
  })

  /** A table of one bucket, which is on this server. */
  async function tableOn(server: Server): Promise<{ moving: ActiveTable; slot: number }> {
    for (;;) {
      const moving = await writeTable(hands, rows, 1)
      const slot = Number(await hands.cluster('KEYSLOT', bucketKey(moving, 'row-0')))
      if ((await cluster.ownerOf(slot)) === server) return { moving, slot }
    }
  }

  async function startMove(slot: number, from: Server, to: Server): Promise<void> {
    const [fromId, toId] = await Promise.all([from, to].map(({ client }) => client.cluster('MYID')))
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId!)
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId!)
  }

  test('a slot that moves to a node that nobody knew is followed, by all reads of a turn', async () => {
    await redisReady(hands, 10_000)
    const [from, to] = [cluster.servers[0]!, cluster.spare!]
    const { moving, slot } = await tableOn(from)
    const reader = createRecordReader(await connect('tables'))
    const readMoving = async () => {
      const asked = Object.keys(rows).map((rowKey) => ({ rowKey, own: moving, control: null }))
      const results = await Promise.all(asked.map((read) => reader.read(read, inTime())))
      return results.map(shown)
    }
    const all = Object.keys(rows).map((_, index) => own(`record ${index}`))
    await startMove(slot, from, to)
    expect(await readMoving()).toEqual(all)
    await from.client.migrate('127.0.0.1', to.port, bucketKey(moving, 'row-0'), 0, 5_000)
    expect(await readMoving()).toEqual(all)
    expect(await readMoving()).toEqual(all)
    const toId = await to.client.cluster('MYID')
    for (const { client } of [to, ...cluster.servers]) await client.cluster('SETSLOT', slot, 'NODE', toId)
    expect(await readMoving()).toEqual(all)
    // From now on they go there at once.
    await until('the new owner is known', async () => {
      await from.client.config('RESETSTAT')
      expect(await readMoving()).toEqual(all)
      return !(await from.client.info('commandstats')).includes('cmdstat_hmget')
    })
  })

  // The last one: its node stays dead.
  test('a dead node gives store at once, also where it is only asked by ASK', async () => {
    const [from, , dead] = cluster.servers as [Server, Server, Server]
    // A connection that an earlier test broke may still be on its way back.
    await redisReady(hands, 10_000)
    const { moving, slot } = await tableOn(from)
    const { moving: standIn } = await tableOn(cluster.servers[1]!)
    const reader = createRecordReader(await connect('tables'))
    await startMove(slot, from, dead)
    const asked = { rowKey: 'row-0', own: moving, control: null }
    await from.client.migrate('127.0.0.1', dead.port, bucketKey(moving, 'row-0'), 0, 5_000)
    expect(shown(await reader.read(asked, inTime()))).toEqual(own('record 0'))
    await dead.kill()
    expect(await reader.read(asked, Number.POSITIVE_INFINITY)).toEqual(none('store'))
    expectOnly(dead, 'store', await readAll(reader, Number.POSITIVE_INFINITY))
    // Control's rows are on a node that lives.
    const results = await Promise.all(
      Object.keys(rows).map((rowKey) => reader.read({ rowKey, own: table, control: standIn }, inTime())),
    )
    expect(results.map(shown)).toEqual(
      owners.map((owner, index) =>
        owner === dead ? control(`record ${index}`, 'store') : own(`record ${index}`),
      ),
    )
    // Other commands, too, which ioredis itself sends on.
    await expect(hands.hgetall(bucketKey(moving, 'row-0'))).rejects.toThrow()
  })
})
