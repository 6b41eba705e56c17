import { z } from 'zod'
import { type Allocation, allocationDocument } from './allocation.ts'
import { type RecordSchema, recordSchemaDocument } from './codec/record-schema.ts'
import { limits } from './limits.ts'

/**
 * What only machines write of a tenant: salts, allocations with their histories, generations. It stands beside the
 * tenant's document in the catalog, under the same revision; no person edits it and no restore resets it.
 */

const generationState = z.strictObject({
  version: z.string(),
  state: z.enum(['active', 'previous']),
  /** Stands in every bucket's empty field. */
  token: z.string(),
  rows: z.int(),
  /** Row keys and packed records, without what Redis adds. */
  bytes: z.int(),
  buckets: z.int().min(1),
  recordRevision: z.int().min(1).max(limits.recordRevisionMax),
  /** RFC 3339. */
  publishedAt: z.string(),
  activatedAt: z.string(),
  by: z.string(),
  /** The files that it was made from, as the publisher named them. */
  source: z.array(z.string()),
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
})

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
