import { CodecError } from '../domain/codec/codec.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { parameterFits, parameterRule } from '../domain/parameter.ts'
import { joinRowKey, rowKeyFault, rowKeyValue, rowKeyValueFault } from '../domain/row-key.ts'
import type { KeyPart } from '../domain/snapshot.ts'
import type { PackedRow, PublishTarget, RowSource, SourceRow, SourceValue } from './ports.ts'

/** A row that can't be published: where it stands, what is wrong, what would fit. */
export interface BadRow {
  readonly file: string
  /** From 1, in that file. */
  readonly row: number
  readonly field: string
  readonly problem: string
}

export interface PackedRows {
  readonly rows: readonly PackedRow[]
  readonly rowsRead: number
  readonly badRows: number
  /** The first of them. */
  readonly badRowsShown: readonly BadRow[]
  /** Row keys or records too long for Redis' compact hashes; each makes its bucket more than twice as large. */
  readonly longRows: number
}

export interface PackOptions {
  readonly badRowsMax: number
  readonly onProgress: (rowsRead: number) => void
}

/** Validates and packs every row. Throws OperationError as soon as there are too many bad ones, showing the first. */
export async function packRows(
  source: RowSource,
  target: PublishTarget,
  options: PackOptions,
): Promise<PackedRows> {
  const packRow = compileRowPacker(source.columns, target)
  const places = new Map<string, string>()
  const rows: PackedRow[] = []
  const badRowsShown: BadRow[] = []
  let [rowsRead, badRows, longRows] = [0, 0, 0]
  for await (const batch of source.batches()) {
    for (const [index, values] of batch.rows.entries()) {
      const row = batch.firstRow + index
      const packed = packRow(values)
      const problem = 'rowKey' in packed ? duplicate(places, packed.rowKey, target.key) : packed
      if (problem !== null) {
        badRows++
        if (badRowsShown.length < limits.badRowsShownMax)
          badRowsShown.push({ file: batch.file, row, ...problem })
        // The rest is still read: people mend a file once, not row by row.
        continue
      }
      const { rowKey, packed: bytes } = packed as PackedRow
      places.set(rowKey, `${batch.file}:${row}`)
      if (isLong(rowKey, bytes)) longRows++
      rows.push({ rowKey, packed: bytes })
    }
    rowsRead += batch.rows.length
    options.onProgress(rowsRead)
  }
  if (badRows > options.badRowsMax) throw tooManyBadRows(badRows, rowsRead, badRowsShown, options.badRowsMax)
  if (rows.length === 0) throw new OperationError('there is no row to publish; nothing was written')
  return { rows, rowsRead, badRows, badRowsShown, longRows }
}

export function describeBadRow({ file, row, field, problem }: BadRow): string {
  return `${file}, row ${row}, ${field}: ${problem}`
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

type Problem = Pick<BadRow, 'field' | 'problem'>

function duplicate(
  places: ReadonlyMap<string, string>,
  rowKey: string,
  key: readonly KeyPart[],
): Problem | null {
  const place = places.get(rowKey)
  if (place === undefined) return null
  const field = key.map((part) => part.column).join(' + ')
  return {
    field,
    problem: `the row key ${JSON.stringify(rowKey)} stands already in ${place}; each may stand once`,
  }
}

function isLong(rowKey: string, packed: Uint8Array): boolean {
  const { listpackValueBytesMax } = limits
  return packed.length > listpackValueBytesMax || Buffer.byteLength(rowKey) > listpackValueBytesMax
}

/** Looks the columns up once. Throws OperationError naming every column that is missing or has no place. */
function compileRowPacker(
  columns: readonly string[],
  { key, record: schema, codec, modelId }: PublishTarget,
): (values: SourceRow) => PackedRow | Problem {
  const keyColumns = key.map((part) => ({ part, index: columns.indexOf(part.column) }))
  const isKey = new Set(key.map((part) => part.column))
  const fields = columns.flatMap((name, index) =>
    isKey.has(name) ? [] : [{ name, index, read: textReaderOf(schema[name]?.type) }],
  )
  checkColumns(columns, key, fieldsOf(schema), modelId)

  return (values) => {
    const parts: string[] = []
    for (const { part, index } of keyColumns) {
      const value = values[index]
      const text = rowKeyValue(value)
      if (text === null) return { field: part.column, problem: `${rowKeyValueFault(value)}` }
      if (part.source === 'query' && !parameterFits(text, part.accepts))
        return {
          field: part.column,
          problem: `${JSON.stringify(text)} can't be asked for; it must be ${parameterRule(part.accepts)}`,
        }
      parts.push(text)
    }
    const rowKey = joinRowKey(parts)
    const fault = rowKeyFault(rowKey)
    if (fault !== null)
      return { field: key.map((part) => part.column).join(' + '), problem: `the row key ${fault}` }
    const record: Record<string, unknown> = {}
    for (const { name, index, read } of fields) record[name] = read(values[index])
    try {
      return { rowKey, packed: codec.encode(record) }
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      return { field: error.field, problem: error.problem }
    }
  }
}

/** A file without types, such as CSV, gives numbers as text; what isn't one stays text, for the codec to refuse. */
function textReaderOf(type: string | undefined): (value: SourceValue | undefined) => unknown {
  switch (type) {
    case 'uint':
    case 'int':
    case 'fixed':
      return (value) => (typeof value === 'string' ? numberOf(value) : value)
    case 'bool':
      return (value) => (value === 'true' ? true : value === 'false' ? false : value)
    default:
      return (value) => value
  }
}

function numberOf(text: string): number | bigint | string {
  if (!/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text)) return text
  const number = Number(text)
  return /^-?[0-9]+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number
}

function fieldsOf(schema: RecordSchema): { readonly name: string; readonly required: boolean }[] {
  return Object.entries(schema).map(([name, field]) => ({
    name,
    required: field.optional !== true && field.default === undefined,
  }))
}

function checkColumns(
  columns: readonly string[],
  key: readonly KeyPart[],
  fields: readonly { readonly name: string; readonly required: boolean }[],
  modelId: string,
): void {
  const has = new Set(columns)
  const needed = [...key.map((part) => part.column), ...fields.flatMap((f) => (f.required ? [f.name] : []))]
  const missing = needed.filter((name) => !has.has(name))
  const known = new Set([...needed, ...fields.map((field) => field.name)])
  const extra = columns.filter((name) => !known.has(name))
  if (missing.length === 0 && extra.length === 0) return
  const problems = [
    ...missing.map((name) => `  column "${name}" is missing`),
    ...extra.map((name) => `  column "${name}" is neither part of the row key nor a field of the record`),
  ]
  throw new OperationError(
    `the columns (${columns.join(', ')}) do not fit model ${modelId}, which takes ${[...known].join(', ')}:\n` +
      `${problems.join('\n')}\n  reshape them with --sql 'SELECT … FROM input'`,
  )
}
