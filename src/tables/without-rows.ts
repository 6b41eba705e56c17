import type { PackedGeneration } from '../domain/tenant-state.ts'
import { createContentHash } from './content-hash.ts'
import type { PackedRow } from './ports.ts'

/** What changes where rows are taken out of a generation. */
export type RowFigures = Pick<PackedGeneration, 'rows' | 'bytes' | 'contentHash'>

/** A generation's figures once these rows of it are gone. */
export function withoutRows(figures: RowFigures, rows: readonly PackedRow[]): RowFigures {
  const content = createContentHash()
  content.merge(figures.contentHash)
  let { bytes } = figures
  for (const { rowKey, packed } of rows) {
    const row = Buffer.concat([Buffer.from(rowKey), packed])
    content.remove(row, 0, row.length)
    bytes -= row.length
  }
  return { rows: figures.rows - rows.length, bytes, contentHash: content.digest() }
}
