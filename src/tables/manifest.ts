import { z } from 'zod'
import { manifestStates } from '../domain/generation-states.ts'
import { packedGeneration } from '../domain/tenant-state.ts'

/** How a run of several processes ended; `failed`: nothing was activated, and what was loaded is taken away. */
export const runEnd = z.strictObject({
  outcome: z.enum(['activated', 'unchanged', 'refused', 'failed']),
  generation: z.int(),
  /** Why, where it isn't served. */
  problem: z.string().nullable(),
})

export type RunEnd = z.infer<typeof runEnd>

/** A publish under way, or one that failed or died: what the catalog doesn't know of yet. */
export const manifestDocument = packedGeneration.extend({
  state: z.enum(manifestStates),
  /** RFC 3339, by the publisher's clock; when it is taken for dead is the lease's to say, by Redis' own. */
  startedAt: z.string(),
  heartbeatAt: z.string(),
  /** Why it failed. */
  problem: z.string().nullable(),
  /** Where several processes load it. */
  run: z
    .strictObject({
      id: z.string().nullable(),
      shards: z.int().min(1),
      expectedRows: z.int().min(1),
      /** Stands in every bucket once all shards are loaded. `token`, under which they write, opens none from then on. */
      sealedToken: z.string(),
      /** How many processes began to verify and activate it, of which the last one may. */
      finishers: z.int(),
      /** What came of it, once that is certain and nothing was activated. */
      end: runEnd.nullable(),
    })
    .optional(),
})

export type Manifest = z.infer<typeof manifestDocument>

/** Always the same text for the same manifest, whatever the order of its fields: writers compare it with what stands there. */
export function manifestText(manifest: Manifest): string {
  return JSON.stringify(manifestDocument.parse(manifest))
}
