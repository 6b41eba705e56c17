import type { ChainableCommander, Redis } from 'ioredis'
import { limits } from '../domain/limits.ts'
import type { GenerationAddress, Manifest, TableStore } from '../tables/ports.ts'
import { bucketCommand } from './bucket-command.ts'
import { tableKeys } from './keys.ts'

/**
 * Tables as DESIGN lays them out: hashes of about 80 rows, whose field with the empty name holds the generation's
 * token, also in an empty bucket, so that an unknown row, a damaged table and a collected one can't be mistaken.
 */
export function createTableStore(client: Redis): TableStore {
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
      await Promise.all(
        buckets.map(({ number, rows }) =>
          client.sendCommand(bucketCommand(bucketKey(address, number), token, rows)),
        ),
      )
    },

    async rowCounts(address, token, first, count) {
      const pipeline = client.pipeline()
      for (let number = first; number < first + count; number++) {
        pipeline.hlen(bucketKey(address, number))
        pipeline.hget(bucketKey(address, number), '')
      }
      const replies = await run(pipeline)
      return Array.from({ length: count }, (_, index) => {
        const [fields, found] = [replies[index * 2], replies[index * 2 + 1]]
        return found === token ? (fields as number) - 1 : -1
      })
    },

    async readRows(address, rows) {
      const pipeline = client.pipeline()
      for (const { bucket, rowKey } of rows) pipeline.hgetBuffer(bucketKey(address, bucket), rowKey)
      return (await run(pipeline)) as (Buffer | null)[]
    },

    async exists(address) {
      // Every generation has this bucket, also one without rows.
      return (await client.exists(bucketKey(address, 0))) === 1
    },

    async removeBuckets(address, buckets) {
      for (let first = 0; first < buckets; first += limits.bucketsPerTrip) {
        const count = Math.min(limits.bucketsPerTrip, buckets - first)
        await client.unlink(Array.from({ length: count }, (_, index) => bucketKey(address, first + index)))
      }
    },
  }
}

function bucketKey({ tenantId, modelId, generation }: GenerationAddress, bucket: number): string {
  return tableKeys.bucketPrefix(tenantId, modelId, generation) + bucket
}

/** A pipeline's replies; the first error of a command is thrown without the command's arguments. */
async function run(pipeline: ChainableCommander): Promise<unknown[]> {
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error) throw new Error(error.message)
    return reply
  })
}
