/**
 * Everything that can grow has its bound here, so that one page answers "how much at most?".
 * Units stand last in each name.
 */
export const limits = {
  /** Slots of an allocation: a weight is a percent with two decimals, so 10,000 express every weight exactly. */
  slots: 10_000,
  /** Allocations kept a model; the planner looks for a way back among them. */
  allocationHistoryMax: 32,
  versionsPerModelMax: 32,
  modelsPerTenantMax: 256,
  issuersPerTenantMax: 32,
  keysPerIssuerMax: 32,
  /** Keys tried for a token that names no `kid`. */
  keysTriedWithoutKidMax: 4,
  overridesPerModelMax: 1_000,
  rowKeyPartsMax: 8,
  rowKeyBytesMax: 255,
  unitBytesMax: 255,
  parameterValuesMax: 1_024,
  parameterIdBytesMax: 128,
  ignoredParametersMax: 64,
  /** A field of a hash stays in a listpack up to 64 bytes (Redis `hash-max-listpack-value`). */
  listpackValueBytesMax: 64,
  /** Rows a bucket aims at; with it every bucket stays a listpack on all Redis versions (128 entries elsewhere than 7.0). */
  rowsPerBucket: 80,
  /** Buckets written, or asked for, in one trip: some 16,000 rows. */
  bucketsPerTrip: 200,
  /** Files of one publish, those that directories and patterns give included. */
  sourceFilesMax: 10_000,
  /** Different field names of hashes that are read as rows: a hash of thousands is no row. */
  hashFieldsMax: 1_000,
  /** Tells keys that came before; 10 M of them are mistaken for one another in 1 of 2,700 cases, which only costs time. */
  seenKeysBytes: 33_554_432,
  /** Keys that a SCAN is asked for at a time, and hashes read in one trip. */
  hashesPerTrip: 500,
  /** Keys shown of those that were left out. */
  leftOutShownMax: 20,
  /** DuckDB's buffers where they may stay small, and where a query needs more. */
  queryBytesSmall: 67_108_864,
  queryBytesMax: 1_073_741_824,
  /** Rows that one partition of a publish aims at. */
  rowsPerPartition: 200_000,
  /** Of the row key's hash: at most 1,024 partitions, and as many temporary files. */
  partitionBitsMax: 10,
  /** Packed rows of a publish in memory; what is more lies in temporary files. */
  partitionBytesInMemoryMax: 67_108_864,
  /** Rows read back and compared after a publish. */
  rowsReadBackMax: 1_000,
  /** Bad rows that a report shows one by one. */
  badRowsShownMax: 20,
  recordFieldsMax: 128,
  recordDepthMax: 4,
  recordRevisionMax: 255,
  enumValuesMax: 65_536,
  enumValueBytesMax: 255,
  listItemsMax: 4_095,
  /** Worst-case packed bytes that a record schema may need. */
  recordBytesMax: 16_384,
  /** Worst-case values in one record, those that take no bits included: what bounds the work of reading hostile bytes. */
  recordValuesMax: 16_384,
  /** A `fixed` field of at most this many steps keeps each one's JSON text once it was needed. */
  fixedTextsStepsMax: 4_096,
  tokenBytesMax: 8_192,
  tokenCacheEntriesMax: 50_000,
  tokenCacheMsMax: 60_000,
  clockToleranceSeconds: 30,
  rsaBitsMin: 2_048,
  secretBytesMin: 32,
  /** Entries of a tenant's history; older ones leave. */
  historyEntriesMax: 1_000,
  documentBytesMax: 1_048_576,
  deadlineMsMin: 5,
  deadlineMsDefault: 50,
  deadlineMsMax: 10_000,
  /** Reads that travel in one script call. */
  readsPerCallMax: 128,
  /** Reads that wait for Redis at one time in one process; the next one falls down the ladder at once. */
  readsInFlightMax: 16_384,
  acceptCacheEntriesMax: 256,
  urlBytesMax: 4_096,
  headerBytesMax: 16_384,
} as const
