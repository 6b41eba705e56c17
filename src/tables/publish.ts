import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { activeGeneration, type GenerationState, type ModelState } from '../domain/tenant-state.ts'
import { type HeldLease, holdLease } from './hold-lease.ts'
import { type Candidate, loadGeneration } from './load-generation.ts'
import { type PackedRows, packRows } from './pack-rows.ts'
import type { PublishTarget, TableStore } from './ports.ts'
import { type PublishReport, reportOf } from './publish-report.ts'
import type { PublishRequest, PublishServices } from './publish-request.ts'
import { settleGeneration } from './settle-generation.ts'
import { readSuppressedRows } from './suppressed-rows.ts'
import { targetModel } from './target-model.ts'
import { isThere } from './verify.ts'

/**
 * Rows → a new generation of a version's table → active, in one catalog change. What is served meanwhile stays as it
 * is; a publish that fails takes its own buckets away again. Throws OperationError where another publish of the version
 * is under way.
 */
export async function publish(services: PublishServices, request: PublishRequest): Promise<PublishReport> {
  const { target, source, by, onProgress } = request
  const { tenantId, modelId, versionId } = target
  const lease = await holdLease(
    services.leases,
    { lease: 'version', tenantId, modelId, versionId },
    { token: services.newToken(), by, since: services.now().toISOString() },
  )
  if (lease.held === null)
    throw new OperationError(
      `${modelId}/${versionId} is being published already (by ${lease.by}); nothing was read. ` +
        `If that publish has died, its hold lapses after ${limits.leaseMs / 1000} s`,
    )
  try {
    const packed = await packRows(source, target, {
      badRowsMax: request.badRowsMax,
      suppressed: await readSuppressedRows(services.catalog, target),
      onProgress: (done) => onProgress({ phase: 'reading', done, total: source.rowsExpected }),
    })
    // What it holds is needed no more, and writing needs memory of its own.
    await source.close()
    try {
      return await publishPacked(services, request, packed, lease.held)
    } finally {
      await packed.partitions.close()
    }
  } finally {
    await lease.held.release()
  }
}

async function publishPacked(
  services: PublishServices,
  request: PublishRequest,
  packed: PackedRows,
  lease: HeldLease,
): Promise<PublishReport> {
  const { target } = request
  const model = targetModel(await services.catalog.read(target.tenantId), target)
  const contentHash = packed.partitions.contentHash()
  const active = activeGeneration(model, target.versionId)
  if (active !== null && (await hasContent(services.store, target, active, contentHash))) {
    const catalogRevision = await services.catalog.change(target.tenantId, () => null)
    const { generation, entry } = active
    return { ...reportOf(generation, entry, packed), outcome: 'unchanged', catalogRevision }
  }
  const standing = await standingGeneration(services.store, target, model, contentHash)
  if (standing !== null) return settleGeneration(services, request, packed, standing)
  return settleGeneration(services, request, packed, await loadGeneration(services, request, packed, lease))
}

interface Generation {
  readonly generation: number
  readonly entry: GenerationState
}

/** A table that was lost in Redis is no reason not to load it again. */
async function hasContent(
  store: TableStore,
  { tenantId, modelId }: PublishTarget,
  { generation, entry }: Generation,
  contentHash: string,
): Promise<boolean> {
  return entry.contentHash === contentHash && (await isThere(store, { tenantId, modelId, generation }, entry))
}

/** The same content that was loaded and refused before: it needs no second copy for each time that a job tries again. */
async function standingGeneration(
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
    return { address: { tenantId, modelId, generation }, entry, publication: null, warnings: [] }
  }
  return null
}
