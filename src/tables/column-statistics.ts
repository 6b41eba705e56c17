import type { RecordField } from '../domain/codec/record-field.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import { limits } from '../domain/limits.ts'
import type { TableStatistics } from '../domain/table-statistics.ts'
import { commonest, type StatisticsSums, sharesOf } from './merge-statistics.ts'

/** What the gates compare, gathered while rows are packed: some 2 % of the time that packing takes. */
export interface ColumnStatistics {
  /** One row that fitted: one value a column, in their order. */
  add(values: readonly unknown[]): void
  finish(): TableStatistics
  /** What statistics of several shards are made of together. */
  sums(): StatisticsSums
}

interface Mean {
  readonly name: string
  readonly column: number
  readonly isList: boolean
  readonly standIn: unknown
  sum: number
  count: number
}

interface Shares {
  readonly name: string
  readonly column: number
  readonly standIn: unknown
  readonly counts: Map<unknown, number>
}

/** `names` are those of the columns, each a field of the schema; fields without one have nothing to compare. */
export function createColumnStatistics(schema: RecordSchema, names: readonly string[]): ColumnStatistics {
  const means: Mean[] = []
  const shares: Shares[] = []
  for (const [column, name] of names.entries()) {
    const field = schema[name]
    if (field === undefined) continue
    const standIn = field.default ?? null
    if (isNumeric(field)) means.push({ name, column, isList: false, standIn, sum: 0, count: 0 })
    else if (field.type === 'list' && isNumeric(field.items))
      means.push({ name, column, isList: true, standIn, sum: 0, count: 0 })
    else if (field.type === 'enum' || field.type === 'bool')
      shares.push({ name, column, standIn, counts: new Map() })
  }
  let rows = 0
  return {
    add(values) {
      rows++
      for (const mean of means) {
        const value = values[mean.column] ?? mean.standIn
        if (value === null) continue
        if (mean.isList) addAll(mean, value as readonly unknown[])
        else {
          mean.sum += Number(value)
          mean.count++
        }
      }
      for (const { column, standIn, counts } of shares) {
        const value = values[column] ?? standIn
        if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
      }
    },
    finish: () => ({
      means: Object.fromEntries(
        means.flatMap(({ name, sum, count }) => (count === 0 ? [] : [[name, sum / count]])),
      ),
      shares: Object.fromEntries(shares.map(({ name, counts }) => [name, sharesOf(counts, rows)])),
    }),
    sums: () => ({
      rows,
      means: means.map(({ name, sum, count }) => [name, sum, count]),
      shares: shares.map(({ name, counts }) => [name, commonest(counts, limits.shardEnumValuesMax)]),
    }),
  }
}

function isNumeric({ type }: RecordField): boolean {
  return type === 'uint' || type === 'int' || type === 'fixed'
}

function addAll(mean: Mean, items: readonly unknown[]): void {
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    if (item === null || item === undefined) continue
    mean.sum += Number(item)
    mean.count++
  }
}
