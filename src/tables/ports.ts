import type { RecordCodec } from '../domain/codec/codec.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import type { KeyPart } from '../domain/snapshot.ts'

/**
 * What publishing asks of the world: rows to publish, which `sources/` gives from files; a place for tables, which is
 * `redis/table-store.ts`; and the catalog.
 */

/**
 * One value of a row. Integers that a double can't hold exactly are bigints, all others numbers; an absent value is
 * null.
 */
export type SourceValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly SourceValue[]
  | { readonly [name: string]: SourceValue }

/** The values of one column in a batch. */
export interface SourceColumn {
  /** `row` counts from 0 within the batch. A list or a date is only good until the next call. */
  at(row: number): SourceValue
}

/** At most a few thousand rows, good until the next batch is asked for. */
export interface RowBatch {
  /** Where the rows come from, as the user named it; `query result` for a query over several files. */
  readonly file: string
  /** The first row's number, from 1, within that file's data (a header doesn't count) or within the query's result. */
  readonly firstRow: number
  readonly rowCount: number
  /** In the order of `RowSource.columns`. */
  readonly columns: readonly SourceColumn[]
}

/** Rows to read once or more: each `batches()` starts anew. Files must stay as they are until `close()`. */
export interface RowSource {
  /** Column names; none stands twice. */
  readonly columns: readonly string[]
  /** All rows that `batches()` will give, or null where nothing tells them beforehand; for a progress bar. */
  readonly rowsExpected: number | null
  /**
   * Batches of rows in file order, files in the order given; none when a query finds no row.
   * @throws OperationError naming the file, when its data turns out damaged or holds what no value can express.
   */
  batches(): AsyncIterable<RowBatch>
  /** Frees memory and temporary files; unfinished `batches()` must not be read on. */
  close(): Promise<void>
}

/** A hash as a row: its key, and its fields with their values, all of them text. */
export interface KeyedHash {
  readonly key: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** What one step of reading hashes met; a step may be empty. */
export interface HashPage {
  readonly hashes: readonly KeyedHash[]
  /** Keys that match and hold something else than a hash. */
  readonly otherKeys: readonly string[]
}

/** Hashes of a Redis, one for each row, as spark-redis writes them. Read only. */
export interface HashSource {
  /**
   * Every hash whose key matches the pattern, in no order. A key may come more than once, and one that is written
   * meanwhile may come or not.
   * @throws OperationError naming a key or field that isn't UTF-8, or that may not be read.
   */
  pages(pattern: string): AsyncIterable<HashPage>
}

/** One generation of one model's tables. */
export interface GenerationAddress {
  readonly tenantId: string
  readonly modelId: string
  readonly generation: number
}

export interface PackedRow {
  readonly rowKey: string
  readonly packed: Uint8Array
}

/** Where a row lies in `data`: the row key's UTF-8 from `keyStart` to `keyEnd`, its record from there to `recordEnd`. */
export interface BucketRow {
  readonly data: Buffer
  readonly keyStart: number
  readonly keyEnd: number
  readonly recordEnd: number
}

/** All rows of one bucket; it is written at once, with the generation's token. */
export interface Bucket {
  readonly number: number
  readonly rows: readonly BucketRow[]
}

/** A publish under way, or one that died: what the catalog doesn't know of yet. */
export interface Manifest {
  readonly version: string
  /** RFC 3339. */
  readonly startedAt: string
  readonly by: string
  readonly source: readonly string[]
  readonly rows: number
  readonly buckets: number
}

export interface TableStore {
  putManifest(address: GenerationAddress, manifest: Manifest): Promise<void>
  removeManifest(address: GenerationAddress): Promise<void>
  manifests(tenantId: string, modelId: string): Promise<ReadonlyMap<number, Manifest>>
  /** Writes whole buckets in one trip. */
  writeBuckets(address: GenerationAddress, token: string, buckets: readonly Bucket[]): Promise<void>
  /** Rows in each of the buckets `first` to `first + count - 1`; -1 where a bucket lacks the token. */
  rowCounts(
    address: GenerationAddress,
    token: string,
    first: number,
    count: number,
  ): Promise<readonly number[]>
  /** The packed records of these rows, null where there is none. */
  readRows(
    address: GenerationAddress,
    rows: readonly { readonly bucket: number; readonly rowKey: string }[],
  ): Promise<readonly (Uint8Array | null)[]>
  removeBuckets(address: GenerationAddress, buckets: number): Promise<void>
  /** Whether any generation was ever written there, and not removed. */
  exists(address: GenerationAddress): Promise<boolean>
}

/** What a publish needs to know of the version that it publishes. */
export interface PublishTarget {
  readonly tenantId: string
  readonly modelId: string
  readonly versionId: string
  readonly key: readonly KeyPart[]
  readonly record: RecordSchema
  readonly codec: RecordCodec
}

/** What publishing asks of the catalog. */
export interface GenerationCatalog {
  /** The next number of the model's one counter. */
  nextGeneration(target: PublishTarget): Promise<number>
  /** Makes a loaded generation the active one; answers the catalog revision. */
  activate(target: PublishTarget, loaded: LoadedGeneration): Promise<number>
}

export interface LoadedGeneration {
  readonly generation: number
  readonly token: string
  readonly rows: number
  /** Row keys and packed records, without what Redis adds. */
  readonly bytes: number
  readonly buckets: number
  readonly recordRevision: number
  readonly source: readonly string[]
}
