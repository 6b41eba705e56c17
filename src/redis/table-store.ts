import { limits } from '../domain/limits.ts'
import type { GenerationAddress, Manifest, TableStore } from '../tables/ports.ts'
import type { RedisClient } from './client.ts'
import { tableKeys } from './keys.ts'

/**
 * Tables as DESIGN lays them out: hashes of about 80 rows, whose field with the empty name holds the generation's
 * token, also in an empty bucket, so that an unknown row, a damaged table and a collected one can't be mistaken.
 *
 * Commands of one trip are given one by one and sent at once: in Cluster each bucket has a slot of its own, and finds
 * its own way. On one node 480,000 rows were written in 0.45 s, and in 0.60 through a pipeline; asking 6,000 buckets for
 * their counts took 0.11 s, and 0.05 through one.
 */
export function createTableStore(client: RedisClient): TableStore {
  return {
    async putManifest({ tenantId, modelId, generation }, manifest) {
      await client.hset(tableKeys.manifests(tenantId, modelId), String(generation), JSON.stringify(manifest))
    },

    async removeManifest({ tenantId, modelId, generation }) {
      await client.hdel(tableKeys.manifests(tenantId, modelId), String(generation))
    },

    async manifests(tenantId, modelId) {
      const entries = await client.hgetall(tableKeys.manifests(tenantId, modelId))
      return new Map(
        Object.entries(entries).map(([number, text]) => [Number(number), JSON.parse(text) as Manifest]),
      )
    },

    async writeBuckets(address, token, buckets) {
      await together(
        buckets.map(({ number, rows }) => {
          const fields: (string | Buffer)[] = ['', token]
          for (const { rowKey, packed } of rows) fields.push(rowKey, asBuffer(packed))
          return client.hset(bucketKey(address, number), ...fields)
        }),
      )
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

    async exists(address) {
      // Every generation has this bucket, also one without rows.
      return (await client.exists(bucketKey(address, 0))) === 1
    },

    async removeBuckets(address, buckets) {
      for (let first = 0; first < buckets; first += limits.bucketsPerTrip) {
        const count = Math.min(limits.bucketsPerTrip, buckets - first)
        await together(bucketKeys(address, first, count).map((key) => client.unlink(key)))
      }
    },
  }
}

function bucketKey({ tenantId, modelId, generation }: GenerationAddress, bucket: number): string {
  return tableKeys.bucketPrefix(tenantId, modelId, generation) + bucket
}

function bucketKeys(address: GenerationAddress, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => bucketKey(address, first + index))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * All replies, once the last one is there: where one command failed, none of the others may still write. The first error
 * is thrown without its command's arguments.
 */
async function together<T>(commands: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(commands)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw new Error((outcome.reason as Error).message)
    return outcome.value
  })
}
