import { limits } from '../../domain/limits.ts'
import type { TableStatistics } from '../../domain/table-statistics.ts'
import { createContentHash } from '../content-hash.ts'
import { mergeStatistics } from '../merge-statistics.ts'
import type { RowCounts } from '../pack-rows.ts'
import type { ShardReport } from './shard-state.ts'

/** What all shards have together, as one process that read all their rows would have found it. */
export interface MergedReports {
  readonly rows: number
  readonly bytes: number
  readonly contentHash: string
  readonly recordRevision: number
  readonly statistics: TableStatistics
  readonly source: string[]
  readonly counts: RowCounts
}

export function mergeReports(reports: readonly ShardReport[]): MergedReports {
  const sum = (of: (report: ShardReport) => number) => reports.reduce((total, one) => total + of(one), 0)
  const content = createContentHash()
  for (const { contentHash } of reports) content.merge(contentHash)
  const sources = [...new Set(reports.flatMap(({ source }) => source))]
  const more = sources.length - limits.shardSourcesMax
  return {
    rows: content.rows,
    bytes: sum(({ bytes }) => bytes),
    contentHash: content.digest(),
    recordRevision: Math.max(...reports.map((report) => report.recordRevision)),
    statistics: mergeStatistics(reports.map(({ sums }) => sums)),
    source: [...sources.slice(0, limits.shardSourcesMax), ...(more > 0 ? [`and ${more} more`] : [])],
    counts: {
      rowsRead: sum(({ rowsRead }) => rowsRead),
      badRows: sum(({ badRows }) => badRows),
      badRowsShown: reports.flatMap(({ badRowsShown }) => badRowsShown).slice(0, limits.badRowsShownMax),
      longRows: sum(({ longRows }) => longRows),
    },
  }
}
