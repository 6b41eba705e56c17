import {
  type DuckDBArrayType,
  type DuckDBArrayVector,
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
import type { SourceValue } from '../tables/ports.ts'
import { shortestFloat32 } from './float32.ts'

/** Reads `count` items of a vector from `start` on. One is compiled for a column's type, and serves all its chunks. */
export type VectorReader = (vector: DuckDBVector, start: number, count: number) => SourceValue[]

/**
 * @param where Names file and column in errors, e.g. `players.parquet: column "games"`.
 * @throws OperationError for a type that has no plain value; the reader throws one for a value that has none.
 */
export function compileReader(type: DuckDBType, where: string): VectorReader {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.DOUBLE:
    case DuckDBTypeId.ENUM:
      return readPlain
    case DuckDBTypeId.VARCHAR:
      return type.alias === 'JSON' ? convertEach<string>(parseJson) : readPlain
    case DuckDBTypeId.BIGINT:
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
      // RFC 3339 wants a time. Midnight UTC fits the codec's timestamps, the likeliest use of a date; a string field
      // gets 'YYYY-MM-DD' from a CSV text column, or by CAST(day AS VARCHAR) in SQL.
      return readTimes<DuckDBDateValue>(({ days }) => days * 86_400_000, where)
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return readTimes<DuckDBTimestampValue>(({ micros }) => floorToMs(micros, 1_000n), where)
    case DuckDBTypeId.TIMESTAMP_S:
      return readTimes<DuckDBTimestampSecondsValue>(({ seconds }) => Number(seconds) * 1e3, where)
    case DuckDBTypeId.TIMESTAMP_MS:
      return readTimes<DuckDBTimestampMillisecondsValue>(({ millis }) => Number(millis), where)
    case DuckDBTypeId.TIMESTAMP_NS:
      return readTimes<DuckDBTimestampNanosecondsValue>(({ nanos }) => floorToMs(nanos, 1_000_000n), where)
    case DuckDBTypeId.LIST:
      return readLists((type as DuckDBListType).valueType, where)
    case DuckDBTypeId.ARRAY:
      return readArrays(type as DuckDBArrayType, where)
    case DuckDBTypeId.STRUCT:
      return readStructs(type as DuckDBStructType, where)
    default:
      throw new OperationError(
        `${where} has the type ${type}, which has no plain value; reshape it with --sql`,
      )
  }
}

function readPlain(vector: DuckDBVector, start: number, count: number): SourceValue[] {
  const values: SourceValue[] = []
  for (let item = start; item < start + count; item++) values.push(vector.getItem(item) as SourceValue)
  return values
}

/** `Item` is what the vector's `getItem` gives for a valid item. */
function convertEach<Item>(convert: (item: Item) => SourceValue): VectorReader {
  return (vector, start, count) => {
    const values: SourceValue[] = []
    for (let item = start; item < start + count; item++) {
      const value = vector.getItem(item)
      values.push(value === null ? null : convert(value as Item))
    }
    return values
  }
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

/** RFC 3339 text in UTC, `2024-01-02T03:04:05Z`, with milliseconds when there are any; finer parts are cut off. */
function readTimes<Time extends DuckDBValue>(toMs: (time: Time) => number, where: string): VectorReader {
  return convertEach<Time>((time) => {
    const ms = toMs(time)
    if (!(ms >= yearZeroMs && ms < yearTenThousandMs)) {
      throw new OperationError(
        `${where} holds ${time}, outside the years 0000 to 9999 that RFC 3339 can express`,
      )
    }
    return new Date(ms).toISOString().replace('.000Z', 'Z')
  })
}

/*
 * The vectors of lists and arrays publish neither which items are NULL nor (arrays) their items without a copy;
 * both are TypeScript-private fields, and element access to them is still checked by tsc.
 */

function readLists(itemType: DuckDBType, where: string): VectorReader {
  const readItems = compileReader(itemType, where)
  return (vector, start, count) => {
    const list = vector as DuckDBListVector
    const validity = list['validity']
    const values: SourceValue[] = []
    for (let row = start; row < start + count; row++) {
      values.push(
        validity.itemValid(row)
          ? readItems(list.childVector, list.getEntryOffset(row), list.getEntryLength(row))
          : null,
      )
    }
    return values
  }
}

function readArrays({ valueType, length }: DuckDBArrayType, where: string): VectorReader {
  const readItems = compileReader(valueType, where)
  return (vector, start, count) => {
    const array = vector as DuckDBArrayVector
    const validity = array['validity']
    const values: SourceValue[] = []
    for (let row = start; row < start + count; row++) {
      values.push(validity.itemValid(row) ? readItems(array['childData'], row * length, length) : null)
    }
    return values
  }
}

function readStructs({ entryNames, entryTypes }: DuckDBStructType, where: string): VectorReader {
  const readers = entryTypes.map((type) => compileReader(type, where))
  return (vector, start, count) => {
    const struct = vector as DuckDBStructVector
    const fields = readers.map((read, index) => read(struct.entryVectorAt(index), start, count))
    const values: SourceValue[] = []
    for (let row = 0; row < count; row++) {
      values.push(
        struct.isItemValid(start + row)
          ? // fromEntries, because assigning to a field named __proto__ would change the object instead.
            Object.fromEntries(entryNames.map((name, index) => [name, fields[index]?.[row] ?? null]))
          : null,
      )
    }
    return values
  }
}
