import type { RecordCodec } from '../domain/codec/codec.ts'
import type { RecordSchema } from '../domain/codec/record-schema.ts'
import type { Gates } from '../domain/gates.ts'
import type { KeyPart } from '../domain/snapshot.ts'
import type { TenantDocument } from '../domain/tenant-document.ts'
import type { TenantState } from '../domain/tenant-state.ts'
import type { Manifest } from './manifest.ts'

/**
 * What publishing asks of the world: rows to publish, which `sources/` gives from files; a place for tables, which is
 * `redis/table-store.ts`, with leases beside it; and the catalog.
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

/** What one server of the store says of its memory. */
export interface ServerMemory {
  readonly usedBytes: number
  /** Null where it has no limit. */
  readonly maxBytes: number | null
  /** What it does at the limit, e.g. `noeviction`. */
  readonly evictionPolicy: string
}

export interface TableStore {
  putManifest(address: GenerationAddress, manifest: Manifest): Promise<void>
  /** Writes `to` where exactly `from` stands; false: it doesn't. */
  replaceManifest(address: GenerationAddress, from: Manifest, to: Manifest): Promise<boolean>
  removeManifest(address: GenerationAddress): Promise<void>
  /** Throws FaultsError where what stands there is no manifest. */
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
  /** All rows of these buckets in one trip; null where a bucket lacks the token. */
  readBuckets(
    address: GenerationAddress,
    token: string,
    numbers: readonly number[],
  ): Promise<readonly (readonly PackedRow[] | null)[]>
  /** Takes rows away where their bucket has the token; answers how many of them were there. */
  removeRows(
    address: GenerationAddress,
    token: string,
    rows: readonly { readonly bucket: number; readonly rowKey: string }[],
  ): Promise<number>
  /** Takes so many away in one trip, those that aren't there included. */
  removeBuckets(address: GenerationAddress, first: number, count: number): Promise<void>
  /** Whether any generation was ever written there, and not removed. */
  exists(address: GenerationAddress): Promise<boolean>
  /** What each of these buckets takes of memory; null where the server doesn't tell. */
  bucketMemory(address: GenerationAddress, numbers: readonly number[]): Promise<readonly number[] | null>
  /** Of every server that takes writes; null where one doesn't tell. */
  serverMemory(): Promise<readonly ServerMemory[] | null>
  /** Waits until replicas have what was written so far, for so long at most; `missing` don't have it then. */
  replicated(timeoutMs: number): Promise<{ readonly replicas: number; readonly missing: number }>
}

/**
 * Who has the right to do something, for as long as he keeps renewing it. Time is the store's own, so that no two
 * machines' clocks are compared.
 */
export interface LeaseStore {
  /** Null: it is `holder`'s now. Else whose it is. */
  take(name: LeaseName, holder: string, leaseMs: number): Promise<string | null>
  /** Also where it has lapsed and nobody took it since. False: it is another's. */
  renew(name: LeaseName, holder: string, leaseMs: number): Promise<boolean>
  release(name: LeaseName, holder: string): Promise<void>
  holder(name: LeaseName): Promise<string | null>
}

/** One publish of a version at a time; one collector of a tenant at a time. */
export type LeaseName =
  | {
      readonly lease: 'version'
      readonly tenantId: string
      readonly modelId: string
      readonly versionId: string
    }
  | { readonly lease: 'collector'; readonly tenantId: string }

/** What a publish needs to know of the version that it publishes. */
export interface PublishTarget {
  readonly tenantId: string
  readonly modelId: string
  readonly versionId: string
  readonly key: readonly KeyPart[]
  readonly record: RecordSchema
  readonly codec: RecordCodec
  readonly gates: Gates
}

/** Whose rows publishes of a tenant leave out: players who were erased, and are named nowhere. */
export interface Suppressions {
  /** Random, the tenant's own: nobody's hash is the same with two tenants. */
  readonly salt: string
  /** `MODEL:HASH`, or `:HASH` for all models, with hashes by `suppressionHash`. */
  readonly entries: ReadonlySet<string>
}

export interface SuppressionStore {
  /** Null while nobody was ever erased. Throws OperationError where there are more than `limits.suppressionsMax`. */
  read(tenantId: string): Promise<Suppressions | null>
  /** The tenant's salt; where it has none, `fresh` is it from then on. */
  saltOf(tenantId: string, fresh: string): Promise<string>
  /**
   * Entries that stand there stay as they are; answers how many are new. Throws OperationError where there would be too
   * many: then none is written.
   */
  add(tenantId: string, entries: readonly string[], note: SuppressionNote): Promise<number>
  /** Answers how many of them were there. */
  remove(tenantId: string, entries: readonly string[]): Promise<number>
}

/** Kept with an entry, for people. */
interface SuppressionNote {
  /** RFC 3339. */
  readonly at: string
  readonly by: string
}

/** A tenant as the catalog has it. */
export interface LiveTables {
  readonly document: TenantDocument
  readonly state: TenantState
}

export interface TablesChange {
  readonly state: TenantState
  /** For the history, one line each. */
  readonly what: readonly string[]
}

/** What publishing asks of the catalog; who changes it and why is settled already. */
export interface GenerationCatalog {
  /** The next number of the model's one counter. */
  nextGeneration(tenantId: string, modelId: string): Promise<number>
  /** Throws OperationError where there is no such tenant. */
  read(tenantId: string): Promise<LiveTables>
  /** Whom publishes leave out; null: nobody. */
  suppressions(tenantId: string): Promise<Suppressions | null>
  /**
   * One change of the generations, planned anew each time somebody else's came between; null: there is nothing to change.
   * Answers the catalog revision. What `plan` throws ends it.
   */
  change(
    tenantId: string,
    plan: (live: LiveTables) => TablesChange | null | Promise<TablesChange | null>,
  ): Promise<number>
}
