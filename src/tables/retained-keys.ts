import { limits } from '../domain/limits.ts'
import { bucketOf } from '../domain/row-key.ts'
import type { GenerationAddress, TableStore } from './ports.ts'

export interface RetainedKeys {
  /** Row keys of the previous generation that were looked for. */
  readonly sampled: number
  /** Those of them that the new one has. */
  readonly kept: number
}

/** One generation's buckets. */
export interface TableAt {
  readonly address: GenerationAddress
  readonly token: string
  readonly buckets: number
}

/** Looks for some of the previous generation's row keys in the next one; null where none of them is there to be read. */
export async function sampleRetainedKeys(
  store: TableStore,
  previous: TableAt,
  next: TableAt,
): Promise<RetainedKeys | null> {
  const count = Math.min(previous.buckets, limits.retainedKeysBucketsMax)
  const numbers = Array.from({ length: count }, (_, index) => Math.floor((index * previous.buckets) / count))
  const buckets = await store.readBuckets(previous.address, previous.token, numbers)
  const rowKeys = buckets.flatMap((rows) => (rows ?? []).map(({ rowKey }) => rowKey))
  if (rowKeys.length === 0) return null
  const found = await store.readRows(
    next.address,
    rowKeys.map((rowKey) => ({ bucket: bucketOf(rowKey, next.buckets), rowKey })),
  )
  return { sampled: rowKeys.length, kept: found.filter((packed) => packed !== null).length }
}
