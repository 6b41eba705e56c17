import type { GenerationState, ModelState } from '../domain/tenant-state.ts'
import type { Candidate } from './load-generation.ts'
import type { PublishTarget, TableStore } from './ports.ts'
import { isThere } from './verify.ts'

interface Generation {
  readonly generation: number
  readonly entry: GenerationState
}

/** A table that was lost in Redis is no reason not to load it again. */
export async function hasContent(
  store: TableStore,
  { tenantId, modelId }: PublishTarget,
  { generation, entry }: Generation,
  contentHash: string,
): Promise<boolean> {
  // An erasure that was cut off has counted rows out that may still be there: a fresh table is without them.
  if (entry.erasing !== undefined && entry.erasing.length > 0) return false
  return entry.contentHash === contentHash && (await isThere(store, { tenantId, modelId, generation }, entry))
}

/** The same content that was loaded and refused before: it needs no second copy for each time that a job tries again. */
export async function standingGeneration(
  store: TableStore,
  target: PublishTarget,
  model: ModelState,
  contentHash: string,
): Promise<Candidate | null> {
  const { tenantId, modelId, versionId } = target
  for (const [number, entry] of Object.entries(model.generations)) {
    if (entry.version !== versionId || entry.state !== 'loaded') continue
    const generation = Number(number)
    if (!(await hasContent(store, target, { generation, entry }, contentHash))) continue
    return {
      address: { tenantId, modelId, generation },
      entry,
      publication: null,
      warnings: [],
      leaveOutErased: null,
    }
  }
  return null
}
