import type { Redis } from 'ioredis'
import {
  createRedisClient,
  isCluster,
  type RedisClient,
  type RedisConnection,
  redisReady,
} from '../../src/redis/client.ts'
import type { RedisRole } from '../../src/redis/client-options.ts'
import { resolveRedis } from '../../src/settings/redis-endpoint.ts'

/** Clients as recgate makes them, from a URL. */

export function testConnection(url: string, name = 'tests'): RedisConnection {
  return { endpoint: resolveRedis({ url }), name, onError: () => undefined }
}

export function testClient(role: RedisRole, url: string, name = 'tests'): RedisClient {
  return createRedisClient(role, testConnection(url, name))
}

/** As the former, and connected. */
export async function readyClient(role: RedisRole, url: string): Promise<RedisClient> {
  const client = testClient(role, url)
  await redisReady(client, 10_000)
  return client
}

/** Of a URL that names no Cluster. */
export function singleClient(role: RedisRole, url: string, name = 'tests'): Redis {
  const client = testClient(role, url, name)
  if (isCluster(client)) throw new Error('a test for one server was given a Cluster')
  return client
}

/** Every server that holds keys: commands about a server as a whole go to each. */
export function serversOf(client: RedisClient): Redis[] {
  return isCluster(client) ? client.nodes('master') : [client]
}

export async function keysOf(client: RedisClient, pattern: string): Promise<string[]> {
  const keys = await Promise.all(serversOf(client).map((server) => server.keys(pattern)))
  return keys.flat().sort()
}
