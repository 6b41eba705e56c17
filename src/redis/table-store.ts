import { FaultsError } from '../domain/errors.ts'
import { faultsOf } from '../domain/zod-faults.ts'
import { type Manifest, manifestDocument, manifestText } from '../tables/manifest.ts'
import type { GenerationAddress, TableStore } from '../tables/ports.ts'
import { addCommand, bucketCommand } from './bucket-command.ts'
import type { RedisClient } from './client.ts'
import { tableKeys } from './keys.ts'
import { awaitReplicas, bucketMemory, memoryOf } from './server-state.ts'
import { together } from './together.ts'

/**
 * Compares texts, so that Lua needn't know what they mean. KEYS: manifests. ARGV: generation, what must stand there,
 * what shall
 */
const replaceScript = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`

/** KEYS: a bucket. ARGV: the token that it must bear, then fields with their values */
const addScript = `
if redis.call('HGET', KEYS[1], '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
`

/** KEYS: a bucket. ARGV: the token that it bears, the one that it shall bear */
const sealScript = `
local token = redis.call('HGET', KEYS[1], '')
if token == ARGV[2] then return 1 end
if token ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], '', ARGV[2])
return 1
`

/**
 * A table is hashes of about 80 rows. The field with the empty name holds the generation's token, also in an empty
 * bucket, so that an unknown row, a damaged table and a collected one can't be mistaken for each other.
 *
 * Commands of one trip are given one by one and sent at once: in Cluster each bucket has a slot of its own, and finds
 * its own way. On one node 480,000 rows were written in 0.45 s, and in 0.60 through a pipeline; asking 6,000 buckets for
 * their counts took 0.11 s, and 0.05 through one.
 */
export function createTableStore(client: RedisClient): TableStore {
  return {
    async putManifest({ tenantId, modelId, generation }, manifest) {
      await client.hset(tableKeys.manifests(tenantId, modelId), String(generation), manifestText(manifest))
    },

    async replaceManifest({ tenantId, modelId, generation }, from, to) {
      const texts = [manifestText(from), manifestText(to)]
      const key = tableKeys.manifests(tenantId, modelId)
      return (await client.eval(replaceScript, 1, key, generation, ...texts)) === 1
    },

    async removeManifest({ tenantId, modelId, generation }) {
      await client.hdel(tableKeys.manifests(tenantId, modelId), String(generation))
    },

    async manifest({ tenantId, modelId, generation }) {
      const key = tableKeys.manifests(tenantId, modelId)
      const text = await client.hget(key, String(generation))
      return text === null ? null : parseManifest(text, key, String(generation))
    },

    async manifests(tenantId, modelId) {
      const key = tableKeys.manifests(tenantId, modelId)
      const entries = await client.hgetall(key)
      return new Map(
        Object.entries(entries).map(([number, text]) => [Number(number), parseManifest(text, key, number)]),
      )
    },

    async writeBuckets(address, token, buckets) {
      await together(
        buckets.map(({ number, rows }) => {
          const command = bucketCommand(bucketKey(address, number), token, rows)
          return client.sendCommand(command) as Promise<unknown>
        }),
      )
    },

    async addRows(address, token, buckets) {
      const added = await together(
        buckets.map(({ number, rows }) => {
          const command = addCommand(addScript, bucketKey(address, number), token, rows)
          return client.sendCommand(command) as Promise<unknown>
        }),
      )
      return added.every((one) => one === 1)
    },

    async sealBuckets(address, { from, to }, first, count) {
      const keys = bucketKeys(address, first, count)
      const sealed = await together(keys.map((key) => client.eval(sealScript, 1, key, from, to)))
      return sealed.every((one) => one === 1)
    },

    async rowCounts(address, token, first, count) {
      const keys = bucketKeys(address, first, count)
      const [fields, tokens] = await Promise.all([
        together(keys.map((key) => client.hlen(key))),
        together(keys.map((key) => client.hget(key, ''))),
      ])
      return fields.map((found, index) => (tokens[index] === token ? found - 1 : -1))
    },

    async readRows(address, rows) {
      return together(rows.map(({ bucket, rowKey }) => client.hgetBuffer(bucketKey(address, bucket), rowKey)))
    },

    async readBuckets(address, token, numbers) {
      // As a list: what ioredis makes of HGETALL is an object, which knows no key "__proto__".
      const found = await together(
        numbers.map(
          (number) => client.callBuffer('HGETALL', bucketKey(address, number)) as Promise<Buffer[]>,
        ),
      )
      return found.map((fields) => {
        const isThere = fields.some((field, index) => index % 2 === 0 && field.length === 0)
        if (!isThere) return null
        const rows = []
        for (let index = 0; index < fields.length; index += 2) {
          const [key, packed] = [fields[index]!, fields[index + 1]!]
          if (key.length > 0) rows.push({ rowKey: key.toString('utf8'), packed })
          else if (packed.toString('utf8') !== token) return null
        }
        return rows
      })
    },

    async exists(address) {
      // Every generation has this bucket, also one without rows.
      return (await client.exists(bucketKey(address, 0))) === 1
    },

    async removeBuckets(address, first, count) {
      await together(bucketKeys(address, first, count).map((key) => client.unlink(key)))
    },

    bucketMemory: (address, numbers) =>
      bucketMemory(
        client,
        numbers.map((number) => bucketKey(address, number)),
      ),
    serverMemory: () => memoryOf(client),
    replicated: (timeoutMs) => awaitReplicas(client, timeoutMs),
  }
}

/** Throws FaultsError: what lies in the store is as untrusted as a file, since hands can reach it. */
function parseManifest(text: string, key: string, number: string): Manifest {
  const subject = `manifest of generation ${number} (${key})`
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new FaultsError(subject, [{ path: '', problem: `is not JSON: ${(error as Error).message}` }])
  }
  const parsed = manifestDocument.safeParse(value)
  if (!parsed.success) throw new FaultsError(subject, faultsOf(parsed.error))
  return parsed.data
}

function bucketKey({ tenantId, modelId, generation }: GenerationAddress, bucket: number): string {
  return tableKeys.bucketPrefix(tenantId, modelId, generation) + bucket
}

function bucketKeys(address: GenerationAddress, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => bucketKey(address, first + index))
}
