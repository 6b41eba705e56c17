import type { RecordCodec } from '../domain/codec/codec.ts'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { murmur3 } from '../domain/murmur3.ts'
import type { TableStore } from './ports.ts'
import type { TableAt } from './retained-keys.ts'

export interface TableDiff {
  readonly rows: { readonly before: number; readonly after: number }
  readonly added: number
  readonly removed: number
  /** Rows that both have, with another value in some field. */
  readonly changed: number
  readonly unchanged: number
  /** In how many rows each field's value differs, those first that differ in most. */
  readonly fields: readonly { readonly field: string; readonly changed: number }[]
}

const hashes = 2 ** 32

/**
 * Compares two generations row by row. Both have their rows in order of the row keys' hashes, however many buckets each
 * has, so that one range of hashes after the other is read from both, and memory stays flat.
 */
export async function diffTables(
  store: TableStore,
  codec: RecordCodec,
  before: TableAt,
  after: TableAt,
  onProgress: (done: number, total: number) => void,
): Promise<TableDiff> {
  const ranges = Math.ceil(Math.max(before.buckets, after.buckets) / limits.bucketsPerTrip)
  const fields = new Map<string, number>()
  const counts = { before: 0, after: 0, added: 0, changed: 0, unchanged: 0 }
  for (let range = 0; range < ranges; range++) {
    const from = Math.floor((range * hashes) / ranges)
    const to = Math.floor(((range + 1) * hashes) / ranges)
    const [old, now] = await Promise.all([
      rowsBetween(store, before, from, to),
      rowsBetween(store, after, from, to),
    ])
    counts.before += old.size
    counts.after += now.size
    for (const [rowKey, packed] of now) {
      const earlier = old.get(rowKey)
      if (earlier === undefined) counts.added++
      else if (differ(codec, earlier, packed, fields)) counts.changed++
      else counts.unchanged++
    }
    onProgress(range + 1, ranges)
  }
  const { added, changed, unchanged } = counts
  return {
    rows: { before: counts.before, after: counts.after },
    added,
    removed: counts.before - changed - unchanged,
    changed,
    unchanged,
    fields: [...fields]
      .map(([field, count]) => ({ field, changed: count }))
      .sort((a, b) => b.changed - a.changed || (a.field < b.field ? -1 : 1)),
  }
}

/** Rows whose keys' hashes lie from `from` to below `to`. Throws OperationError where a bucket is damaged. */
async function rowsBetween(
  store: TableStore,
  { address, token, buckets }: TableAt,
  from: number,
  to: number,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const first = Math.floor((from * buckets) / hashes)
  const last = Math.floor(((to - 1) * buckets) / hashes)
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const found = new Map<string, Uint8Array>()
  for (const rows of await store.readBuckets(address, token, numbers)) {
    if (rows === null)
      throw new OperationError(
        `generation ${address.generation} of ${address.modelId} is damaged in Redis: a bucket is missing; ` +
          '`recgate tables verify` counts them',
      )
    for (const { rowKey, packed } of rows) {
      const hash = murmur3(rowKey)
      if (hash >= from && hash < to) found.set(rowKey, packed)
    }
  }
  return found
}

/** Records of two schema revisions may have the same values in other bytes. */
function differ(
  codec: RecordCodec,
  before: Uint8Array,
  after: Uint8Array,
  fields: Map<string, number>,
): boolean {
  if (Buffer.compare(before, after) === 0) return false
  const [old, now] = [codec.decode(before), codec.decode(after)]
  const names = new Set([...Object.keys(old), ...Object.keys(now)])
  let isChanged = false
  for (const name of names) {
    if (JSON.stringify(old[name]) === JSON.stringify(now[name])) continue
    fields.set(name, (fields.get(name) ?? 0) + 1)
    isChanged = true
  }
  return isChanged
}
