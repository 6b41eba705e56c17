import { OperationError } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { bucketCount } from '../../domain/row-key.ts'
import { noStatistics } from '../../domain/table-statistics.ts'
import type { HeldLease } from '../hold-lease.ts'
import { freeAddress } from '../load-generation.ts'
import type { Manifest } from '../manifest.ts'
import type { PackedRows } from '../pack-rows.ts'
import type { TableStore } from '../ports.ts'
import { checkFits, estimateMemory, memoryOfLoading, memoryOfTables } from '../preflight.ts'
import { beginPublication, type Publication } from '../publication.ts'
import type { PublishRequest, PublishServices } from '../publish-request.ts'
import { targetModel } from '../target-model.ts'
import { tripsOf } from '../verify.ts'
import type { LiveRun } from './find-run.ts'
import { noteBegin } from './run-end.ts'
import type { RunHold } from './run-hold.ts'
import type { Shard } from './shard.ts'

/**
 * Makes all buckets of a generation that several processes will load, empty, and bearing its token: shards add to buckets
 * that bear it, and to no others, so that a shard which was stopped, and whose generation was collected or activated
 * meanwhile, has nowhere to write. Then the version's lease names the generation, and others join.
 */
export async function beginRun(
  services: PublishServices,
  request: PublishRequest,
  shard: Shard,
  packed: PackedRows,
  { lease, hold }: { readonly lease: HeldLease; readonly hold: RunHold },
): Promise<{ readonly run: LiveRun; readonly warnings: readonly string[] }> {
  const { store, leases, now } = services
  const { target } = request
  const address = await freeAddress(services, target)
  const first = firstManifest(services, request, shard, packed, hold)
  const publication = await beginPublication(store, lease, address, first, now)
  let warnings: readonly string[]
  try {
    warnings = await checkWhole(services, request, publication)
    await makeBuckets(store, publication)
  } catch (error) {
    await publication.abandon(error as Error)
    throw error
  }
  const begun = { ...hold, generation: address.generation }
  const text = JSON.stringify(begun)
  // Where the answer gets lost, others may have joined: nothing is taken away.
  if (!(await lease.handOver(text, limits.runLeaseMs))) {
    const error = new OperationError(
      `the publishing of ${target.modelId}/${target.versionId} was taken over by another process; publish again`,
    )
    await publication.abandon(error)
    throw error
  }
  await noteBegin(leases, target, begun)
  return { run: { address, hold: begun, text, manifest: publication.manifest }, warnings }
}

function firstManifest(
  { newToken, now }: PublishServices,
  { target, by }: PublishRequest,
  { count, expectedRows, runId }: Shard,
  { partitions, longRows }: PackedRows,
  { token }: RunHold,
): Manifest {
  const buckets = bucketCount(expectedRows)
  // One shard's rows tell of the others'; where it has none, a record's greatest size does.
  const rowsPerOwn = expectedRows / Math.max(1, partitions.rows)
  const bytes = Math.round(
    partitions.rows === 0 ? expectedRows * target.codec.bytesMax : partitions.bytes * rowsPerOwn,
  )
  const startedAt = now().toISOString()
  return {
    version: target.versionId,
    state: 'loading',
    token,
    contentHash: '',
    rows: expectedRows,
    bytes,
    memoryBytes: estimateMemory(expectedRows, bytes, buckets, Math.round(longRows * rowsPerOwn)),
    buckets,
    recordRevision: target.codec.revision,
    by,
    source: [],
    statistics: noStatistics,
    startedAt,
    heartbeatAt: startedAt,
    problem: null,
    run: { id: runId, shards: count, expectedRows, sealedToken: newToken(), finishers: 0, end: null },
  }
}

async function checkWhole(
  { store, catalog, memoryShareOf }: PublishServices,
  { target }: PublishRequest,
  { address, manifest }: Publication,
): Promise<readonly string[]> {
  const live = await catalog.read(target.tenantId)
  targetModel(live, target)
  const servers = await store.serverMemory()
  if (servers === null) return []
  return checkFits(servers, {
    address,
    rows: manifest.rows,
    buckets: manifest.buckets,
    memoryBytes: manifest.memoryBytes,
    tenantBytes: memoryOfTables(live.state) + (await memoryOfLoading(store, live, address)),
    memoryShare: memoryShareOf(target.tenantId),
  })
}

async function makeBuckets(store: TableStore, { address, manifest, beat }: Publication): Promise<void> {
  for (const { first, count } of tripsOf(manifest.buckets)) {
    const empty = Array.from({ length: count }, (_, index) => ({ number: first + index, rows: [] }))
    await Promise.all([store.writeBuckets(address, manifest.token, empty), beat()])
  }
}
