import type { TenantState } from '../domain/tenant-state.ts'

/** One generation of a tenant's tables, as lists show it. */
export interface ListedTable {
  readonly model: string
  readonly version: string
  readonly generation: number
  readonly state: string
  readonly rows: number
  readonly bytes: number
  readonly buckets: number
  /** RFC 3339. */
  readonly publishedAt: string
  readonly by: string
  readonly source: readonly string[]
}

/** Every generation that the catalog knows, by model, newest first. */
export function tableList(state: TenantState): ListedTable[] {
  return Object.entries(state.models).flatMap(([model, { generations }]) =>
    Object.entries(generations)
      .map(([generation, { version, state: stands, rows, bytes, buckets, publishedAt, by, source }]) => ({
        model,
        version,
        generation: Number(generation),
        state: stands,
        rows,
        bytes,
        buckets,
        publishedAt,
        by,
        source,
      }))
      .sort((a, b) => b.generation - a.generation),
  )
}
