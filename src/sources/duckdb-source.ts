import { isAbsolute } from 'node:path'
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBPreparedStatement,
  quotedIdentifier,
  StatementType,
} from '@duckdb/node-api'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { RowBatch, RowSource } from '../tables/ports.ts'
import { fileReason, isOutOfMemory, queryReason } from './duckdb-reason.ts'
import { type FindFilesOptions, findFiles } from './find-files.ts'
import type { Input } from './input.ts'
import { hasIntactBytes } from './intact.ts'
import { isObjectUrl } from './object-store.ts'
import { countRows, inspect, type Scan } from './scan.ts'
import { openSealedDuckDb, type SealedDuckDb } from './sealed-duckdb.ts'
import { type ColumnReader, compileColumn } from './values.ts'

export interface OpenInputsOptions {
  /** One SELECT over the view `input`, which holds the rows of all files, columns matched by name. */
  readonly sql?: string
  /** Columns of CSV files that are read as text exactly as written: `007` keeps its zeros. */
  readonly textColumns?: readonly string[]
}

export type OpenRowsOptions = OpenInputsOptions & FindFilesOptions

/**
 * Opens CSV, NDJSON and Parquet files as rows.
 * @param files Files, directories and patterns, as the user gave them; errors repeat them so.
 * @throws OperationError as `findFiles` and `openInputs` do.
 */
export async function openRows(files: readonly string[], options: OpenRowsOptions = {}): Promise<RowSource> {
  return openInputs(await findFiles(files, options), options)
}

/**
 * Opens files as rows. Checks beforehand that each file is there and whole, has the same columns as the first, and
 * that there is a row in one of them; of Parquet, whose pages are not read yet, the footer. An empty CSV field is null,
 * quoted or not.
 *
 * Memory stays bounded: rows travel in batches of 2,048, of which DuckDB holds a few; a query's result is kept, on
 * disk.
 * @throws OperationError naming the file, or with DuckDB's message about the query.
 */
export async function openInputs(
  inputs: readonly Input[],
  options: OpenInputsOptions = {},
): Promise<RowSource> {
  const withBytes: Input[] = []
  for (const input of inputs)
    if (await hasIntactBytes(input)) withBytes.push({ ...input, path: pathFor(input.path) })
  if (withBytes.length === 0) throw noRows(inputs)

  const large = Math.floor(Math.min(limits.queryBytesMax, process.availableMemory() / 2))
  if (needsMuch(withBytes, options.sql) || large <= limits.queryBytesSmall)
    return open(withBytes, options, large)
  try {
    return await open(withBytes, options, limits.queryBytesSmall)
  } catch (cause) {
    // Most queries pass rows through; what groups or sorts may not do with so little.
    if (!isOutOfMemory(cause)) throw cause
    return open(withBytes, options, large)
  }
}

/** Where less isn't worth a try: JSON's buffers alone are larger, and Parquet is read by whole columns of a row group. */
function needsMuch(inputs: readonly Input[], sql: string | undefined): boolean {
  const kinds = new Set(inputs.map(({ format }) => format.kind))
  return kinds.has('json') || kinds.has('spooled-hashes') || (sql === undefined && !kinds.has('csv'))
}

async function open(
  inputs: readonly Input[],
  options: OpenInputsOptions,
  bufferBytesMax: number,
): Promise<RowSource> {
  const duckDb = await openSealedDuckDb(
    inputs.map(({ path }) => path),
    bufferBytesMax,
  )
  try {
    const connection = await duckDb.connect()
    try {
      const textColumns = new Set(options.textColumns)
      const inspected: Scan[] = []
      for (const input of inputs) inspected.push(await inspect(connection, input, textColumns))
      // A query says itself which columns it needs.
      if (options.sql === undefined) for (const scan of inspected) requireSameColumns(scan, inspected[0]!)
      const scans = inspected.filter(({ rowCount }) => rowCount > 0)
      if (scans.length === 0) throw noRows(inputs)
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

function noRows([first, ...others]: readonly Input[]): OperationError {
  return new OperationError(
    others.length === 0
      ? `${first!.name}: the file has no rows`
      : `${first!.name} and ${others.length} more: none of the files has rows`,
  )
}

/** Rows that stand ready, and how they become plain values. */
interface Read {
  /** For `RowBatch.file`. */
  readonly file: string
  /** Of that file, as DuckDB's errors have it. */
  readonly path: string
  /** What stands after FROM. */
  readonly from: string
  readonly columns: readonly string[]
  readonly readers: readonly ColumnReader[]
  readonly rowCount: number
}

/** DuckDB would take a leading ~ for the home directory, and `s3:` for a scheme. */
function pathFor(file: string): string {
  return isAbsolute(file) || isObjectUrl(file) ? file : `./${file}`
}

async function readsOfFiles(connection: DuckDBConnection, scans: readonly Scan[]): Promise<readonly Read[]> {
  const [first] = scans as [Scan]
  const columns = first.columnNames
  const reads: Read[] = []
  for (const scan of scans) {
    const { file, path, from, rowCount } = scan
    const prepared = await connection.prepare(selectFrom(from, columns))
    reads.push({ file, path, from, columns, readers: compileReaders(prepared, file), rowCount })
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
  const { file, path } = only ?? { file: 'query result', path: '' }
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
    return { file, path, from: 'result', columns: table.columnNames(), readers, rowCount }
  } catch (cause) {
    if (cause instanceof OperationError) throw cause
    throw new OperationError(`the query failed: ${queryReason(cause)}`, { cause })
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
  { file, path, from, rowCount }: Read,
  rowsRead: number,
): Promise<OperationError> {
  try {
    await countRows(connection, from)
  } catch (cause) {
    return fileError({ file, path }, cause)
  }
  return new OperationError(`${file}: ${rowsRead} rows could be read where ${rowCount} were found before`)
}

function fileError({ file, path }: Pick<Read, 'file' | 'path'>, cause: unknown): OperationError {
  const reason = fileReason(cause)
  return new OperationError(`${file}: ${path === '' ? reason : reason.replaceAll(path, file)}`, { cause })
}

/** Chunks of the rows, the next one being fetched while one is consumed. */
async function* chunksOf(
  connection: DuckDBConnection,
  { file, path, from, columns }: Read,
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
    throw fileError({ file, path }, cause)
  } finally {
    await next.catch(() => {})
  }
}
