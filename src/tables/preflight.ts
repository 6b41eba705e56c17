import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { TenantState } from '../domain/tenant-state.ts'
import type { Partitions } from './partitions.ts'
import type { Bucket, GenerationAddress, LiveTables, ServerMemory, TableStore } from './ports.ts'

/** What a table will take of Redis' memory, and whether it may. */
export interface MemoryNeed {
  readonly memoryBytes: number
  /** For people: what may happen to it there. */
  readonly warnings: readonly string[]
}

export interface PreflightRequest {
  readonly address: GenerationAddress
  readonly token: string
  readonly partitions: Partitions
  readonly buckets: number
  readonly longRows: number
  /** What the tenant's other tables take, and the share of a server's memory that all of them may have, 0 to 1. */
  readonly tenantBytes: number
  readonly memoryShare: number
}

/** Of a bucket's key in Redis' own table: two pointers' worth, and half as much room again. */
const slotBytes = 24
/** Estimated where Redis tells nothing: a key with its hash, two bytes around each field and each value, and malloc's rounding. */
const bucketOverheadBytes = 160
const rowOverheadBytes = 4
const mallocRounding = 1.08
/** One row over 64 bytes makes its bucket a hash table: measured 93 bytes a row instead of 39. */
const hashTableRowBytes = 54

/** What a table takes by its layout; measured tables lie within 10 % of it. */
export function estimateMemory(rows: number, bytes: number, buckets: number, longRows: number): number {
  const compact =
    (bytes + rows * rowOverheadBytes) * mallocRounding + buckets * (bucketOverheadBytes + slotBytes)
  const unpacked = Math.min(rows, longRows * limits.rowsPerBucket) * hashTableRowBytes
  return Math.round(compact + unpacked)
}

/**
 * Writes a few of the table's own buckets, which loading writes again, and measures them. Throws OperationError with the
 * figures where the table doesn't fit beside what is there.
 */
export async function preflight(store: TableStore, request: PreflightRequest): Promise<MemoryNeed> {
  const servers = await store.serverMemory()
  const memoryBytes = await measureNeed(store, request)
  if (servers === null) return { memoryBytes, warnings: [] }
  const need = { ...request, memoryBytes, rows: request.partitions.rows }
  return { memoryBytes, warnings: checkFits(servers, need) }
}

/** What a table, or a part of one, is known or estimated to take. */
export interface ExpectedNeed
  extends Pick<PreflightRequest, 'address' | 'buckets' | 'tenantBytes' | 'memoryShare'> {
  readonly memoryBytes: number
  readonly rows: number
}

/** What people should know; throws OperationError with the figures where it doesn't fit beside what is there. */
export function checkFits(servers: readonly ServerMemory[], need: ExpectedNeed): string[] {
  const { memoryBytes, rows, buckets } = need
  const faults = memoryFaults(servers, memoryBytes, need)
  if (faults.length === 0) return evictionWarnings(servers)
  throw new OperationError(
    `the table needs about ${megabytes(memoryBytes)} of Redis' memory ` +
      `(${rows} rows in ${buckets} buckets, ${Math.ceil(memoryBytes / rows)} bytes a row), and ` +
      `${faults.join('; ')}. Nothing was loaded: make room with \`recgate tables collect\`, or give Redis more memory`,
  )
}

async function measureNeed(
  store: TableStore,
  { address, token, partitions, buckets, longRows }: PreflightRequest,
): Promise<number> {
  const sample = await firstBuckets(partitions, buckets)
  await store.writeBuckets(address, token, sample)
  const measured = await store.bucketMemory(
    address,
    sample.map(({ number }) => number),
  )
  const rows = sample.reduce((sum, bucket) => sum + bucket.rows.length, 0)
  if (measured === null || rows === 0)
    return estimateMemory(partitions.rows, partitions.bytes, buckets, longRows)
  const bytes = measured.reduce((sum, one) => sum + one, 0)
  return Math.round((bytes / rows) * partitions.rows + buckets * slotBytes)
}

/** Of a table that is there, by some of its buckets; null where Redis doesn't tell. */
export async function measuredMemory(
  store: TableStore,
  address: GenerationAddress,
  buckets: number,
): Promise<number | null> {
  const sampled = Math.min(buckets, limits.preflightBucketsMax)
  const numbers = Array.from({ length: sampled }, (_, index) => Math.floor((index * buckets) / sampled))
  const measured = await store.bucketMemory(address, numbers)
  if (measured === null) return null
  return Math.round((measured.reduce((sum, one) => sum + one, 0) / sampled + slotBytes) * buckets)
}

async function firstBuckets(partitions: Partitions, buckets: number): Promise<readonly Bucket[]> {
  for await (const trip of partitions.buckets(buckets)) return trip.slice(0, limits.preflightBucketsMax)
  return []
}

/** Buckets spread evenly over the servers. */
function memoryFaults(
  servers: readonly ServerMemory[],
  memoryBytes: number,
  { tenantBytes, memoryShare, address }: Omit<ExpectedNeed, 'memoryBytes' | 'rows' | 'buckets'>,
): string[] {
  const needed = memoryBytes / servers.length
  const full = servers.flatMap(({ usedBytes, maxBytes }) =>
    maxBytes !== null && usedBytes + needed > maxBytes
      ? [
          `a server that has to take ${megabytes(needed)} of it uses ${megabytes(usedBytes)} of ${megabytes(maxBytes)} (maxmemory) already`,
        ]
      : [],
  )
  const limited = servers.flatMap(({ maxBytes }) => (maxBytes === null ? [] : [maxBytes]))
  const shareBytes = memoryShare * limited.reduce((sum, maxBytes) => sum + maxBytes, 0)
  if (limited.length === servers.length && tenantBytes + memoryBytes > shareBytes)
    full.push(
      `tenant ${address.tenantId} may have ${megabytes(shareBytes)} (memoryShare ${memoryShare}), of which its other tables take ${megabytes(tenantBytes)}`,
    )
  return full
}

function evictionWarnings(servers: readonly ServerMemory[]): string[] {
  const policies = new Set(servers.map(({ evictionPolicy }) => evictionPolicy))
  return [...policies].flatMap((policy) =>
    policy.startsWith('allkeys-')
      ? [
          `Redis' maxmemory-policy is ${policy}: when it is full it throws tables away, bucket by bucket; noeviction keeps them`,
        ]
      : [],
  )
}

/** Of all a tenant's tables that are in Redis, by the catalog. */
export function memoryOfTables(state: TenantState): number {
  return Object.values(state.models)
    .flatMap(({ generations }) => Object.values(generations))
    .reduce((sum, entry) => sum + (entry.state === 'collected' ? 0 : entry.memoryBytes), 0)
}

/** Of those that are being loaded beside this one, of which the catalog knows nothing yet. */
export async function memoryOfLoading(
  store: Pick<TableStore, 'manifests'>,
  { state }: Pick<LiveTables, 'state'>,
  { tenantId, modelId: ownModelId, generation: ownGeneration }: GenerationAddress,
): Promise<number> {
  let bytes = 0
  for (const [modelId, { generations }] of Object.entries(state.models)) {
    for (const [generation, { memoryBytes }] of await store.manifests(tenantId, modelId)) {
      const isOwn = modelId === ownModelId && generation === ownGeneration
      if (!isOwn && generations[generation] === undefined) bytes += memoryBytes
    }
  }
  return bytes
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`
}
