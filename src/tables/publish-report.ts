import type { GateFinding } from '../domain/gates.ts'
import type { PackedGeneration } from '../domain/tenant-state.ts'
import type { BadRow, RowCounts } from './pack-rows.ts'

/**
 * `activated`: it is served. `unchanged`: the active generation has the same content, and stays. `refused`: it is loaded,
 * and what was served stays served.
 */
type PublishOutcome = 'activated' | 'unchanged' | 'refused'

export interface PublishReport {
  readonly outcome: PublishOutcome
  /** The one that was loaded; where nothing was, the one that has the content already. */
  readonly generation: number
  readonly rows: number
  readonly bytes: number
  readonly memoryBytes: number
  readonly buckets: number
  readonly contentHash: string
  readonly badRows: number
  readonly badRowsShown: readonly BadRow[]
  readonly longRows: number
  /** Where it was refused: the gates that it failed. */
  readonly failedGates: readonly GateFinding[]
  /** Where it was refused: a generation with the same content was rolled back from. */
  readonly quarantined: boolean
  readonly warnings: readonly string[]
  readonly catalogRevision: number
}

export function reportOf(
  generation: number,
  { rows, bytes, memoryBytes, buckets, contentHash }: PackedGeneration,
  { badRows, badRowsShown, longRows }: RowCounts,
): Omit<PublishReport, 'outcome' | 'catalogRevision'> {
  return {
    generation,
    rows,
    bytes,
    memoryBytes,
    buckets,
    contentHash,
    badRows,
    badRowsShown,
    longRows,
    failedGates: [],
    quarantined: false,
    warnings: [],
  }
}
