import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { TableStatistics } from '../domain/table-statistics.ts'
import type { StatisticsSums } from './merge-statistics.ts'
import { createPartitions, type Duplicate, type Partitions } from './partitions.ts'
import type { PublishTarget, RowSource } from './ports.ts'
import { compileRowPacker, type RowProblem } from './row-packer.ts'

/** A row that can't be published: where it stands, what is wrong, what would fit. */
export interface BadRow extends RowProblem {
  readonly file: string
  /** From 1, in that file. */
  readonly row: number
}

export interface PackedRows {
  /** Every row once, ready for buckets; the caller closes it. */
  readonly partitions: Partitions
  readonly rowsRead: number
  readonly badRows: number
  /** The first of them. */
  readonly badRowsShown: readonly BadRow[]
  /** Row keys or records too long for Redis' compact hashes; each makes its bucket more than twice as large. */
  readonly longRows: number
  readonly statistics: TableStatistics
  /** What statistics of several shards are made of. */
  readonly sums: StatisticsSums
}

/** What is told of rows that were packed, wherever they are by now. */
export type RowCounts = Omit<PackedRows, 'partitions' | 'statistics' | 'sums'>

export interface PackOptions {
  readonly badRowsMax: number
  /** One shard of several may be without rows. */
  readonly mayBeEmpty?: boolean
  readonly onProgress: (rowsRead: number) => void
}

/** Validates and packs every row. Throws OperationError as soon as all are read, where there are too many bad ones. */
export async function packRows(
  source: RowSource,
  target: PublishTarget,
  options: PackOptions,
): Promise<PackedRows> {
  const partitions = createPartitions(source.rowsExpected ?? 0)
  try {
    return await packInto(partitions, source, target, options)
  } catch (error) {
    await partitions.close()
    throw error
  }
}

async function packInto(
  partitions: Partitions,
  source: RowSource,
  target: PublishTarget,
  { badRowsMax, mayBeEmpty = false, onProgress }: PackOptions,
): Promise<PackedRows> {
  const packer = compileRowPacker(source.columns, target)
  const places = createPlaces()
  const bad = createBadRows()
  let [rowsRead, longRows] = [0, 0]
  for await (const batch of source.batches()) {
    packer.begin(batch)
    places.add(rowsRead, batch.file, batch.firstRow)
    for (let row = 0; row < batch.rowCount; row++) {
      const problem = packer.pack(row)
      // The rest is still read: people mend a file once, not row by row.
      if (problem !== null) bad.add({ file: batch.file, row: batch.firstRow + row, ...problem })
      else {
        if (isLong(packer.keyBytes) || isLong(packer.record.bytesWritten)) longRows++
        partitions.add(rowsRead + row, packer.key, packer.keyBytes, packer.record)
      }
    }
    rowsRead += batch.rowCount
    await partitions.relieve()
    onProgress(rowsRead)
  }
  const keyField = target.key.map((part) => part.column).join(' + ')
  for (const duplicate of await partitions.removeDuplicates()) bad.add(describe(duplicate, keyField, places))
  const { count: badRows, shown: badRowsShown } = bad
  if (badRows > badRowsMax) throw tooManyBadRows(badRows, rowsRead, badRowsShown, badRowsMax)
  if (partitions.rows === 0 && !mayBeEmpty)
    throw new OperationError('there is no row to publish; nothing was written')
  return {
    partitions,
    rowsRead,
    badRows,
    badRowsShown,
    longRows,
    statistics: packer.statistics(),
    sums: packer.sums(),
  }
}

export function describeBadRow({ file, row, field, problem }: BadRow): string {
  return `${file}, row ${row}, ${field}: ${problem}`
}

interface Places {
  /** Rows from this ordinal on stand in `file`, from `row` on. */
  add(ordinal: number, file: string, row: number): void
  of(ordinal: number): { readonly file: string; readonly row: number }
}

/** Where each row came from: one entry a file, not one a row. */
function createPlaces(): Places {
  const runs: { readonly ordinal: number; readonly file: string; readonly row: number }[] = []
  return {
    add(ordinal, file, row) {
      const last = runs.at(-1)
      if (last?.file === file && last.row + ordinal - last.ordinal === row) return
      runs.push({ ordinal, file, row })
    },
    of(ordinal) {
      const run = runs.findLast((each) => each.ordinal <= ordinal)!
      return { file: run.file, row: run.row + ordinal - run.ordinal }
    },
  }
}

/** Counts all, keeps the first. */
function createBadRows() {
  const shown: BadRow[] = []
  let count = 0
  return {
    shown,
    get count() {
      return count
    },
    add(badRow: BadRow) {
      count++
      if (shown.length < limits.badRowsShownMax) shown.push(badRow)
    },
  }
}

function describe({ rowKey, ordinal, firstOrdinal }: Duplicate, field: string, places: Places): BadRow {
  const first = places.of(firstOrdinal)
  const problem = `the row key ${JSON.stringify(rowKey)} stands already in ${first.file}:${first.row}; each may stand once`
  return { ...places.of(ordinal), field, problem }
}

function isLong(bytes: number): boolean {
  return bytes > limits.listpackValueBytesMax
}

function tooManyBadRows(
  badRows: number,
  rowsRead: number,
  shown: readonly BadRow[],
  badRowsMax: number,
): OperationError {
  const more = badRows > shown.length ? `\n  … and ${badRows - shown.length} more` : ''
  return new OperationError(
    `${badRows} of ${rowsRead} rows do not fit (allowed: ${badRowsMax}); nothing was published\n` +
      shown.map((badRow) => `  ${describeBadRow(badRow)}`).join('\n') +
      more,
  )
}
