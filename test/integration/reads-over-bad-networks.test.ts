import { afterAll, beforeAll, describe, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import { createRecordReader } from '../../src/redis/record-reader.ts'
import { singleClient } from '../support/redis-clients.ts'
import {
  badNetworks,
  expectOwnAnswers,
  type TaggedTables,
  writeTaggedTables,
} from '../support/tagged-reads.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const binary = await findRedisServer()
if (binary === null)
  process.stderr.write('tests: reads over bad networks are skipped; install redis-server\n')

describe.skipIf(binary === null)('each of 1,000 reads at once gets its own record or none', () => {
  let redis: LocalRedis
  let proxy: TcpProxy
  let tables: TaggedTables

  beforeAll(async () => {
    redis = await startRedisServer(binary!)
    proxy = await startTcpProxy(Number(new URL(redis.url).port))
    const hands = singleClient('tables', redis.url)
    await new Promise((resolve) => hands.once('ready', resolve))
    tables = await writeTaggedTables(hands, 13)
    hands.disconnect()
  })
  afterAll(async () => {
    await proxy.stop()
    await redis.stop()
  })

  test.each(badNetworks)('over $name', async (network) => {
    const client = singleClient(network.role, `redis://127.0.0.1:${proxy.port}`)
    try {
      await expectOwnAnswers(network, {
        proxies: [proxy],
        client,
        reader: createRecordReader(client),
        tables,
      })
    } finally {
      client.disconnect()
    }
  })
})
