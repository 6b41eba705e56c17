import {
  type DuckDBConnection,
  type DuckDBListType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  quotedIdentifier,
  quotedString,
} from '@duckdb/node-api'
import { OperationError } from '../domain/errors.ts'
import { fileReason } from './duckdb-reason.ts'
import type { FileFormat, SpooledHashes } from './format.ts'
import type { Input } from './input.ts'

interface Column {
  readonly name: string
  readonly type: DuckDBType
}

/** How one file is read: settled once, so that reading it can't guess differently. */
export interface Scan {
  /** As the user named it. */
  readonly file: string
  /** As DuckDB opens it. */
  readonly path: string
  readonly columnNames: readonly string[]
  /** What stands after FROM. */
  readonly from: string
  readonly rowCount: number
}

/** DuckDB takes 32 MB a thread otherwise, half of what it needs to read 10 M rows. */
const csvBufferBytes = 8_000_000

/** A scan whose rows are still to be counted, where the file doesn't tell. */
type Inspected = Pick<Scan, 'columnNames' | 'from'> & { readonly rowCount: number | null }

/**
 * Finds a file's columns, their types and how many rows it has, none included. Types come from the whole file, not from its first
 * rows, so that the same data in another order reads the same. CSV and JSON are read through once more as they will
 * be read, so that a fault in the last row is met here: 3 s for 24 M rows of CSV that take 65 s to read.
 * @param path As DuckDB is to open it.
 * @throws OperationError naming the file, when it is damaged.
 */
export async function inspect(
  connection: DuckDBConnection,
  { name: file, path, format }: Input,
  textColumns: ReadonlySet<string>,
): Promise<Scan> {
  try {
    const scan = await inspectByKind(connection, { file, path: quotedString(path), format }, textColumns)
    const rowCount = scan.rowCount ?? (await countRows(connection, scan.from))
    return { ...scan, file, path, rowCount }
  } catch (cause) {
    if (cause instanceof OperationError) throw cause
    throw new OperationError(`${file}: ${fileReason(cause).replaceAll(path, file)}`, { cause })
  }
}

/** Reads everything once; DuckDB would skip over what is wrong with values that nobody asks for. */
export async function countRows(connection: DuckDBConnection, from: string): Promise<number> {
  return (await countValues(connection, from)).rowCount
}

async function countValues(
  connection: DuckDBConnection,
  from: string,
): Promise<{ rowCount: number; valueCounts: readonly number[] }> {
  const counts = await connection.runAndReadAll(`SELECT count(*), count(COLUMNS(*)) FROM ${from}`)
  const [rowCount = 0, ...valueCounts] = (counts.getRowsJS()[0] ?? []).map(Number)
  return { rowCount, valueCounts }
}

function inspectByKind(
  connection: DuckDBConnection,
  { file, path, format }: { file: string; path: string; format: FileFormat },
  textColumns: ReadonlySet<string>,
): Promise<Inspected> {
  switch (format.kind) {
    case 'csv':
      return inspectCsv(connection, { path, format }, textColumns)
    case 'json':
      return inspectJson(connection, { file, path, format })
    case 'spooled-hashes':
      return inspectHashes(connection, path, format)
    case 'parquet':
      return inspectParquet(connection, path)
  }
}

/**
 * CSV as in RFC 4180, with a header; nothing of the dialect is guessed, or a broken row would turn `a,b` into one
 * column, and a row that begins with # into a comment. Dates are ISO or text: 01/02/2024 may be either of two days.
 */
async function inspectCsv(
  connection: DuckDBConnection,
  { path, format }: { path: string; format: FileFormat & { kind: 'csv' } },
  textColumns: ReadonlySet<string>,
): Promise<Inspected> {
  const dialect = `header = true, delim = '${format.delimiter}', quote = '"', escape = '"', comment = '', skip = 0,
    strict_mode = true, compression = '${format.compression}', hive_partitioning = false, dateformat = '%Y-%m-%d',
    buffer_size = ${csvBufferBytes}`
  let columns: readonly Column[]
  try {
    columns = await columnsOf(
      connection,
      `read_csv(${path}, ${dialect}, sample_size = -1,
        auto_type_candidates = ['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'VARCHAR'])`,
    )
  } catch (cause) {
    await failAtCsvLine(connection, { path, format, dialect })
    throw cause
  }
  const types = columns.map(
    ({ name, type }) => [name, textColumns.has(name) ? 'VARCHAR' : type.toString()] as const,
  )
  return {
    columnNames: columns.map(({ name }) => name),
    from: `read_csv(${path}, ${dialect}, auto_detect = false, columns = ${columnsLiteral(types)})`,
    rowCount: null,
  }
}

/**
 * Reads a CSV file that the sniffer gave up on, all as text: the reader's error names the line, the sniffer's doesn't.
 * Returns if the reader finds nothing wrong.
 */
async function failAtCsvLine(
  connection: DuckDBConnection,
  { path, format, dialect }: { path: string; format: FileFormat & { kind: 'csv' }; dialect: string },
): Promise<void> {
  const header = await connection.runAndReadAll(
    `FROM read_csv(${path}, header = false, auto_detect = false, delim = '\u0001', quote = '', escape = '', comment = '',
      strict_mode = false, compression = '${format.compression}', columns = {'line': 'VARCHAR'}) LIMIT 1`,
  )
  const line = String(header.getRowsJS()[0]?.[0] ?? '')
  const columnCount = line.replace(/"(?:[^"]|"")*"/g, '').split(format.delimiter).length
  const types = Array.from({ length: columnCount }, (_, index) => [`column${index}`, 'VARCHAR'] as const)
  await connection.run(
    `SELECT count(*) FROM read_csv(${path}, ${dialect}, auto_detect = false, columns = ${columnsLiteral(types)})`,
  )
}

/** Strings stay as they are written: DuckDB would make dates, times and UUIDs of them. A key that a row lacks is null. */
async function inspectJson(
  connection: DuckDBConnection,
  { file, path, format }: { file: string; path: string; format: FileFormat & { kind: 'json' } },
): Promise<Inspected> {
  const options = `format = '${format.layout === 'lines' ? 'newline_delimited' : 'auto'}',
    compression = '${format.compression}', hive_partitioning = false`
  let columns: readonly Column[]
  try {
    columns = await columnsOf(
      connection,
      `read_json(${path}, ${options}, records = true, sample_size = -1, maximum_depth = -1, map_inference_threshold = -1)`,
    )
  } catch (cause) {
    if (!String(cause).includes('expected records')) throw cause
    const oneALine = format.layout === 'lines' ? ', one a line' : ''
    throw new OperationError(`${file}: the file must hold JSON objects with at least one key${oneALine}`)
  }
  const from = `read_json(${path}, ${options}, auto_detect = false,
    columns = ${columnsLiteral(columns.map(({ name, type }) => [name, unguessedType(type)]))})`
  const { rowCount, valueCounts } = await countValues(connection, from)
  // DuckDB knows one name in upper and lower case, and renames a second key `A` to `A_1`, a key that no row has. A
  // type other than JSON was inferred from a value, so a column of it that has none must be such a one.
  const renamed = columns.find(({ type }, index) => valueCounts[index] === 0 && type.alias !== 'JSON')
  if (renamed !== undefined) {
    throw new OperationError(
      `${file}: two keys differ only in upper and lower case, known here as "${renamed.name}"`,
    )
  }
  return { columnNames: columns.map(({ name }) => name), from, rowCount }
}

/** SQL text of a type inferred from JSON, with VARCHAR for all that was guessed from the text of strings. */
function unguessedType(type: DuckDBType): string {
  switch (type.typeId) {
    case DuckDBTypeId.DATE:
    case DuckDBTypeId.TIME:
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
    case DuckDBTypeId.UUID:
      return 'VARCHAR'
    case DuckDBTypeId.LIST:
      return `${unguessedType((type as DuckDBListType).valueType)}[]`
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType
      const entries = entryTypes.map(
        (entryType, index) => `${quotedIdentifier(entryNames[index] ?? '')} ${unguessedType(entryType)}`,
      )
      return `STRUCT(${entries.join(', ')})`
    }
    default:
      // A column of several types is JSON, which is a VARCHAR under another name.
      return type.alias ?? type.toString()
  }
}

async function inspectParquet(connection: DuckDBConnection, path: string): Promise<Inspected> {
  const from = `read_parquet(${path}, hive_partitioning = false)`
  const columns = await columnsOf(connection, from)
  const footer = await connection.runAndReadAll(`SELECT num_rows FROM parquet_file_metadata(${path})`)
  return {
    columnNames: columns.map(({ name }) => name),
    from,
    rowCount: Number(footer.getRowsJS()[0]?.[0]),
  }
}

/** Redis' SCAN may give a key twice. Which ones it may have given again is known, and they are few. */
async function inspectHashes(
  connection: DuckDBConnection,
  path: string,
  { columns, ordinalColumn, suspectColumn, hasSuspects }: SpooledHashes,
): Promise<Inspected> {
  const types = [
    ...columns.map((name) => [name, 'VARCHAR'] as const),
    [ordinalColumn, 'BIGINT'] as const,
    [suspectColumn, 'BOOLEAN'] as const,
  ]
  const lines = `read_json(${path}, format = 'newline_delimited', auto_detect = false, columns = ${columnsLiteral(types)})`
  const rows = `SELECT ${columns.map(quotedIdentifier).join(', ')} FROM ${lines} lines`
  if (!hasSuspects) return { columnNames: columns, from: `(${rows})`, rowCount: null }
  const [key, ordinal] = [quotedIdentifier(columns[0]), quotedIdentifier(ordinalColumn)]
  await connection.run(
    `CREATE TABLE met_again AS SELECT ${key} AS key, max(${ordinal}) AS latest FROM ${lines}
      WHERE ${key} IN (SELECT ${key} FROM ${lines} WHERE ${quotedIdentifier(suspectColumn)})
      GROUP BY ${key} HAVING count(*) > 1`,
  )
  const from = `(${rows} WHERE NOT EXISTS
    (FROM met_again WHERE met_again.key = lines.${key} AND met_again.latest <> lines.${ordinal}))`
  return { columnNames: columns, from, rowCount: null }
}

/** Preparing runs DuckDB's detection and reads no further rows. */
async function columnsOf(connection: DuckDBConnection, from: string): Promise<readonly Column[]> {
  const prepared = await connection.prepare(`FROM ${from}`)
  try {
    return Array.from({ length: prepared.columnCount }, (_, index) => ({
      name: prepared.columnName(index),
      type: prepared.columnType(index),
    }))
  } finally {
    prepared.destroySync()
  }
}

function columnsLiteral(types: readonly (readonly [name: string, type: string])[]): string {
  return `{${types.map(([name, type]) => `${quotedString(name)}: ${quotedString(type)}`).join(', ')}}`
}
