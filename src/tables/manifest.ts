import { z } from 'zod'
import { manifestStates } from '../domain/generation-states.ts'
import { packedGeneration } from '../domain/tenant-state.ts'

/** A publish under way, or one that failed or died: what the catalog doesn't know of yet. */
export const manifestDocument = packedGeneration.extend({
  state: z.enum(manifestStates),
  /** RFC 3339, by the publisher's clock; when it is taken for dead is the lease's to say, by Redis' own. */
  startedAt: z.string(),
  heartbeatAt: z.string(),
  /** Why it failed. */
  problem: z.string().nullable(),
})

export type Manifest = z.infer<typeof manifestDocument>

/** Always the same text for the same manifest, whatever the order of its fields: writers compare it with what stands there. */
export function manifestText(manifest: Manifest): string {
  return JSON.stringify(manifestDocument.parse(manifest))
}
