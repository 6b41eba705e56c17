import { FaultsError, OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { bucketCount, bucketOf } from '../domain/row-key.ts'
import { type BadRow, packRows } from './pack-rows.ts'
import type {
  Bucket,
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
  const { rows, badRows, badRowsShown, longRows } = packed
  const address = await freeAddress(services, target)
  const { generation } = address
  const loaded: LoadedGeneration = {
    generation,
    token: services.newToken(),
    rows: rows.length,
    bytes: rows.reduce((sum, row) => sum + Buffer.byteLength(row.rowKey) + row.packed.length, 0),
    buckets: bucketCount(rows.length),
    recordRevision: target.codec.revision,
    source: request.files,
  }
  await services.store.putManifest(address, {
    version: target.versionId,
    startedAt: services.now().toISOString(),
    by: request.by,
    source: request.files,
    rows: loaded.rows,
    buckets: loaded.buckets,
  })
  try {
    await load(services.store, address, loaded, rows, onProgress)
    await verify(services.store, address, loaded, rows, onProgress)
  } catch (error) {
    await clean(services.store, address, loaded)
    throw error
  }
  const catalogRevision = await activateOrClean(services, target, address, loaded)
  // It is active: a manifest that stays behind doesn't make the publish a failed one. The catalog outranks it.
  await services.store.removeManifest(address).catch(() => undefined)
  const { bytes, buckets } = loaded
  return { generation, rows: rows.length, bytes, buckets, badRows, badRowsShown, longRows, catalogRevision }
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

async function load(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token }: LoadedGeneration,
  rows: readonly PackedRow[],
  onProgress: PublishRequest['onProgress'],
): Promise<void> {
  const rowsOf: PackedRow[][] = Array.from({ length: buckets }, () => [])
  for (const row of rows) rowsOf[bucketOf(row.rowKey, buckets)]!.push(row)
  for (let first = 0; first < buckets; first += limits.bucketsPerTrip) {
    const trip: Bucket[] = rowsOf
      .slice(first, first + limits.bucketsPerTrip)
      .map((bucketRows, index) => ({ number: first + index, rows: bucketRows }))
    await store.writeBuckets(address, token, trip)
    onProgress({ phase: 'writing', done: first + trip.length, total: buckets })
  }
}

/** Counts every bucket, and compares a sample of the rows byte for byte. */
async function verify(
  store: TableStore,
  address: GenerationAddress,
  { buckets, token }: LoadedGeneration,
  rows: readonly PackedRow[],
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
  if (counted !== rows.length) throw damaged(`${rows.length} rows were written, and ${counted} are there`)
  const stride = Math.ceil(rows.length / limits.rowsReadBackMax)
  const sample = rows.filter((_, index) => index % stride === 0)
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
