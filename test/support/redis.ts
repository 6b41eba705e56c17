import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { type LocalRedis, startInProcessRedis } from '../../src/commands/local-redis.ts'
import { redisReady } from '../../src/redis/client.ts'
import { serversOf, testClient } from './redis-clients.ts'

/** Marks a database as the tests' own: only such a one, or an empty one, is ever flushed. */
const marker = 'recgate-tests'

/**
 * An empty Redis for one test file: the shared real one, in this worker's database, or else the in-process engine.
 */
export async function testRedis(): Promise<LocalRedis> {
  return (await realRedis()) ?? startInProcessRedis()
}

interface Engine {
  readonly name: string
  /** Whether it does everything that Redis does. */
  readonly isReal: boolean
  readonly skip: boolean
  start(): Promise<LocalRedis>
}

const sharedCluster = inject('sharedCluster')

/** In the project `topologies` suites run on a Cluster, and leave out what has one server of its own. */
export const onCluster = sharedCluster !== undefined

/** The engines that contract suites run on; a missing real one is a suite that says why it is skipped. */
export const engines: readonly [Engine, ...Engine[]] = onCluster
  ? [
      {
        name: 'Redis Cluster',
        isReal: true,
        skip: sharedCluster === null,
        start: () => emptyCluster(sharedCluster!.url),
      },
    ]
  : [
      {
        name: 'real Redis',
        isReal: true,
        skip: inject('sharedRedis') === null,
        start: async () => (await realRedis())!,
      },
      { name: 'in-process engine', isReal: false, skip: false, start: startInProcessRedis },
    ]

async function emptyCluster(url: string): Promise<LocalRedis> {
  const client = testClient('tables', url)
  await redisReady(client, 10_000)
  for (const server of serversOf(client)) await server.flushall()
  client.disconnect()
  return { url, engine: 'Redis Cluster', stop: async () => undefined }
}

/** Null where there is none; suites that need one say so when they skip. */
async function realRedis(): Promise<LocalRedis | null> {
  const shared = inject('sharedRedis')
  if (shared === null) return null
  const url = `${shared.url}/${Number(process.env['VITEST_POOL_ID'] ?? 1)}`
  const client = new Redis(url)
  try {
    if ((await client.dbsize()) > 0 && (await client.exists(marker)) === 0)
      throw new Error(`database ${url} holds data that isn't the tests'; give them an empty Redis`)
    await client.flushdb()
    await client.set(marker, '1')
  } finally {
    client.disconnect()
  }
  return { url, engine: shared.engine, stop: async () => undefined }
}
