import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { bucketOf } from '../domain/row-key.ts'
import type { PackedGeneration } from '../domain/tenant-state.ts'
import { createContentHash } from './content-hash.ts'
import type { GenerationAddress, PackedRow, TableStore } from './ports.ts'

/** What says that a table is what was published. */
export type VerifiedTable = Pick<PackedGeneration, 'buckets' | 'token' | 'rows' | 'contentHash'>

export type OnBuckets = (done: number, total: number) => void

/** Right after loading: counts every bucket, and compares a sample of the rows byte for byte. Throws OperationError. */
export async function verifyLoaded(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token, rows }: VerifiedTable,
  sample: readonly PackedRow[],
  onBuckets: OnBuckets,
): Promise<void> {
  let counted = 0
  for (const { first, count } of tripsOf(buckets)) {
    for (const found of await store.rowCounts(address, token, first, count)) {
      if (found < 0) throw damaged('a bucket that was written is not there')
      counted += found
    }
    onBuckets(first + count, buckets)
  }
  if (counted !== rows) throw damaged(`${rows} rows were written, and ${counted} are there`)
  const found = await store.readRows(
    address,
    sample.map(({ rowKey }) => ({ bucket: bucketOf(rowKey, buckets), rowKey })),
  )
  for (const [index, { rowKey, packed }] of sample.entries())
    if (found[index] == null || Buffer.compare(found[index], packed) !== 0)
      throw damaged(`the row ${JSON.stringify(rowKey)} was read back otherwise than it was written`)
}

function damaged(what: string): OperationError {
  return new OperationError(
    `the new generation is damaged: ${what}; nothing was activated. Is Redis full, or evicting?`,
  )
}

export interface TableCheck {
  readonly rows: number
  readonly contentHash: string
  /** Buckets that are lost, or hold another generation's token. */
  readonly damagedBuckets: number
  /** Rows where no reader looks for them. */
  readonly misplacedRows: number
  readonly isSound: boolean
}

/** Reads every row again, and compares with what the catalog says, as `tables verify` does. */
export async function rereadTable(
  store: TableStore,
  address: GenerationAddress,
  table: VerifiedTable,
  onBuckets: OnBuckets,
  onRow: (row: PackedRow, bucket: number) => void = () => undefined,
): Promise<TableCheck> {
  const content = createContentHash()
  let [damagedBuckets, misplacedRows] = [0, 0]
  for (const { first, count } of tripsOf(table.buckets)) {
    const numbers = Array.from({ length: count }, (_, index) => first + index)
    for (const [index, rows] of (await store.readBuckets(address, table.token, numbers)).entries()) {
      if (rows === null) damagedBuckets++
      for (const { rowKey, packed } of rows ?? []) {
        if (bucketOf(rowKey, table.buckets) !== numbers[index]) misplacedRows++
        const row = Buffer.concat([Buffer.from(rowKey), packed])
        content.add(row, 0, row.length)
        onRow({ rowKey, packed }, numbers[index]!)
      }
    }
    onBuckets(first + count, table.buckets)
  }
  const { rows } = content
  const contentHash = content.digest()
  const isSound =
    damagedBuckets === 0 && misplacedRows === 0 && rows === table.rows && contentHash === table.contentHash
  return { rows, contentHash, damagedBuckets, misplacedRows, isSound }
}

/**
 * Whether a table that isn't served is still there: every bucket's token, or those of `limits.bucketsCheckedMax` buckets
 * from its beginning to its end, so that a large one takes no longer.
 */
export async function isThere(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token }: VerifiedTable,
): Promise<boolean> {
  const trips = tripsOf(buckets)
  const tripsMax = limits.bucketsCheckedMax / limits.bucketsPerTrip
  const checked = Math.min(trips.length, tripsMax)
  for (let index = 0; index < checked; index++) {
    const { first, count } = trips[Math.floor((index * trips.length) / checked)]!
    const counts = await store.rowCounts(address, token, first, count)
    if (counts.some((found) => found < 0)) return false
  }
  return true
}

export function tripsOf(buckets: number): readonly { readonly first: number; readonly count: number }[] {
  return Array.from({ length: Math.ceil(buckets / limits.bucketsPerTrip) }, (_, trip) => {
    const first = trip * limits.bucketsPerTrip
    return { first, count: Math.min(limits.bucketsPerTrip, buckets - first) }
  })
}
