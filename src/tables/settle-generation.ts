import { FaultsError, OperationError } from '../domain/errors.ts'
import type { GateFinding } from '../domain/gates.ts'
import { loadedEntry, moveGeneration, withGenerations } from '../domain/generation-moves.ts'
import { limits } from '../domain/limits.ts'
import { activeGeneration, type ModelState, type PackedGeneration } from '../domain/tenant-state.ts'
import { failedGates } from './gates.ts'
import type { Candidate } from './load-generation.ts'
import type { RowCounts } from './pack-rows.ts'
import type { LiveTables, PublishTarget, TableStore, TablesChange } from './ports.ts'
import { type PublishReport, reportOf } from './publish-report.ts'
import type { PublishRequest, PublishServices } from './publish-request.ts'
import { sampleRetainedKeys } from './retained-keys.ts'
import { targetModel } from './target-model.ts'

/** Active, or loaded and refused: in one catalog change, whoever else changes the tenant meanwhile. */
export async function settleGeneration(
  { store, catalog, now }: PublishServices,
  { target }: Pick<PublishRequest, 'target'>,
  packed: RowCounts,
  candidate: Candidate,
): Promise<PublishReport> {
  const { address, publication } = candidate
  const { tenantId } = target
  let { entry } = candidate
  let failed: readonly GateFinding[] = []
  let quarantined = false
  /** A change was given to the catalog, whose answer isn't there. */
  let isOpen = false
  try {
    const model = targetModel(await catalog.read(tenantId), target)
    failed = await judge(store, model, target, packed, candidate)
    const warnings = [...candidate.warnings, ...(await replicationWarnings(store))]
    const catalogRevision = await catalog.change(tenantId, async (live) => {
      isOpen = false
      const latest = targetModel(live, target)
      // After the catalog was read: whoever takes the generation away changes the catalog first.
      await publication?.beat()
      // Of one that stood there already an erasure may have changed the content.
      if (publication === null) entry = latest.generations[address.generation] ?? entry
      // And whoever erases a player suppresses him before it changes the catalog.
      entry = { ...entry, ...(await candidate.leaveOutErased?.(entry)) }
      quarantined = isQuarantined(latest, entry)
      const change = settled(
        live,
        target,
        { ...candidate, entry },
        quarantined ? null : failed,
        now().toISOString(),
      )
      isOpen = change !== null
      return change
    })
    const outcome = failed.length > 0 || quarantined ? 'refused' : 'activated'
    // The catalog knows it: a manifest that stays behind doesn't make the publish a failed one.
    if (publication !== null) await store.removeManifest(address).catch(() => undefined)
    const described = reportOf(address.generation, entry, packed)
    return { ...described, outcome, failedGates: failed, quarantined, warnings, catalogRevision }
  } catch (error) {
    // After a broken connection the generation may be active, and must stay; a refusal is certain.
    const isCertain =
      !isOpen || error instanceof OperationError || error instanceof FaultsError || isOutOfMemory(error)
    if (publication !== null && isCertain) await publication.abandon(error as Error)
    throw error
  }
}

/** Redis carries out nothing of a script that may write, where it is full. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('OOM ')
}

async function judge(
  store: TableStore,
  model: ModelState,
  { tenantId, modelId, versionId, gates, record }: PublishTarget,
  { rowsRead, badRows }: RowCounts,
  { address, entry }: Candidate,
): Promise<readonly GateFinding[]> {
  const active = activeGeneration(model, versionId)
  const { rows, bytes, statistics } = entry
  const measured = { record, rows, bytes, rowsRead, badRows, statistics }
  if (active === null) return failedGates(gates, { ...measured, previous: null })
  const before = { ...active.entry, address: { tenantId, modelId, generation: active.generation } }
  const retainedKeys = await sampleRetainedKeys(store, before, { ...entry, address })
  const previous = { rows: before.rows, statistics: before.statistics, retainedKeys }
  return failedGates(gates, { ...measured, previous })
}

async function replicationWarnings(store: TableStore): Promise<string[]> {
  const { replicas, missing } = await store.replicated(limits.replicasWaitMs)
  if (missing === 0) return []
  return [
    `${missing} of ${replicas} replicas lacked rows ${limits.replicasWaitMs / 1000} s after they were written; ` +
      'a failover now would lose them',
  ]
}

function isQuarantined({ generations }: ModelState, { version, contentHash }: PackedGeneration): boolean {
  return Object.values(generations).some(
    (other) => other.version === version && other.quarantinedAt !== null && other.contentHash === contentHash,
  )
}

/** `failed` is null where the content is quarantined. */
function settled(
  { state }: LiveTables,
  { modelId, versionId }: PublishTarget,
  { address, entry, publication }: Candidate,
  failed: readonly GateFinding[] | null,
  at: string,
): TablesChange | null {
  const { generation } = address
  const name = `generation ${generation} of ${modelId}/${versionId}`
  const model = state.models[modelId]!
  const standing = model.generations[generation]
  if (publication === null && standing?.state !== 'loaded')
    throw new OperationError(`${name} has the same content, and was changed meanwhile; publish again`)
  if (publication !== null && standing !== undefined) {
    if (standing.state === 'collecting' || standing.state === 'collected')
      throw new OperationError(`${name} was collected meanwhile; publish again`)
    // The change was made before, by this process or by one that it took over from.
    return null
  }
  const findings = [...(failed ?? [])]
  const loaded =
    standing === undefined ? loadedEntry(entry, findings, at) : { ...standing, findings, publishedAt: at }
  if (failed === null || failed.length > 0) {
    const why =
      failed === null ? 'its content was rolled back from' : failed.map(({ gate }) => gate).join(', ')
    const verb = standing === undefined ? 'loads' : 'finds again'
    const what = [`${verb} ${name} (${entry.rows} rows), not active: ${why}`]
    return { state: withGenerations(state, modelId, new Map([[generation, loaded]])), what }
  }
  const changes = new Map([[generation, moveGeneration({ ...loaded, findings: [] }, 'active', at)]])
  const active = activeGeneration(model, versionId)
  if (active !== null) changes.set(active.generation, moveGeneration(active.entry, 'previous', at))
  return {
    state: withGenerations(state, modelId, changes),
    what: [`activates ${name} (${entry.rows} rows)`],
  }
}
