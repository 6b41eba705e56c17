import { FaultsError, OperationError } from '../domain/errors.ts'
import type { GateFinding } from '../domain/gates.ts'
import { moveGeneration, withGenerations } from '../domain/generation-moves.ts'
import { limits } from '../domain/limits.ts'
import { bucketCount } from '../domain/row-key.ts'
import {
  activeGeneration,
  type GenerationState,
  type ModelState,
  type PackedGeneration,
} from '../domain/tenant-state.ts'
import { failedGates } from './gates.ts'
import { type HeldLease, holdLease } from './hold-lease.ts'
import { type BadRow, type PackedRows, packRows } from './pack-rows.ts'
import type { Partitions } from './partitions.ts'
import type {
  BucketRow,
  GenerationAddress,
  GenerationCatalog,
  LeaseStore,
  LiveTables,
  PackedRow,
  PublishTarget,
  RowSource,
  TableStore,
  TablesChange,
} from './ports.ts'
import { estimateMemory, memoryOfTables, preflight } from './preflight.ts'
import { beginPublication, type Publication } from './publication.ts'
import { removeTable } from './remove-table.ts'
import { sampleRetainedKeys } from './retained-keys.ts'
import { isThere, verifyLoaded } from './verify.ts'

export interface PublishServices {
  readonly store: TableStore
  readonly leases: LeaseStore
  readonly catalog: GenerationCatalog
  /** The part of Redis' memory, 0 to 1, that a tenant's tables may take together. */
  readonly memoryShareOf: (tenantId: string) => number
  /** A fresh random text at each call. */
  readonly newToken: () => string
  readonly now: () => Date
}

export interface PublishRequest {
  readonly target: PublishTarget
  readonly source: RowSource
  /** The files, as the publisher named them. */
  readonly files: readonly string[]
  readonly by: string
  readonly badRowsMax: number
  readonly onProgress: (progress: PublishProgress) => void
}

export interface PublishProgress {
  readonly phase: 'reading' | 'writing' | 'verifying'
  readonly done: number
  /** Null where it isn't known beforehand. */
  readonly total: number | null
}

/**
 * `activated`: it is served. `unchanged`: the active generation has the same content, and stays. `refused`: it is loaded,
 * and what was served stays served.
 */
type PublishOutcome = 'activated' | 'unchanged' | 'refused'

export interface PublishReport {
  readonly outcome: PublishOutcome
  /** The one that was loaded; where nothing was, the one that has the content already. */
  readonly generation: number
  readonly rows: number
  readonly bytes: number
  readonly memoryBytes: number
  readonly buckets: number
  readonly contentHash: string
  readonly badRows: number
  readonly badRowsShown: readonly BadRow[]
  readonly longRows: number
  /** Where it was refused: the gates that it failed. */
  readonly failedGates: readonly GateFinding[]
  /** Where it was refused: a generation with the same content was rolled back from. */
  readonly quarantined: boolean
  readonly warnings: readonly string[]
  readonly catalogRevision: number
}

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
  const model = modelOf(await services.catalog.read(target.tenantId), target)
  const contentHash = packed.partitions.contentHash()
  const active = activeGeneration(model, target.versionId)
  if (active !== null && (await hasContent(services.store, target, active, contentHash))) {
    const catalogRevision = await services.catalog.change(target.tenantId, () => null)
    const { generation, entry } = active
    return { ...reportOf(generation, entry, packed), outcome: 'unchanged', catalogRevision }
  }
  const standing = await standingGeneration(services.store, target, model, contentHash)
  if (standing !== null) return settle(services, request, packed, standing)
  return settle(services, request, packed, await load(services, request, packed, lease))
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

/** A generation on its way to a decision. */
interface Candidate {
  readonly address: GenerationAddress
  readonly entry: PackedGeneration
  /** Null: it was loaded, and refused, by an earlier publish. */
  readonly publication: Publication | null
  readonly warnings: readonly string[]
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

/** Writes and verifies everything; a failure takes away what was written. */
async function load(
  services: PublishServices,
  { target, files, by, onProgress }: PublishRequest,
  { partitions, longRows, statistics }: PackedRows,
  lease: HeldLease,
): Promise<Candidate & { readonly publication: Publication }> {
  const { store, catalog, now } = services
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
    const tenantBytes = memoryOfTables((await catalog.read(target.tenantId)).state)
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
    await verifyLoaded(store, address, publication.manifest, sample, (done, total) =>
      onProgress({ phase: 'verifying', done, total }),
    )
    await publication.beat({ state: 'loaded' })
    return { address, entry: publication.manifest, publication, warnings: need.warnings }
  } catch (error) {
    await clean(store, publication, error as Error)
    throw error
  }
}

/** Numbers begin anew where a catalog was lost and its tables were not; what lies there may still be served. */
async function freeAddress(
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
  let [underway, next]: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()]
  try {
    for await (const trip of partitions.buckets(buckets)) {
      // One trip is being written while the next is put together. Whether the generation is still its own is asked with
      // each: one that isn't writes one trip more at most, which it then takes away itself.
      next = Promise.all([store.writeBuckets(address, token, trip), publication.beat()])
      // Met below; a rejection that nobody waits for yet would end the process.
      next.catch(() => undefined)
      await underway
      underway = next
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

function rowOf({ data, keyStart, keyEnd, recordEnd }: BucketRow): PackedRow {
  return {
    rowKey: data.toString('utf8', keyStart, keyEnd),
    packed: Buffer.from(data.subarray(keyEnd, recordEnd)),
  }
}

/** Active, or loaded and refused: in one catalog change, whoever else changes the tenant meanwhile. */
async function settle(
  { store, catalog, now }: PublishServices,
  { target }: PublishRequest,
  packed: PackedRows,
  candidate: Candidate,
): Promise<PublishReport> {
  const { address, entry, publication } = candidate
  const { tenantId } = target
  let failed: readonly GateFinding[] = []
  let quarantined = false
  /** A change was given to the catalog, whose answer isn't there. */
  let isOpen = false
  try {
    const model = modelOf(await catalog.read(tenantId), target)
    failed = await judge(store, model, target, packed, candidate)
    const warnings = [...candidate.warnings, ...(await replicationWarnings(store))]
    const catalogRevision = await catalog.change(tenantId, async (live) => {
      isOpen = false
      const latest = modelOf(live, target)
      // After the catalog was read: whoever takes the generation away changes the catalog first.
      await publication?.beat()
      quarantined = isQuarantined(latest, entry)
      const change = settled(live, target, candidate, quarantined ? null : failed, now().toISOString())
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
    const isCertain = !isOpen || error instanceof OperationError || error instanceof FaultsError
    if (publication !== null && isCertain) await clean(store, publication, error as Error)
    throw error
  }
}

async function judge(
  store: TableStore,
  model: ModelState,
  { tenantId, modelId, versionId, gates, record }: PublishTarget,
  { rowsRead, badRows }: PackedRows,
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
  const loaded = standing ?? loadedEntry(entry, failed ?? [], at)
  if (failed === null || failed.length > 0) {
    if (standing !== undefined) return null
    const why =
      failed === null ? 'its content was rolled back from' : failed.map(({ gate }) => gate).join(', ')
    const what = [`loads ${name} (${entry.rows} rows), not active: ${why}`]
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

/** As the catalog knows a generation from then on. */
export function loadedEntry(
  packed: PackedGeneration,
  findings: readonly GateFinding[],
  at: string,
): GenerationState {
  const { version, token, contentHash, rows, bytes, memoryBytes, buckets, recordRevision } = packed
  const { by, source, statistics } = packed
  return {
    version,
    state: 'loaded',
    token,
    contentHash,
    rows,
    bytes,
    memoryBytes,
    buckets,
    recordRevision,
    publishedAt: at,
    activatedAt: null,
    lastActiveAt: null,
    quarantinedAt: null,
    collectedAt: null,
    by,
    source,
    findings: [...findings],
    statistics,
  }
}

/** Throws OperationError where model or version left the document meanwhile. */
function modelOf(
  { document, state }: LiveTables,
  { tenantId, modelId, versionId }: PublishTarget,
): ModelState {
  const model = new Map(Object.entries(document.models)).get(modelId)
  const modelState = new Map(Object.entries(state.models)).get(modelId)
  if (model?.versions.includes(versionId) && modelState !== undefined) return modelState
  throw new OperationError(
    `${tenantId}/${modelId}/${versionId} was deleted while it was being published; nothing was activated`,
  )
}

function reportOf(
  generation: number,
  { rows, bytes, memoryBytes, buckets, contentHash }: PackedGeneration,
  { badRows, badRowsShown, longRows }: PackedRows,
): Omit<PublishReport, 'outcome' | 'catalogRevision'> {
  return {
    generation,
    rows,
    bytes,
    memoryBytes,
    buckets,
    contentHash,
    badRows,
    badRowsShown,
    longRows,
    failedGates: [],
    quarantined: false,
    warnings: [],
  }
}

/** Best effort: where Redis is gone, the manifest stays and tells what is left. */
async function clean(store: TableStore, { address, manifest }: Publication, reason: Error): Promise<void> {
  try {
    await removeTable(store, address, manifest.buckets)
    await store.removeManifest(address)
  } catch {
    // The error that led here says more than this one.
    const failed = { ...manifest, state: 'failed' as const, problem: reason.message }
    await store.replaceManifest(address, manifest, failed).catch(() => undefined)
  }
}
