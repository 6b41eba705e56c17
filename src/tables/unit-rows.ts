import { limits } from '../domain/limits.ts'
import { bucketOf, joinRowKey, splitRowKey } from '../domain/row-key.ts'
import type { PackedRow, TableStore } from './ports.ts'
import type { TableAt } from './retained-keys.ts'

/** What each part of a row key may be: the unit, one of these values, or anything (null). */
export type KeyLayout = readonly ('unit' | readonly string[] | null)[]

export interface UnitRow extends PackedRow {
  readonly bucket: number
}

export interface UnitRows {
  readonly rows: readonly UnitRow[]
  /** Buckets where rows might stand, and that are not there or hold another generation's token. */
  readonly damagedBuckets: number
}

/**
 * A unit's rows in one generation: by their keys where all of them can be named, or else by reading all buckets.
 *
 * @param layout null: it isn't known, and a row in whose key the unit stands anywhere counts as its own
 * @param within look only into these buckets
 */
export async function findUnitRows(
  store: TableStore,
  table: TableAt,
  layout: KeyLayout | null,
  unit: string,
  within: readonly number[] | null = null,
): Promise<UnitRows> {
  const named = within ?? (layout === null ? null : bucketsOfUnit(layout, unit, table.buckets))
  const found = await rowsIn(store, table, layout, unit, named ?? bucketsOf(table))
  // The model had another row key when this was published, as it may while it has no active table.
  if (within === null && named !== null && found.isForeign)
    return rowsIn(store, table, layout, unit, bucketsOf(table))
  return found
}

/** Null: there are more than buckets, or nobody can name them. */
function bucketsOfUnit(layout: KeyLayout, unit: string, buckets: number): readonly number[] | null {
  let keys: string[][] = [[]]
  for (const part of layout) {
    if (part === null) return null
    const values = part === 'unit' ? [unit] : part
    if (keys.length * values.length > buckets) return null
    keys = keys.flatMap((key) => values.map((value) => [...key, value]))
  }
  return [...new Set(keys.map((key) => bucketOf(joinRowKey(key), buckets)))]
}

function bucketsOf({ buckets }: TableAt): readonly number[] {
  return Array.from({ length: buckets }, (_, number) => number)
}

async function rowsIn(
  store: TableStore,
  { address, token }: TableAt,
  layout: KeyLayout | null,
  unit: string,
  numbers: readonly number[],
): Promise<UnitRows & { readonly isForeign: boolean }> {
  const rows: UnitRow[] = []
  let [damagedBuckets, isForeign] = [0, false]
  for (let first = 0; first < numbers.length; first += limits.bucketsPerTrip) {
    const trip = numbers.slice(first, first + limits.bucketsPerTrip)
    for (const [index, found] of (await store.readBuckets(address, token, trip)).entries()) {
      if (found === null) damagedBuckets++
      for (const { rowKey, packed } of found ?? []) {
        const parts = splitRowKey(rowKey)
        const isOfLayout = layout !== null && parts.length === layout.length
        if (!isOfLayout) isForeign = true
        const isOwn = isOfLayout
          ? parts.every((part, at) => layout[at] !== 'unit' || part === unit)
          : parts.includes(unit)
        if (isOwn) rows.push({ bucket: trip[index]!, rowKey, packed })
      }
    }
  }
  return { rows, damagedBuckets, isForeign }
}
