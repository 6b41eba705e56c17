import { z } from 'zod'
import type { GenerationAddress, LeaseName, PublishTarget } from '../ports.ts'
import type { Shard } from './shard.ts'

/**
 * What the version's lease says while several processes publish it. All of them know this one text: whoever lives renews
 * it, and it names the generation for whoever joins.
 */
const runHold = z.strictObject({
  /** The generation's, under which its rows are written. */
  token: z.string(),
  /** Who began it. */
  by: z.string(),
  /** RFC 3339. */
  since: z.string(),
  run: z.strictObject({ id: z.string().nullable(), shards: z.int().min(1), expectedRows: z.int().min(1) }),
  /** Null while whoever began it makes its buckets. */
  generation: z.int().nullable(),
})

export type RunHold = z.infer<typeof runHold>

/** Null: one process publishes the version by itself. */
export function parseRunHold(text: string): RunHold | null {
  try {
    return runHold.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

export function isRunOf({ run }: RunHold, { count, expectedRows, runId }: Shard): boolean {
  return run.id === runId && run.shards === count && run.expectedRows === expectedRows
}

export function versionLease({ tenantId, modelId, versionId }: PublishTarget): LeaseName {
  return { lease: 'version', tenantId, modelId, versionId }
}

export function addressIn({ tenantId, modelId }: PublishTarget, generation: number): GenerationAddress {
  return { tenantId, modelId, generation }
}
