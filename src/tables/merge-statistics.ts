import { z } from 'zod'
import { limits } from '../domain/limits.ts'
import type { TableStatistics } from '../domain/table-statistics.ts'

/**
 * What means and shares are made of, so that those of several shards can be added up: pairs and triples, since a field or
 * a value may have any name.
 */
export const statisticsSums = z.strictObject({
  /** Those that fitted. */
  rows: z.int(),
  /** Field, sum of its numbers, how many there were. */
  means: z.array(z.tuple([z.string(), z.number(), z.int()])),
  /** Field, its values with their numbers of rows, the commonest `limits.shardEnumValuesMax`. */
  shares: z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.int()]))])),
})

export type StatisticsSums = z.infer<typeof statisticsSums>

/** Of all shards together, as one process that read all rows would have found them. */
export function mergeStatistics(parts: readonly StatisticsSums[]): TableStatistics {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const means = new Map<string, { sum: number; count: number }>()
  const shares = new Map<string, Map<string, number>>()
  for (const part of parts) {
    for (const [name, sum, count] of part.means) {
      const mean = means.get(name) ?? { sum: 0, count: 0 }
      means.set(name, { sum: mean.sum + sum, count: mean.count + count })
    }
    for (const [name, values] of part.shares) {
      const counts = shares.get(name) ?? new Map<string, number>()
      for (const [value, count] of values) counts.set(value, (counts.get(value) ?? 0) + count)
      shares.set(name, counts)
    }
  }
  return {
    means: Object.fromEntries(
      [...means].flatMap(([name, { sum, count }]) => (count === 0 ? [] : [[name, sum / count]])),
    ),
    shares: Object.fromEntries([...shares].map(([name, counts]) => [name, sharesOf(counts, rows)])),
  }
}

/** The commonest values with their shares of the rows. */
export function sharesOf(counts: ReadonlyMap<unknown, number>, rows: number): [string, number][] {
  return commonest(counts, limits.enumSharesMax).map(([value, count]) => [value, count / rows])
}

export function commonest(counts: ReadonlyMap<unknown, number>, valuesMax: number): [string, number][] {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, valuesMax)
    .map(([value, count]) => [String(value), count])
}
