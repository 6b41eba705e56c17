import {
  type DuckDBArrayType,
  type DuckDBArrayVector,
  type DuckDBBigIntVector,
  type DuckDBDateValue,
  type DuckDBListType,
  type DuckDBListVector,
  type DuckDBStructType,
  type DuckDBStructVector,
  type DuckDBTimestampMillisecondsValue,
  type DuckDBTimestampNanosecondsValue,
  type DuckDBTimestampSecondsValue,
  type DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api'
import { OperationError } from '../domain/errors.ts'
import type { SourceColumn, SourceValue } from '../tables/ports.ts'
import { shortestFloat32 } from './float32.ts'

/** Gives a vector's values by their place. One is compiled for a column's type, and serves all its chunks. */
export type ColumnReader = (vector: DuckDBVector) => SourceColumn

/**
 * @param where Names file and column in errors, e.g. `players.parquet: column "games"`.
 * @throws OperationError for a type that has no plain value; a column throws one for a value that has none.
 */
export function compileColumn(type: DuckDBType, where: string): ColumnReader {
  return compile(type, where, false)
}

/**
 * `isKept`: whether a value must outlast the next one, as the items of a list must. Elsewhere lists and dates are
 * filled anew for each row: 1 M rows with two lists of five and a time took 0.9 s with objects of their own, 0.4
 * without.
 */
function compile(type: DuckDBType, where: string, isKept: boolean): ColumnReader {
  switch (type.typeId) {
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.DOUBLE:
      return readNumbers
    case DuckDBTypeId.BOOLEAN:
    case DuckDBTypeId.ENUM:
      return readPlain
    case DuckDBTypeId.VARCHAR:
      return type.alias === 'JSON' ? convertEach<string>(parseJson) : readPlain
    case DuckDBTypeId.BIGINT:
      return readBigInts
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return convertEach<bigint>(safeNumberOrBigint)
    case DuckDBTypeId.FLOAT:
      return convertEach<number>(shortestFloat32)
    case DuckDBTypeId.DECIMAL:
      return convertEach<DuckDBValue>(Number)
    case DuckDBTypeId.UUID:
      return convertEach<DuckDBValue>(String)
    case DuckDBTypeId.BLOB:
      return convertEach<{ bytes: Uint8Array }>(({ bytes }) => Uint8Array.from(bytes))
    case DuckDBTypeId.DATE:
      // A date is an instant like every other: midnight UTC fits the codec's timestamps, its likeliest use. A string
      // field gets 'YYYY-MM-DD' from a CSV text column, or by CAST(day AS VARCHAR) in SQL.
      return readTimes<DuckDBDateValue>(({ days }) => days * 86_400_000, where, isKept)
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return readTimes<DuckDBTimestampValue>(({ micros }) => floorToMs(micros, 1_000n), where, isKept)
    case DuckDBTypeId.TIMESTAMP_S:
      return readTimes<DuckDBTimestampSecondsValue>(({ seconds }) => Number(seconds) * 1e3, where, isKept)
    case DuckDBTypeId.TIMESTAMP_MS:
      return readTimes<DuckDBTimestampMillisecondsValue>(({ millis }) => Number(millis), where, isKept)
    case DuckDBTypeId.TIMESTAMP_NS:
      return readTimes<DuckDBTimestampNanosecondsValue>(
        ({ nanos }) => floorToMs(nanos, 1_000_000n),
        where,
        isKept,
      )
    case DuckDBTypeId.LIST:
      return readLists((type as DuckDBListType).valueType, where, isKept)
    case DuckDBTypeId.ARRAY:
      return readArrays(type as DuckDBArrayType, where, isKept)
    case DuckDBTypeId.STRUCT:
      return readStructs(type as DuckDBStructType, where)
    default:
      throw new OperationError(
        `${where} has the type ${type}, which has no plain value; reshape it with --sql`,
      )
  }
}

/** Vectors of numbers have them side by side, and publish neither them nor which are NULL: see the note on lists. */
interface NumberVector {
  readonly items: ArrayLike<number>
  readonly validity: { readonly data: unknown; itemValid(item: number): boolean }
}

function readNumbers(vector: DuckDBVector): SourceColumn {
  const { items, validity } = vector as unknown as NumberVector
  if (validity.data === null) return { at: (item) => items[item]! }
  return { at: (item) => (validity.itemValid(item) ? items[item]! : null) }
}

function readBigInts(vector: DuckDBVector): SourceColumn {
  const { items, validity } = vector as unknown as Pick<NumberVector, 'validity'> & { items: BigInt64Array }
  // Two halves are read in a tenth of the time that a bigint takes; DuckDB runs on little-endian machines only.
  const low = new Uint32Array(items.buffer, items.byteOffset, items.length * 2)
  const high = new Int32Array(items.buffer, items.byteOffset, items.length * 2)
  const isComplete = validity.data === null
  return {
    at(item) {
      if (!isComplete && !validity.itemValid(item)) return null
      const number = high[item * 2 + 1]! * 0x1_0000_0000 + low[item * 2]!
      return Number.isSafeInteger(number) ? number : (vector as DuckDBBigIntVector).getItem(item)!
    },
  }
}

function readPlain(vector: DuckDBVector): SourceColumn {
  return { at: (item) => vector.getItem(item) as SourceValue }
}

/** `Item` is what the vector's `getItem` gives for a valid item. */
function convertEach<Item>(convert: (item: Item) => SourceValue): ColumnReader {
  return (vector) => ({
    at(item) {
      const value = vector.getItem(item)
      return value === null ? null : convert(value as Item)
    },
  })
}

function safeNumberOrBigint(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** JSON as it stands; an integer that a double would round becomes a bigint, told by its source text (ES2026). */
function parseJson(text: string): SourceValue {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  return JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '')
      ? safeNumberOrBigint(BigInt(context?.source ?? 0))
      : value,
  )
}

const yearZeroMs = Date.parse('0000-01-01T00:00:00Z')
const yearTenThousandMs = Date.UTC(10_000, 0)

/** Whole milliseconds, rounded down; bigints, because microseconds after the year 2255 pass 2^53. */
function floorToMs(time: bigint, unitsPerMs: bigint): number {
  return Number(time / unitsPerMs) - (time < 0n && time % unitsPerMs !== 0n ? 1 : 0)
}

/** Instants with their milliseconds; finer parts are cut off. */
function readTimes<Time extends DuckDBValue>(
  toMs: (time: Time) => number,
  where: string,
  isKept: boolean,
): ColumnReader {
  const reused = new Date(0)
  return convertEach<Time>((time) => {
    const ms = toMs(time)
    if (!(ms >= yearZeroMs && ms < yearTenThousandMs)) {
      throw new OperationError(
        `${where} holds ${time}, outside the years 0000 to 9999 that RFC 3339 can express`,
      )
    }
    if (isKept) return new Date(ms)
    reused.setTime(ms)
    return reused
  })
}

/*
 * The vectors of lists and arrays publish neither which items are NULL nor (arrays) their items without a copy;
 * both are TypeScript-private fields, and element access to them is still checked by tsc.
 */

function readLists(itemType: DuckDBType, where: string, isKept: boolean): ColumnReader {
  const readItems = compile(itemType, where, true)
  const reused: SourceValue[] = []
  return (vector) => {
    const list = vector as DuckDBListVector
    const validity = list['validity']
    const entries = list['entryData']
    // Offset and length of each row, 64 bits each, of which a chunk needs the lower halves.
    const halves = new Uint32Array(entries.buffer, entries.byteOffset, entries.length * 2)
    const items = readItems(list.childVector)
    return {
      at(row) {
        if (!validity.itemValid(row)) return null
        return itemsOf(items, halves[row * 4]!, halves[row * 4 + 2]!, isKept ? [] : reused)
      },
    }
  }
}

function readArrays({ valueType, length }: DuckDBArrayType, where: string, isKept: boolean): ColumnReader {
  const readItems = compile(valueType, where, true)
  const reused: SourceValue[] = []
  return (vector) => {
    const array = vector as DuckDBArrayVector
    const validity = array['validity']
    const items = readItems(array['childData'])
    return {
      at: (row) =>
        validity.itemValid(row) ? itemsOf(items, row * length, length, isKept ? [] : reused) : null,
    }
  }
}

function itemsOf(items: SourceColumn, first: number, count: number, values: SourceValue[]): SourceValue[] {
  values.length = count
  for (let index = 0; index < count; index++) values[index] = items.at(first + index)
  return values
}

function readStructs({ entryNames, entryTypes }: DuckDBStructType, where: string): ColumnReader {
  const readers = entryTypes.map((type) => compile(type, where, true))
  return (vector) => {
    const struct = vector as DuckDBStructVector
    const fields = readers.map((read, index) => read(struct.entryVectorAt(index)))
    return {
      at: (row) =>
        struct.isItemValid(row)
          ? // fromEntries, because assigning to a field named __proto__ would change the object instead.
            Object.fromEntries(entryNames.map((name, index) => [name, fields[index]?.at(row) ?? null]))
          : null,
    }
  }
}
