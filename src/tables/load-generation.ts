import { setTimeout as pause } from 'node:timers/promises'
import { limits } from '../domain/limits.ts'
import { bucketCount } from '../domain/row-key.ts'
import type { PackedGeneration } from '../domain/tenant-state.ts'
import type { HeldLease } from './hold-lease.ts'
import { leaveOutErased, verifyWritten } from './leave-out-erased.ts'
import { createPace } from './pace.ts'
import type { PackedRows } from './pack-rows.ts'
import type { Partitions } from './partitions.ts'
import type { BucketRow, GenerationAddress, PackedRow, PublishTarget, TableStore } from './ports.ts'
import { estimateMemory, memoryOfLoading, memoryOfTables, preflight } from './preflight.ts'
import { beginPublication, type Publication } from './publication.ts'
import type { PublishRequest, PublishServices } from './publish-request.ts'
import type { RowFigures } from './without-rows.ts'

/** A generation on its way to a decision. */
export interface Candidate {
  readonly address: GenerationAddress
  readonly entry: PackedGeneration
  /** Null: it was loaded, and refused, by an earlier publish. */
  readonly publication: Publication | null
  readonly warnings: readonly string[]
  /**
   * Takes rows of players who were erased meanwhile out of it, which changes its figures; null: nobody was. Null itself
   * where whoever erases takes them out, as of all that the catalog knows.
   */
  readonly leaveOutErased: ((entry: PackedGeneration) => Promise<RowFigures | null>) | null
}

/** Writes and verifies everything; a failure takes away what was written. */
export async function loadGeneration(
  services: PublishServices,
  { target, files, by, onProgress }: PublishRequest,
  packed: PackedRows,
  lease: HeldLease,
): Promise<Candidate & { readonly publication: Publication }> {
  const { store, catalog, now } = services
  const { partitions, longRows, statistics } = packed
  const { rows, bytes } = partitions
  const address = await freeAddress(services, target)
  const buckets = bucketCount(rows)
  const startedAt = now().toISOString()
  const publication = await beginPublication(
    store,
    lease,
    address,
    {
      version: target.versionId,
      state: 'loading',
      // The lease's: a manifest whose token holds no lease is nobody's.
      token: lease.token,
      contentHash: partitions.contentHash(),
      rows,
      bytes,
      memoryBytes: estimateMemory(rows, bytes, buckets, longRows),
      buckets,
      recordRevision: target.codec.revision,
      by,
      source: [...files],
      statistics,
      startedAt,
      heartbeatAt: startedAt,
      problem: null,
    },
    now,
  )
  try {
    const { token } = publication.manifest
    const live = await catalog.read(target.tenantId)
    const tenantBytes = memoryOfTables(live.state) + (await memoryOfLoading(store, live, address))
    const memoryShare = services.memoryShareOf(target.tenantId)
    const need = await preflight(store, {
      address,
      token,
      partitions,
      buckets,
      longRows,
      tenantBytes,
      memoryShare,
    })
    await publication.beat({ memoryBytes: need.memoryBytes })
    const sample = await writeAll(store, publication, partitions, (done) =>
      onProgress({ phase: 'writing', done, total: buckets }),
    )
    await verifyWritten(store, publication, packed, sample, (done, total) =>
      onProgress({ phase: 'verifying', done, total }),
    )
    await publication.beat({ state: 'loaded' })
    return {
      address,
      entry: publication.manifest,
      publication,
      warnings: need.warnings,
      leaveOutErased: (entry) => leaveOutErased(store, packed, address, entry),
    }
  } catch (error) {
    await publication.abandon(error as Error)
    throw error
  }
}

/** Numbers begin anew where a catalog was lost and its tables were not; what lies there may still be served. */
export async function freeAddress(
  { store, catalog }: PublishServices,
  { tenantId, modelId }: PublishTarget,
): Promise<GenerationAddress> {
  for (;;) {
    const address = { tenantId, modelId, generation: await catalog.nextGeneration(tenantId, modelId) }
    if (!(await store.exists(address))) return address
  }
}

/** Writes all buckets; answers a sample of the rows, to be read back. */
async function writeAll(
  store: TableStore,
  publication: Publication,
  partitions: Partitions,
  onBuckets: (done: number) => void,
): Promise<readonly PackedRow[]> {
  const { address, manifest } = publication
  const { buckets, token, rows } = manifest
  const stride = Math.ceil(rows / limits.rowsReadBackMax)
  const sample: PackedRow[] = []
  let [written, nextOfSample] = [0, 0]
  const pace = createPace()
  const idle: Promise<number | null> = Promise.resolve(null)
  let [underway, next] = [idle, idle]
  try {
    for await (const trip of partitions.buckets(buckets)) {
      // One trip is being written while the next is put together. Whether the generation is still its own is asked with
      // each: one that isn't writes one trip more at most, which it then takes away itself.
      next = Promise.all([timed(store.writeBuckets(address, token, trip)), publication.beat()]).then(
        ([ms]) => ms,
      )
      // Met below; a rejection that nobody waits for yet would end the process.
      next.catch(() => undefined)
      const tookMs = await underway
      underway = next
      const restMs = tookMs === null ? 0 : pace.restAfter(trip.length, tookMs)
      if (restMs > 0) await pause(restMs)
      for (const bucket of trip) {
        for (; nextOfSample < written + bucket.rows.length; nextOfSample += stride)
          sample.push(rowOf(bucket.rows[nextOfSample - written]!))
        written += bucket.rows.length
      }
      onBuckets(trip.at(-1)!.number + 1)
    }
    await underway
  } finally {
    // Nothing may still be written when a failed publish is cleaned up.
    await Promise.allSettled([underway, next])
  }
  return sample
}

async function timed(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work
  return performance.now() - startedAt
}

function rowOf({ data, keyStart, keyEnd, recordEnd }: BucketRow): PackedRow {
  return {
    rowKey: data.toString('utf8', keyStart, keyEnd),
    packed: Buffer.from(data.subarray(keyEnd, recordEnd)),
  }
}
