import { activeGeneration } from '../domain/tenant-state.ts'
import { confirmContent } from './confirm-content.ts'
import { type HeldLease, holdLease } from './hold-lease.ts'
import { loadGeneration } from './load-generation.ts'
import { type PackedRows, packRows } from './pack-rows.ts'
import { type PublishReport, reportOf } from './publish-report.ts'
import type { PublishRequest, PublishServices } from './publish-request.ts'
import { settleGeneration } from './settle-generation.ts'
import { busyVersion } from './shards/busy-version.ts'
import { hasContent, standingGeneration } from './standing-content.ts'
import { readSuppressedRows } from './suppressed-rows.ts'
import { targetModel } from './target-model.ts'

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
  if (lease.held === null) throw await busyVersion(services.leases, target, lease.text)
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
    const catalogRevision = await confirmContent(services, target, active.generation)
    // It was rolled back from, or another one activated, between the two looks.
    if (catalogRevision === null) return publishPacked(services, request, packed, lease)
    const { generation, entry } = active
    return { ...reportOf(generation, entry, packed), outcome: 'unchanged', catalogRevision }
  }
  const standing = await standingGeneration(services.store, target, model, contentHash)
  if (standing !== null) return settleGeneration(services, request, packed, standing)
  return settleGeneration(services, request, packed, await loadGeneration(services, request, packed, lease))
}
