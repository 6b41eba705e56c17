import { FaultsError, OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { bucketCount, bucketOf } from '../domain/row-key.ts'
import { type BadRow, type PackedRows, packRows } from './pack-rows.ts'
import type { Partitions } from './partitions.ts'
import type {
  BucketRow,
  GenerationAddress,
  GenerationCatalog,
  LoadedGeneration,
  PackedRow,
  PublishTarget,
  RowSource,
  TableStore,
} from './ports.ts'

export interface PublishServices {
  readonly store: TableStore
  readonly catalog: GenerationCatalog
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

export interface PublishReport {
  readonly generation: number
  readonly rows: number
  readonly bytes: number
  readonly buckets: number
  readonly badRows: number
  readonly badRowsShown: readonly BadRow[]
  readonly longRows: number
  readonly catalogRevision: number
}

/**
 * Rows → a new generation of a version's table → active, in one catalog change. What is served meanwhile stays as it
 * is; a publish that fails takes its own buckets away again.
 */
export async function publish(services: PublishServices, request: PublishRequest): Promise<PublishReport> {
  const { target, source, onProgress } = request
  const packed = await packRows(source, target, {
    badRowsMax: request.badRowsMax,
    onProgress: (done) => onProgress({ phase: 'reading', done, total: source.rowsExpected }),
  })
  // What it holds is needed no more, and writing needs memory of its own.
  await source.close()
  try {
    return await publishPacked(services, request, packed)
  } finally {
    await packed.partitions.close()
  }
}

async function publishPacked(
  services: PublishServices,
  { target, files, by, onProgress }: PublishRequest,
  { partitions, badRows, badRowsShown, longRows }: PackedRows,
): Promise<PublishReport> {
  const { store } = services
  const { rows, bytes } = partitions
  const address = await freeAddress(services, target)
  const { generation } = address
  const buckets = bucketCount(rows)
  const loaded: LoadedGeneration = {
    generation,
    token: services.newToken(),
    rows,
    bytes,
    buckets,
    recordRevision: target.codec.revision,
    source: files,
  }
  const startedAt = services.now().toISOString()
  const manifest = { version: target.versionId, startedAt, by, source: files, rows, buckets }
  await store.putManifest(address, manifest)
  try {
    const sample = await load(store, address, loaded, partitions, onProgress)
    await verify(store, address, loaded, sample, onProgress)
  } catch (error) {
    await clean(store, address, loaded)
    throw error
  }
  const catalogRevision = await activateOrClean(services, target, address, loaded)
  // It is active: a manifest that stays behind doesn't make the publish a failed one. The catalog outranks it.
  await store.removeManifest(address).catch(() => undefined)
  return { generation, rows, bytes, buckets, badRows, badRowsShown, longRows, catalogRevision }
}

/** Numbers begin anew where a catalog was lost and its tables were not; what lies there may still be served. */
async function freeAddress(
  { store, catalog }: PublishServices,
  target: PublishTarget,
): Promise<GenerationAddress> {
  for (;;) {
    const generation = await catalog.nextGeneration(target)
    const address = { tenantId: target.tenantId, modelId: target.modelId, generation }
    if (!(await store.exists(address))) return address
  }
}

/** Only a refusal is certain: after a broken connection the generation may be active, and must stay. */
async function activateOrClean(
  { store, catalog }: PublishServices,
  target: PublishTarget,
  address: GenerationAddress,
  loaded: LoadedGeneration,
): Promise<number> {
  try {
    return await catalog.activate(target, loaded)
  } catch (error) {
    if (error instanceof OperationError || error instanceof FaultsError) await clean(store, address, loaded)
    throw error
  }
}

/** Writes all buckets; answers a sample of the rows, to be read back. */
async function load(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token, rows }: LoadedGeneration,
  partitions: Partitions,
  onProgress: PublishRequest['onProgress'],
): Promise<readonly PackedRow[]> {
  const stride = Math.ceil(rows / limits.rowsReadBackMax)
  const sample: PackedRow[] = []
  let [written, nextOfSample] = [0, 0]
  let [underway, next]: Promise<void>[] = [Promise.resolve(), Promise.resolve()]
  try {
    for await (const trip of partitions.buckets(buckets)) {
      // One trip is being written while the next is put together.
      next = store.writeBuckets(address, token, trip)
      // Met below; a rejection that nobody waits for yet would end the process.
      next.catch(() => undefined)
      await underway
      underway = next
      for (const bucket of trip) {
        for (; nextOfSample < written + bucket.rows.length; nextOfSample += stride)
          sample.push(rowOf(bucket.rows[nextOfSample - written]!))
        written += bucket.rows.length
      }
      onProgress({ phase: 'writing', done: trip.at(-1)!.number + 1, total: buckets })
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

/** Counts every bucket, and compares a sample of the rows byte for byte. */
async function verify(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token, rows }: LoadedGeneration,
  sample: readonly PackedRow[],
  onProgress: PublishRequest['onProgress'],
): Promise<void> {
  let counted = 0
  for (let first = 0; first < buckets; first += limits.bucketsPerTrip) {
    const count = Math.min(limits.bucketsPerTrip, buckets - first)
    for (const found of await store.rowCounts(address, token, first, count)) {
      if (found < 0) throw damaged('a bucket that was written is not there')
      counted += found
    }
    onProgress({ phase: 'verifying', done: first + count, total: buckets })
  }
  if (counted !== rows) throw damaged(`${rows} rows were written, and ${counted} are there`)
  const found = await store.readRows(
    address,
    sample.map(({ rowKey }) => ({ bucket: bucketOf(rowKey, buckets), rowKey })),
  )
  for (const [index, { rowKey, packed }] of sample.entries())
    if (found[index] == null || Buffer.compare(found[index], packed) !== 0)
      throw damaged(`the row ${JSON.stringify(rowKey)} was read back otherwise than it was written`)
}

function damaged(what: string): OperationError {
  return new OperationError(
    `the new generation is damaged: ${what}; nothing was activated. Is Redis full, or evicting?`,
  )
}

/** Best effort: where Redis is gone, the manifest stays and tells what is left. */
async function clean(
  store: TableStore,
  address: GenerationAddress,
  { buckets }: LoadedGeneration,
): Promise<void> {
  try {
    await store.removeBuckets(address, buckets)
    await store.removeManifest(address)
  } catch {
    // The error that led here says more than this one.
  }
}
