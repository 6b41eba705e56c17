import { isAbsolute } from 'node:path'
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBPreparedStatement,
  quotedIdentifier,
  StatementType,
} from '@duckdb/node-api'
import { OperationError } from '../domain/errors.ts'
import type { RowBatch, RowSource } from '../tables/ports.ts'
import { fileReason, queryReason } from './duckdb-reason.ts'
import { formatOf } from './format.ts'
import { requireIntactFile } from './intact.ts'
import { countRows, inspect, type Scan } from './scan.ts'
import { openSealedDuckDb, type SealedDuckDb } from './sealed-duckdb.ts'
import { type ColumnReader, compileColumn } from './values.ts'

export interface OpenRowsOptions {
  /** One SELECT over the view `input`, which holds the rows of all files, columns matched by name. */
  readonly sql?: string
  /** Columns of CSV files that are read as text exactly as written: `007` keeps its zeros. */
  readonly textColumns?: readonly string[]
}

/**
 * Opens CSV, NDJSON and Parquet files as rows. Checks beforehand that each file is there and whole, has rows, and has
 * the same columns as the first; of Parquet, whose pages are not read yet, the footer. An empty CSV field is null,
 * quoted or not.
 *
 * Memory stays bounded: rows travel in batches of 2,048, of which DuckDB holds a few; a query's result is kept, and
 * spills to disk.
 * @param files Paths as the user gave them; errors repeat them so.
 * @throws OperationError naming the file, or with DuckDB's message about the query.
 */
export async function openRows(files: readonly string[], options: OpenRowsOptions = {}): Promise<RowSource> {
  if (files.length === 0) throw new OperationError('no file to read rows from')
  const inputs = files.map((file) => ({ file, path: pathFor(file), format: formatOf(file) }))
  for (const { file, format } of inputs) await requireIntactFile(file, format.compression)

  const duckDb = await openSealedDuckDb(inputs.map(({ path }) => path))
  try {
    const connection = await duckDb.connect()
    try {
      const textColumns = new Set(options.textColumns)
      const scans: Scan[] = []
      for (const input of inputs) scans.push(await inspect(connection, input, textColumns))
      return rowSource(
        duckDb,
        options.sql === undefined
          ? await readsOfFiles(connection, scans)
          : [await readOfQuery(connection, scans, options.sql)],
      )
    } finally {
      connection.closeSync()
    }
  } catch (cause) {
    await duckDb.close()
    throw cause
  }
}

/** Rows that stand ready, and how they become plain values. */
interface Read {
  /** For `RowBatch.file`. */
  readonly file: string
  /** What stands after FROM. */
  readonly from: string
  readonly columns: readonly string[]
  readonly readers: readonly ColumnReader[]
  readonly rowCount: number
}

/** DuckDB would take a leading ~ for the home directory, and `s3:` for a scheme. */
function pathFor(file: string): string {
  return isAbsolute(file) ? file : `./${file}`
}

async function readsOfFiles(connection: DuckDBConnection, scans: readonly Scan[]): Promise<readonly Read[]> {
  const [first] = scans as [Scan]
  const columns = first.columnNames
  const reads: Read[] = []
  for (const scan of scans) {
    requireSameColumns(scan, first)
    const { file, from, rowCount } = scan
    const prepared = await connection.prepare(selectFrom(from, columns))
    reads.push({ file, from, columns, readers: compileReaders(prepared, file), rowCount })
    prepared.destroySync()
  }
  return reads
}

/** Named columns, because a file may have them in another order than the first. */
function selectFrom(from: string, columns: readonly string[]): string {
  return `SELECT ${columns.map(quotedIdentifier).join(', ')} FROM ${from}`
}

function requireSameColumns(scan: Scan, first: Scan): void {
  const missing = first.columnNames.filter((name) => !scan.columnNames.includes(name))
  const extra = scan.columnNames.filter((name) => !first.columnNames.includes(name))
  if (missing.length === 0 && extra.length === 0) return
  const faults = [
    ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`has ${extra.join(', ')} too many`] : []),
  ]
  throw new OperationError(
    `${scan.file}: the columns differ from those of ${first.file}: it ${faults.join(' and ')}`,
  )
}

/**
 * Runs the query into a table, so that a fault in any row is met here, and what is then read can't fail.
 */
async function readOfQuery(connection: DuckDBConnection, scans: readonly Scan[], sql: string): Promise<Read> {
  const [only] = scans.length === 1 ? scans : []
  const file = only?.file ?? 'query result'
  const union = scans.map(({ from }) => `FROM ${from}`).join(' UNION ALL BY NAME ')
  try {
    await connection.run(`CREATE VIEW input AS ${union}`)
    const prepared = await prepareSelect(connection, sql)
    requireDistinctColumns(prepared)
    const readers = compileReaders(prepared, file)
    prepared.destroySync()
    // Nothing may follow the user's text: it may end in a semicolon or in a comment.
    await connection.run(`CREATE TABLE result AS\n${sql}`)
    const table = await connection.runAndReadAll('FROM result LIMIT 0')
    const rowCount = await countRows(connection, 'result')
    return { file, from: 'result', columns: table.columnNames(), readers, rowCount }
  } catch (cause) {
    if (cause instanceof OperationError) throw cause
    throw new OperationError(`the query failed: ${queryReason(cause)}`)
  }
}

function requireDistinctColumns(prepared: DuckDBPreparedStatement): void {
  const seen = new Set<string>()
  for (let index = 0; index < prepared.columnCount; index++) {
    const name = prepared.columnName(index)
    // DuckDB knows one name in upper and lower case, and would rename the second.
    if (seen.has(name.toLowerCase())) {
      throw new OperationError(`the query gives two columns the name "${name}"; rename one with AS`)
    }
    seen.add(name.toLowerCase())
  }
}

/** DuckDB is locked to the input files, but COPY … TO could still overwrite those: a SELECT can't. */
async function prepareSelect(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  // DuckDB 1.5 fails without a reason on a text without any statement.
  const bare = sql.replace(/--.*$|\/\*[\s\S]*?\*\//gm, '').replaceAll(';', '')
  if (bare.trim() === '') throw new OperationError('the query is empty; it must be one SELECT over "input"')
  const statements = await connection.extractStatements(sql)
  if (statements.count !== 1) {
    throw new OperationError(
      `the query holds ${statements.count} statements; it must be one SELECT over "input"`,
    )
  }
  const prepared = await statements.prepare(0)
  if (prepared.statementType !== StatementType.SELECT) {
    const kind = StatementType[prepared.statementType]
    throw new OperationError(`the query is no SELECT but ${kind}; it must be one SELECT over "input"`)
  }
  if (prepared.parameterCount > 0)
    throw new OperationError('the query has parameters, which nothing can fill')
  return prepared
}

function compileReaders(prepared: DuckDBPreparedStatement, file: string): readonly ColumnReader[] {
  return Array.from({ length: prepared.columnCount }, (_, index) =>
    compileColumn(prepared.columnType(index), `${file}: column "${prepared.columnName(index)}"`),
  )
}

function rowSource(duckDb: SealedDuckDb, reads: readonly Read[]): RowSource {
  const [first] = reads as readonly [Read]
  return {
    columns: first.columns,
    rowsExpected: reads.reduce((sum, { rowCount }) => sum + rowCount, 0),
    async *batches() {
      for (const read of reads) yield* batchesOf(duckDb, read)
    },
    close: () => duckDb.close(),
  }
}

async function* batchesOf(duckDb: SealedDuckDb, read: Read): AsyncGenerator<RowBatch> {
  // A connection of its own: a second query on one would end a stream that is still being read.
  const connection = await duckDb.connect()
  try {
    let rowsRead = 0
    for await (const chunk of chunksOf(connection, read)) {
      const { rowCount } = chunk
      const columns = read.readers.map((readColumn, index) => readColumn(chunk.getColumnVector(index)))
      yield { file: read.file, firstRow: rowsRead + 1, rowCount, columns }
      rowsRead += rowCount
    }
    // A stream that fails ends as if it were exhausted: duckdb_fetch_chunk gives NULL for both, and the Node binding
    // hides duckdb_result_error (the same trap in Rust: https://github.com/duckdb/duckdb-rs/pull/832).
    if (rowsRead !== read.rowCount) throw await explainMissingRows(connection, read, rowsRead)
  } finally {
    connection.closeSync()
  }
}

async function explainMissingRows(
  connection: DuckDBConnection,
  { file, from, rowCount }: Read,
  rowsRead: number,
): Promise<OperationError> {
  try {
    await countRows(connection, from)
  } catch (cause) {
    return fileError(file, cause)
  }
  return new OperationError(`${file}: ${rowsRead} rows could be read where ${rowCount} were found before`)
}

function fileError(file: string, cause: unknown): OperationError {
  return new OperationError(`${file}: ${fileReason(cause).replaceAll(pathFor(file), file)}`)
}

/** Chunks of the rows, the next one being fetched while one is consumed. */
async function* chunksOf(
  connection: DuckDBConnection,
  { file, from, columns }: Read,
): AsyncGenerator<DuckDBDataChunk> {
  let next: Promise<DuckDBDataChunk | null> = Promise.resolve(null)
  try {
    const result = await connection.stream(selectFrom(from, columns))
    const fetchNext = () => {
      next = result.fetchChunk()
      // Handled here too: nobody awaits it yet when it fails early or the consumer leaves.
      next.catch(() => {})
    }
    fetchNext()
    for (let chunk = await next; chunk !== null && chunk.rowCount > 0; chunk = await next) {
      fetchNext()
      yield chunk
    }
  } catch (cause) {
    throw fileError(file, cause)
  } finally {
    await next.catch(() => {})
  }
}
