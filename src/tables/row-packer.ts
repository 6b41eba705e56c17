import { BitWriter } from '../domain/codec/bits.ts'
import { CodecError } from '../domain/codec/codec.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { parameterFits, parameterRule } from '../domain/parameter.ts'
import { joinRowKey, rowKeyFault, rowKeyValue, rowKeyValueFault } from '../domain/row-key.ts'
import type { KeyPart } from '../domain/snapshot.ts'
import type { TableStatistics } from '../domain/table-statistics.ts'
import { createColumnStatistics } from './column-statistics.ts'
import type { StatisticsSums } from './merge-statistics.ts'
import type { PublishTarget, RowBatch, SourceColumn, SourceValue } from './ports.ts'

/** What keeps a row out of a table: the field at fault, what is wrong, what would fit. */
export interface RowProblem {
  readonly field: string
  readonly problem: string
}

/** Packs one row after the other into memory of its own. */
export interface RowPacker {
  /** The packed row's key, as UTF-8. */
  readonly key: Uint8Array
  readonly keyBytes: number
  /** The packed row's record; whoever takes it empties it. */
  readonly record: BitWriter
  /** From now on rows are of this batch. */
  begin(batch: RowBatch): void
  /** Packs a row of the batch, from 0. Null: `key` and `record` hold it. */
  pack(row: number): RowProblem | null
  /** Of all rows that were packed. */
  statistics(): TableStatistics
  /** What statistics of several shards are made of. */
  sums(): StatisticsSums
}

/** Looks the columns up once. Throws OperationError naming every column that is missing or has no place. */
export function compileRowPacker(
  columns: readonly string[],
  { key, record: schema, codec, modelId }: PublishTarget,
): RowPacker {
  checkColumns(columns, key, fieldsOf(schema), modelId)
  const keyColumns = key.map((part) => ({ part, index: columns.indexOf(part.column) }))
  const isKey = new Set(key.map((part) => part.column))
  const fields = columns.flatMap((name, index) =>
    isKey.has(name) ? [] : [{ name, index, read: plainReaderOf(schema[name]?.type) }],
  )
  const keyName = key.map((part) => part.column).join(' + ')
  const write = codec.columnsWriter(fields.map(({ name }) => name))
  const values: unknown[] = fields.map(() => null)
  const statistics = createColumnStatistics(
    schema,
    fields.map(({ name }) => name),
  )
  const keyText = new Uint8Array(limits.rowKeyBytesMax)
  const writer = new BitWriter(Math.min(codec.bytesMax, limits.listpackValueBytesMax))
  let source: readonly SourceColumn[] = []
  let keyBytes = 0

  const [onlyKey] = keyColumns.length === 1 && keyColumns[0]!.part.source === 'claim' ? keyColumns : []

  function packKey(row: number): RowProblem | null {
    if (onlyKey !== undefined) {
      const value = source[onlyKey.index]!.at(row)
      // Most keys are one number: its digits need no text.
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
        keyBytes = writeDigits(value, keyText)
        return null
      }
    }
    const parts: string[] = []
    for (const { part, index } of keyColumns) {
      const value = textOfDate(source[index]!.at(row))
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
    if (fault !== null) return { field: keyName, problem: `the row key ${fault}` }
    keyBytes = writeText(rowKey, keyText)
    return null
  }

  return {
    key: keyText,
    get keyBytes() {
      return keyBytes
    },
    record: writer,
    begin(batch) {
      source = batch.columns
    },
    pack(row) {
      const problem = packKey(row)
      if (problem !== null) return problem
      for (let field = 0; field < fields.length; field++) {
        const { index, read } = fields[field]!
        const value = source[index]!.at(row)
        values[field] = read === null ? value : read(value)
      }
      try {
        write(writer, values)
        statistics.add(values)
        return null
      } catch (error) {
        writer.clear()
        if (!(error instanceof CodecError)) throw error
        return { field: error.field, problem: error.problem }
      }
    },
    statistics: statistics.finish,
    sums: statistics.sums,
  }
}

const encoder = new TextEncoder()

/** UTF-8 into `target`, which has room; answers how many bytes. Most row keys are ASCII, which takes no encoder. */
function writeText(text: string, target: Uint8Array): number {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return encoder.encodeInto(text, target).written
    target[index] = unit
  }
  return text.length
}

const billion = 1e9

/** A whole number from 0 in decimal; answers how many digits. */
function writeDigits(value: number, target: Uint8Array): number {
  const high = Math.floor(value / billion)
  let digits = high === 0 ? 0 : writeDigits(high, target)
  const low = value - high * billion
  let count = 9
  if (high === 0) for (count = 1; low >= powersOfTen[count]!; ) count++
  digits += count
  for (let rest = low | 0, index = digits - 1; count > 0; count--, index--) {
    const next = (rest / 10) | 0
    target[index] = 48 + rest - next * 10
    rest = next
  }
  return digits
}

const powersOfTen = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

/** Row keys and text fields know an instant as RFC 3339 text in UTC, with milliseconds where there are any. */
function textOfDate(value: SourceValue): SourceValue {
  return value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : value
}

/**
 * A file without types, such as CSV, gives numbers as text; what isn't one stays text, for the codec to refuse. Null
 * where values are what the codec takes already.
 */
function plainReaderOf(type: string | undefined): ((value: SourceValue) => unknown) | null {
  switch (type) {
    case 'uint':
    case 'int':
    case 'fixed':
      return (value) => (typeof value === 'string' ? numberOf(value) : value)
    case 'bool':
      return (value) => (value === 'true' ? true : value === 'false' ? false : value)
    case 'string':
    case 'enum':
      return textOfDate
    default:
      return null
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
