import { z } from 'zod'
import { type Allocation, allocationDocument } from './allocation.ts'
import { type RecordSchema, recordSchemaDocument } from './codec/record-schema.ts'
import { gateFinding } from './gates.ts'
import { catalogStates } from './generation-states.ts'
import { limits } from './limits.ts'
import { tableStatistics } from './table-statistics.ts'

/**
 * What only machines write of a tenant: salts, allocations with their histories, generations. It stands beside the
 * tenant's document in the catalog, under the same revision; no person edits it and no restore resets it.
 */

/** What a publish knows of its generation before the first bucket is written, since all rows are packed first. */
export const packedGeneration = z.strictObject({
  version: z.string(),
  /** Stands in every bucket's empty field; the publish's fencing token, too. */
  token: z.string(),
  /** The same for the same rows in whatever order. */
  contentHash: z.string(),
  rows: z.int(),
  /** Row keys and packed records, without what Redis adds. */
  bytes: z.int(),
  /** What Redis takes for it: measured on a sample, or else an estimate. */
  memoryBytes: z.int(),
  buckets: z.int().min(1),
  recordRevision: z.int().min(1).max(limits.recordRevisionMax),
  by: z.string(),
  /** The files that it was made from, as the publisher named them. */
  source: z.array(z.string()),
  statistics: tableStatistics,
})

/** RFC 3339. */
const instant = z.string()

const generationState = packedGeneration.extend({
  state: z.enum(catalogStates),
  /** The last time: also the same content once more, or once more refused. */
  publishedAt: instant,
  /** When it became active for the first time. */
  activatedAt: instant.nullable(),
  /** When it ceased to be active; null while it is, and where it never was. */
  lastActiveAt: instant.nullable(),
  /** When it was rolled back from; no machine activates its content again. */
  quarantinedAt: instant.nullable(),
  collectedAt: instant.nullable(),
  /** The gates that it failed. */
  findings: z.array(gateFinding).max(limits.gateFindingsMax),
  /** Erasures under way, by their salted hash: `rows`, `bytes` and `contentHash` are without their rows already. */
  erasing: z.array(z.string()).optional(),
})

const modelState = z.strictObject({
  salt: z.string().min(1),
  /** The newest record schema that was ever live; schemas only grow, also across a restore. */
  record: recordSchemaDocument,
  /** Oldest to newest; the last is today's. */
  allocations: z.array(allocationDocument).min(1).max(limits.allocationHistoryMax),
  generations: z.record(z.string(), generationState),
  /** Versions that once were and are gone: their ids are never used again. */
  retiredVersions: z.array(z.string()),
})

export const tenantState = z.strictObject({
  models: z.record(z.string(), modelState),
  /** Models that once were and are gone: their ids are never used again. */
  retiredModels: z.array(z.string()),
  /** Raised whenever a unit's rows were erased: copies of rows that were made before may hold them. */
  erasures: z.int().min(0).default(0),
})

export type PackedGeneration = z.infer<typeof packedGeneration>
export type GenerationState = z.infer<typeof generationState>
export interface ModelState {
  readonly salt: string
  readonly record: RecordSchema
  readonly allocations: readonly Allocation[]
  readonly generations: Readonly<Record<string, GenerationState>>
  readonly retiredVersions: readonly string[]
}
export interface TenantState {
  readonly models: Readonly<Record<string, ModelState>>
  readonly retiredModels: readonly string[]
  readonly erasures: number
}

/** The generation that a version serves from, or null where none was ever activated. */
export function activeGeneration(
  state: ModelState,
  versionId: string,
): { readonly generation: number; readonly entry: GenerationState } | null {
  for (const [generation, entry] of Object.entries(state.generations))
    if (entry.version === versionId && entry.state === 'active')
      return { generation: Number(generation), entry }
  return null
}

/** Of those that a version served from before, the one that was active last; none that was rolled back from. */
export function newestPrevious(
  generations: Readonly<Record<string, GenerationState>>,
  versionId: string,
): { readonly generation: number; readonly entry: GenerationState } | null {
  const previous = Object.entries(generations)
    .map(([number, entry]) => ({ generation: Number(number), entry }))
    .filter(({ entry }) => entry.version === versionId && entry.state === 'previous')
  const leftAt = (entry: GenerationState) => Date.parse(entry.lastActiveAt ?? entry.publishedAt)
  return previous.sort((a, b) => leftAt(b.entry) - leftAt(a.entry) || b.generation - a.generation)[0] ?? null
}
