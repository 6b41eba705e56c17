import { OperationError } from '../domain/errors.ts'
import { bucketOf } from '../domain/row-key.ts'
import type { PackedGeneration } from '../domain/tenant-state.ts'
import type { PackedRows } from './pack-rows.ts'
import type { GenerationAddress, PackedRow, TableStore } from './ports.ts'
import type { Publication } from './publication.ts'
import { type OnBuckets, verifyLoaded } from './verify.ts'
import type { RowFigures } from './without-rows.ts'

/**
 * Takes the rows of players who were erased since the rows were packed out of a generation that is being loaded; whoever
 * erases leaves its figures to its publisher. Null: there were none.
 */
export async function leaveOutErased(
  store: TableStore,
  { partitions, suppressed }: PackedRows,
  address: GenerationAddress,
  { token, buckets }: Pick<PackedGeneration, 'token' | 'buckets'>,
): Promise<RowFigures | null> {
  if (!(await suppressed.refresh()) || suppressed.isSuppressed === null) return null
  const rowKeys = await partitions.removeRows(suppressed.isSuppressed)
  suppressed.add(rowKeys.length)
  const rows = rowKeys.map((rowKey) => ({ bucket: bucketOf(rowKey, buckets), rowKey }))
  await store.removeRows(address, token, rows)
  return { rows: partitions.rows, bytes: partitions.bytes, contentHash: partitions.contentHash() }
}

/** Verifies what was written. A player who is erased meanwhile takes rows away, which is no damage. Throws OperationError. */
export async function verifyWritten(
  store: TableStore,
  { address, manifest, beat }: Publication,
  packed: PackedRows,
  sample: readonly PackedRow[],
  onBuckets: OnBuckets,
): Promise<void> {
  let table: PackedGeneration = manifest
  let expected = sample
  async function lookAgain(): Promise<boolean> {
    const figures = await leaveOutErased(store, packed, address, manifest)
    if (figures === null) return false
    await beat(figures)
    table = { ...table, ...figures }
    expected = expected.filter(({ rowKey }) => !isErased(packed, rowKey))
    return true
  }
  await lookAgain()
  for (;;) {
    try {
      await verifyLoaded(store, address, table, expected, onBuckets)
      return
    } catch (error) {
      if (!(error instanceof OperationError) || !(await lookAgain())) throw error
    }
  }
}

function isErased({ suppressed: { isSuppressed } }: PackedRows, rowKey: string): boolean {
  const bytes = Buffer.from(rowKey)
  return isSuppressed?.(bytes, 0, bytes.length) ?? false
}
