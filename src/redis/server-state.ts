import type { Cluster, Redis } from 'ioredis'
import type { ServerMemory } from '../tables/ports.ts'
import { together } from './together.ts'

/**
 * What servers tell of themselves, by INFO alone: CONFIG is refused by managed Redis, and by the ACL. What a server
 * doesn't know, or doesn't allow, is null and no error.
 */

/** In Cluster every master has a share of the tables, and a limit of its own. */
function mastersOf(client: Redis | Cluster): readonly Redis[] {
  return client.isCluster ? (client as Cluster).nodes('master') : [client as Redis]
}

export async function memoryOf(client: Redis | Cluster): Promise<readonly ServerMemory[] | null> {
  const servers = await Promise.all(mastersOf(client).map(memoryOfServer))
  const known = servers.flatMap((server) => (server === null ? [] : [server]))
  return known.length === servers.length ? known : null
}

async function memoryOfServer(server: Redis): Promise<ServerMemory | null> {
  const text = await server.info('memory').catch(() => '')
  const [used, max, policy] = ['used_memory', 'maxmemory', 'maxmemory_policy'].map((name) =>
    fieldOf(text, name),
  )
  if (used === undefined || max === undefined || policy === undefined) return null
  return { usedBytes: Number(used), maxBytes: max === '0' ? null : Number(max), evictionPolicy: policy }
}

/** `MEMORY USAGE` of keys; null where it isn't known or allowed. */
export async function bucketMemory(
  client: Redis | Cluster,
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
  client: Redis | Cluster,
  timeoutMs: number,
): Promise<{ replicas: number; missing: number }> {
  const waited = await Promise.all(
    mastersOf(client).map(async (server) => {
      const text = await server.info('replication').catch(() => '')
      const replicas = Number(fieldOf(text, 'connected_slaves') ?? 0)
      const reached = replicas === 0 ? 0 : await server.wait(replicas, timeoutMs)
      return { replicas, missing: Math.max(0, replicas - reached) }
    }),
  )
  return {
    replicas: waited.reduce((sum, { replicas }) => sum + replicas, 0),
    missing: waited.reduce((sum, { missing }) => sum + missing, 0),
  }
}

function fieldOf(text: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim()
}
