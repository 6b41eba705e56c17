import type { GateFinding } from '../domain/gates.ts'
import type { TenantState } from '../domain/tenant-state.ts'

/** One generation of a tenant's tables, as lists show it. */
export interface ListedTable {
  readonly model: string
  readonly version: string
  readonly generation: number
  readonly state: string
  readonly rows: number
  readonly bytes: number
  /** What Redis takes for it, by a sample. */
  readonly memoryBytes: number
  readonly buckets: number
  readonly contentHash: string
  /** RFC 3339, as all times here. */
  readonly publishedAt: string
  /** When it became active for the first time. */
  readonly activatedAt: string | null
  /** When it ceased to be active. */
  readonly lastActiveAt: string | null
  /** The gates that it failed. */
  readonly findings: readonly GateFinding[]
  readonly by: string
  readonly source: readonly string[]
}

/** Every generation that the catalog knows, by model, newest first. */
export function tableList(state: TenantState): ListedTable[] {
  return Object.entries(state.models).flatMap(([model, { generations }]) =>
    Object.entries(generations)
      .map(([generation, entry]) => ({
        model,
        version: entry.version,
        generation: Number(generation),
        state: entry.state,
        rows: entry.rows,
        bytes: entry.bytes,
        memoryBytes: entry.memoryBytes,
        buckets: entry.buckets,
        contentHash: entry.contentHash,
        publishedAt: entry.publishedAt,
        activatedAt: entry.activatedAt,
        lastActiveAt: entry.lastActiveAt,
        findings: entry.findings,
        by: entry.by,
        source: entry.source,
      }))
      .sort((a, b) => b.generation - a.generation),
  )
}
