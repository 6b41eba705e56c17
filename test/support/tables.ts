import { bucketOf } from '../../src/domain/row-key.ts'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { createTableStore } from '../../src/redis/table-store.ts'
import type { RecordReadResult } from '../../src/serving/ports.ts'
import { bucketRows } from './buckets.ts'

/** Tables for readers, and what readers answer. */

export type Rows = Readonly<Record<string, Uint8Array>>

let generations = 0
/** A whole table in Redis: every bucket with its token. */
export async function writeTable(client: RedisClient, rows: Rows, buckets = 4): Promise<ActiveTable> {
  const address = { tenantId: 'studio', modelId: 'games', generation: ++generations }
  const token = `token-${address.generation}`
  const packed = Object.entries(rows).map(([rowKey, bytes]) => ({ rowKey, packed: bytes }))
  await createTableStore(client).writeBuckets(
    address,
    token,
    Array.from({ length: buckets }, (_, number) => ({
      number,
      rows: bucketRows(packed.filter(({ rowKey }) => bucketOf(rowKey, buckets) === number)),
    })),
  )
  const bucketPrefix = tableKeys.bucketPrefix(address.tenantId, address.modelId, address.generation)
  return { generation: address.generation, token, buckets, rows: packed.length, bucketPrefix }
}

export function bucketKey(table: ActiveTable, rowKey: string): string {
  return table.bucketPrefix + bucketOf(rowKey, table.buckets)
}

/** Results as they are easily compared: bytes as text. */
export function shown(result: RecordReadResult) {
  return 'bytes' in result ? { ...result, bytes: Buffer.from(result.bytes).toString() } : result
}

export const own = (bytes: string) => ({ from: 'own', bytes })
export const control = (bytes: string, cause: string) => ({ from: 'control', bytes, cause })
export const none = (cause: string) => ({ from: 'none', cause })
