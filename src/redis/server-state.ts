import type { Redis } from 'ioredis'
import type { ServerMemory } from '../tables/ports.ts'
import { isCluster, mastersOf, type RedisClient } from './client.ts'
import { together } from './together.ts'

/**
 * What servers tell of themselves, by INFO and not by CONFIG, which managed Redis refuses, and the ACL. What a server
 * doesn't know, or doesn't allow, is no error.
 */

/**
 * Keeps at hand what serves there, e.g. `Redis 7.0.15, Cluster of 3 masters`, for log and `/readyz`; it may be another
 * after each connection. `unknown` where an ACL forbids INFO, `not connected` in between.
 */
export function watchEngine(client: RedisClient, onConnected: (engine: string) => void): () => string {
  let engine = 'not connected'
  client.on('ready', async () => {
    engine = await describeEngine(client)
    onConnected(engine)
  })
  client.on('close', () => {
    engine = 'not connected'
  })
  return () => engine
}

/** What serves there. */
export async function describeEngine(client: RedisClient): Promise<string> {
  try {
    const masters = mastersOf(client)
    const [first] = masters
    if (first === undefined) return 'unknown'
    const engine = engineIn(await first.info('server'))
    if (isCluster(client)) return `${engine}, Cluster of ${masters.length} masters`
    return client.options.sentinels ? `${engine}, Sentinel` : engine
  } catch {
    return 'unknown'
  }
}

function engineIn(info: string): string {
  if (fieldOf(info, 'multiplexing_api') === 'mock')
    return 'js-redis-server (in process, for trying things only)'
  const valkey = fieldOf(info, 'valkey_version')
  if (valkey !== undefined) return `Valkey ${valkey}`
  return `Redis ${fieldOf(info, 'redis_version') ?? '(unknown version)'}`
}

/** In Cluster every master has a share of the tables, and a limit of its own. */
export async function memoryOf(client: RedisClient): Promise<readonly ServerMemory[] | null> {
  const servers = await Promise.all(mastersOf(client).map(memoryOfServer))
  const known = servers.flatMap((server) => (server === null ? [] : [server]))
  return known.length === servers.length ? known : null
}

async function memoryOfServer(server: Redis): Promise<ServerMemory | null> {
  const info = await server.info('memory').catch(() => '')
  const used = fieldOf(info, 'used_memory')
  const max = fieldOf(info, 'maxmemory')
  const policy = fieldOf(info, 'maxmemory_policy')
  if (used === undefined || max === undefined || policy === undefined) return null
  return { usedBytes: Number(used), maxBytes: max === '0' ? null : Number(max), evictionPolicy: policy }
}

/** `MEMORY USAGE` of keys; null where it isn't known or allowed. */
export async function bucketMemory(
  client: RedisClient,
  keys: readonly string[],
): Promise<readonly number[] | null> {
  try {
    // All fields are looked at: by default five, and their mean.
    const bytes = await together(keys.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)))
    return bytes.map((one) => one ?? 0)
  } catch {
    return null
  }
}

/** Replicas that are connected, and how many of them lack what this client wrote, once they were waited for. */
export async function awaitReplicas(
  client: RedisClient,
  timeoutMs: number,
): Promise<{ replicas: number; missing: number }> {
  const waited = await Promise.all(
    mastersOf(client).map(async (server) => {
      const info = await server.info('replication').catch(() => '')
      const replicas = Number(fieldOf(info, 'connected_slaves') ?? 0)
      const reached = replicas === 0 ? 0 : await server.wait(replicas, timeoutMs)
      return { replicas, missing: Math.max(0, replicas - reached) }
    }),
  )
  return {
    replicas: waited.reduce((sum, { replicas }) => sum + replicas, 0),
    missing: waited.reduce((sum, { missing }) => sum + missing, 0),
  }
}

function fieldOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim()
}
