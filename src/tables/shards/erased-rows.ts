import type { PackedGeneration } from '../../domain/tenant-state.ts'
import type { GenerationAddress, PackedRow, TableStore } from '../ports.ts'
import type { SuppressedRows } from '../suppressed-rows.ts'
import type { UnitRow } from '../unit-rows.ts'
import { rereadTable } from '../verify.ts'
import { type RowFigures, withoutRows } from '../without-rows.ts'

/**
 * Rows of players who were erased after their shard was packed. No process has all shards' rows at hand, so that they are
 * found in Redis; whoever erases leaves them to the last shard, which alone knows what it has counted.
 */
export interface ErasedRows {
  /** To be given every row that is read. */
  look(row: PackedRow, bucket: number): void
  /** Takes those that were found out of the generation; null: there were none. */
  takeOut(entry: PackedGeneration): Promise<RowFigures | null>
  /** The same for players who were erased since, by reading all rows once more; null: nobody was. */
  takeOutLater(entry: PackedGeneration): Promise<RowFigures | null>
}

export function createErasedRows(
  store: TableStore,
  address: GenerationAddress,
  suppressed: SuppressedRows,
): ErasedRows {
  let found: UnitRow[] = []

  function look({ rowKey, packed }: PackedRow, bucket: number): void {
    if (suppressed.isSuppressed === null) return
    const bytes = Buffer.from(rowKey)
    if (suppressed.isSuppressed(bytes, 0, bytes.length)) found.push({ bucket, rowKey, packed })
  }

  async function takeOut(entry: PackedGeneration): Promise<RowFigures | null> {
    if (found.length === 0) return null
    const [rows, figures] = [found, withoutRows(entry, found)]
    found = []
    await store.removeRows(address, entry.token, rows)
    suppressed.add(rows.length)
    return figures
  }

  return {
    look,
    takeOut,
    async takeOutLater(entry) {
      if (!(await suppressed.refresh())) return null
      await rereadTable(store, address, entry, () => undefined, look)
      return takeOut(entry)
    },
  }
}
