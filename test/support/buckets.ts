import type { BucketRow, PackedRow } from '../../src/tables/ports.ts'

/** Rows as a publish hands them to the store, each in memory of its own with strangers around it. */
export function bucketRows(rows: readonly PackedRow[]): BucketRow[] {
  return rows.map(({ rowKey, packed }) => {
    const key = Buffer.from(rowKey)
    const data = Buffer.concat([Buffer.from('>>'), key, packed, Buffer.from('<<')])
    const keyEnd = 2 + key.length
    return { data, keyStart: 2, keyEnd, recordEnd: keyEnd + packed.length }
  })
}
