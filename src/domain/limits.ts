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
  kidCharactersMax: 128,
  revokedKidsPerIssuerMax: 256,
  overridesPerModelMax: 1_000,
  rowKeyPartsMax: 8,
  rowKeyBytesMax: 255,
  unitBytesMax: 255,
  parameterValuesMax: 1_024,
  parameterIdBytesMax: 128,
  ignoredParametersMax: 64,
  /** Of a parameter's name that nobody declared, as the answer has it. */
  parameterNameShownCharactersMax: 40,
  /** A field of a hash stays in a listpack up to 64 bytes (Redis `hash-max-listpack-value`). */
  listpackValueBytesMax: 64,
  /** Rows a bucket aims at; with it every bucket stays a listpack on all Redis versions (128 entries elsewhere than 7.0). */
  rowsPerBucket: 80,
  /** Buckets written, or asked for, in one trip: some 16,000 rows. */
  bucketsPerTrip: 200,
  /** A trip that takes no longer is never slow; a writer that was kept waiting rests at most so long before the next. */
  slowTripMs: 20,
  writerRestMsMax: 1_000,
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
  /** A publisher that doesn't renew its hold on a version for so long has lost it; a collector its turn. */
  leaseMs: 30_000,
  leaseRenewMs: 5_000,
  /** A publish that is over tells a Pushgateway so for so long at most. */
  metricsPushMsMax: 5_000,
  /** Processes that load one generation together. */
  shardsMax: 1_000,
  /** What is lost of a generation that several load is taken up again until so long after the last of them was heard of. */
  runLeaseMs: 900_000,
  /** How a run ended, and what its shards did, is known so long: whatever tries again after it isn't a run of its own. */
  runKnownMs: 86_400_000,
  /** How often a shard that waits for another process looks again. */
  runPollMs: 200,
  /** A name that Airflow or Kubernetes gave, as bytes of UTF-8. */
  runIdBytesMax: 250,
  /** Rows a bucket at most where `--expected-rows` was wrong: beyond what any Redis keeps compact. */
  rowsPerBucketMax: 512,
  /** From so many rows a bucket on, on average, some are beyond 128, where Redis other than 7.0 keeps them twice as large. */
  rowsPerBucketCompactMax: 100,
  /** Values of an enum that a shard counts, the commonest first: what it takes for exact shares of all shards together. */
  shardEnumValuesMax: 4_096,
  /** Source names that are kept of all shards together. */
  shardSourcesMax: 16,
  /** Before an activation, replicas are given so long to have what was written. */
  replicasWaitMs: 10_000,
  /** Gates compare with a previous generation of at least so many rows: the mean of ten says nothing. */
  gateComparedRowsMin: 100,
  /** Failed gates kept with a generation. */
  gateFindingsMax: 16,
  /** Values of an enum whose shares are kept, the commonest first. */
  enumSharesMax: 32,
  /** Buckets of the previous generation whose row keys are looked for in the new one: some 2,000. */
  retainedKeysBucketsMax: 25,
  /** Buckets that are written and measured before a table is loaded. */
  preflightBucketsMax: 8,
  /** Buckets looked at before an older generation becomes active again: a second's work, however large it is. */
  bucketsCheckedMax: 2_000,
  /** Requests that began before a change of the active generation, and gateways that hear of it late, still read the old one. */
  collectAfterActiveMs: 600_000,
  /** Generations that were refused or quarantined stay so long for whoever looks into them. */
  refusedKeptMs: 259_200_000,
  /** What is known of a generation stays so long after its rows are gone. */
  collectedKeptMs: 604_800_000,
  /** The same, by number: generations of a model. */
  collectedKeptMax: 100,
  tableAgeHoursMax: 8_760,
  /** Pause between two `UNLINK`s of at most `bucketsPerTrip` keys, so that readers come between. */
  unlinkPauseMs: 5,
  /** Erased units of a tenant that publishes leave out: some 40 MB of a publisher's memory. */
  suppressionsMax: 250_000,
  /** Of them, asked for in one trip. */
  suppressionsPerTrip: 5_000,
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
  /** What the caches have room for an entry, on average. */
  tokenCacheCharactersPerEntry: 1_024,
  tokenCacheMsMax: 60_000,
  /** Tokens kept that can't become good (wrong signature, expired, for others), so that their repetition costs no check. */
  refusedTokensMax: 10_000,
  /**
   * Signature checks that run at one time. libuv's pool has four threads; two checks for each keep all of them at
   * work: 12,200 to 12,700 checks of ES256 a second on 2 cores, as with four, and 13,100 to 15,500 with 64, behind
   * which others would wait for 5 ms.
   */
  verificationsAtOnceMax: 8,
  /** First sights that wait for their turn; at some 12,500 a second the last of an issuer's own waits for 80 ms. */
  verificationsWaitingPerIssuerMax: 1_024,
  verificationsWaitingMax: 4_096,
  /** Tokens of one issuer that wait for a fetch of its keys. */
  tokensAwaitingKeysMax: 1_024,
  /** Whatever a key server does, a fetch is over after this long. */
  keyFetchMsMax: 2_000,
  /** How long tokens wait for a fetch that a server's usual pace makes worth waiting for. */
  keyPatienceMsMin: 250,
  keyPatienceMsMax: 1_000,
  keyFetchesAtOnceMax: 64,
  /**
   * From one good answer of a key server to the next question. A key that it no longer shows is refused within 300 s:
   * this, what the two answers take, and five tries that fail in between, with the pauses between them.
   */
  keyRefreshMsMax: 240_000,
  /** Of the system's and TLS' words on why a fetch failed; a certificate's can be of any length. */
  keyFetchReasonCharactersMax: 200,
  keySetBytesMax: 65_536,
  keySetUrlCharactersMax: 2_048,
  /** How long fetched keys go on serving without another successful fetch: a key that was withdrawn is gone by then. */
  keySetMsMax: 86_400_000,
  /** From this age on, a key set counts as stale: some twenty fetches of it have failed. */
  keySetStaleMs: 3_600_000,
  /** Tokens with an unknown `kid` cause one fetch of their issuer's keys in this time, failed ones included. */
  keyFetchAskedMsMin: 30_000,
  privateKeyHostsMax: 256,
  clockToleranceSeconds: 30,
  /** A token's times lie before this: 10000-01-01T00:00:00Z in Unix seconds. */
  numericDateBelow: 253_402_300_800,
  rsaBitsMin: 2_048,
  /** What a check costs grows with the square of the modulus and with the length of the exponent. */
  rsaBitsMax: 8_192,
  rsaExponentBitsMax: 32,
  secretBytesMin: 32,
  /** Entries of a tenant's history; older ones leave. */
  historyEntriesMax: 1_000,
  historyEntriesPerTrip: 20,
  documentBytesMax: 1_048_576,
  /** A tenant's state in the catalog: some thousands of generations. */
  stateBytesMax: 8_388_608,
  /** Times that a change of generations is planned anew because another one came first. */
  catalogTriesMax: 20,
  /** A revision, a space and a token. */
  indexEntryBytesMax: 128,
  revisionBytesMax: 32,
  changeTokenBytesMax: 64,
  /** Tenants whose index entries are read in one trip. */
  indexEntriesPerTrip: 1_000,
  /** One file of the state directory: a tenant's document and state, each as text in JSON. */
  stateFileBytesMax: 268_435_456,
  /** Older temporary files of the state directory are a dead writer's. */
  stateTemporaryMsMax: 600_000,
  /** Tenants that one line of the log names. */
  tenantsLoggedMax: 20,
  /** Reasons of one outage that are said; those of a whole Cluster's nodes are one another's like. */
  outageReasonsSaidMax: 8,
  deadlineMsMin: 5,
  deadlineMsDefault: 50,
  deadlineMsMax: 10_000,
  /** What a request may ask for; the model's own is the earlier one then. */
  deadlineMsAskedMax: 999_999_999,
  nearCacheSecondsMax: 300,
  /** Public data is the same for everybody: a row that many ask for is read once in this time. */
  nearCacheSecondsPublic: 5,
  staleSecondsMax: 86_400,
  staleSecondsDefault: 3_600,
  nearCacheBytesDefault: 67_108_864,
  nearCacheBytesMax: 1_073_741_824,
  /**
   * What a kept copy takes beside the characters of its key and its bytes: heads of strings and objects, places in the
   * index and in the order of use. Measured with 1 M copies on Node 24: 168, and the index doubles as it grows.
   */
  nearCacheEntryBytes: 200,
  /** A copy is renewed this often at most by the reads of one token. */
  nearCacheRenewMs: 10_000,
  /** A read is joined by others of its row, and counts as owed, unless it was asked for so much earlier: Redis may have forgotten it. */
  sharedReadMsMax: 1_000,
  /** Of one table: from so many on, those that are over leave the list of those that can be joined. */
  sharedReadsSweptAt: 1_024,
  /** Reads that travel in one script call. */
  readsPerCallMax: 128,
  /** In Cluster. A slot may be on its way when a client's picture is old: two are common then. */
  redirectionsOfReadMax: 5,
  redirectionsOfCommandMax: 16,
  /** Reads of one process that wait at one time, those of one row included; the next one falls down the ladder at once. */
  readsInFlightMax: 16_384,
  /** A Redis that takes no longer is never too slow, whatever the reads' deadlines. */
  nodePatienceMsMin: 50,
  /** A connection may be silent for so long while a read's answer is due, or for as long as reads are given. */
  silenceMsMin: 250,
  /** And while it is being connected: each answer may take as long as the connection itself. */
  greetingSilenceMsMin: 500,
  /** What a Redis' breaker judges by: calls within this time, and at least so many of them. */
  breakerWindowMs: 1_000,
  breakerOutcomesMin: 5,
  /** Pauses between two probes of a Redis that failed, without jitter. */
  breakerProbeMsMin: 100,
  breakerProbeMsMax: 1_000,
  /** Nodes of a Cluster that have a breaker: as many as Redis allows for. */
  breakersMax: 1_000,
  /** However slow Redis is, it may owe the answers of so many reads: they find out when it is quick again. */
  readsInFlightMin: 16,
  /** Reads by whose pace the bound in flight is judged at a time. */
  readsJudgedMax: 256,
  /** How often event loop and heap are sampled, and of the heap that V8 may take, what may be used. */
  pressureSampleMs: 250,
  heapShareMax: 0.9,
  /** How often it is judged whether what waits to be accepted is stale; the queue is closed for as long. */
  acceptSampleMs: 100,
  /** Connections that the kernel keeps until they are accepted, as Node asks for. */
  acceptQueueMax: 511,
  /** A queue that was stale for so long is emptied; again sooner, for so long after it was emptied last. */
  acceptStaleMs: 1_000,
  acceptOverloadMs: 10_000,
  /**
   * An event loop that is at work for more than this part of a sample asks how long its newcomers wait. Little, since a
   * process that is held to a tenth of a core stands still while it asks the kernel for events, which counts as rest.
   */
  acceptBusyMin: 0.05,
  /** A gateway that misses so many heartbeats counts as dead. */
  heartbeatsMissedMax: 4,
  /** Of an error that ends the process, as the log has it. */
  errorStackCharactersMax: 8_192,
  /** Refusals whose bytes are kept: their words are the gateway's own, and few. */
  refusalsKeptMax: 64,
  acceptCacheEntriesMax: 256,
  /** A longer `Accept` admits nothing: 15 kB of ranges took 2 ms to weigh. Browsers send some 150. */
  acceptCharactersMax: 512,
  urlBytesMax: 4_096,
  headerBytesMax: 16_384,
  /** A body means nothing to the data plane: a smaller one is dropped, a larger one ends the connection. */
  bodyBytesDroppedMax: 16_384,
  /** Units of one batch; its answer, without what stands around the records; and its body: 1,000 of the longest units fit. */
  batchUnitsMax: 1_000,
  batchAnswerBytesMax: 4_194_304,
  batchBodyBytesMax: 262_144,
  /** A body that is larger is dropped, so that its client reads the answer; beyond this it ends the connection. */
  batchBodyBytesDroppedMax: 4_194_304,
  /** Batches of one tenant, and of all, that a process has at one time, those included whose bodies are on their way. */
  batchesPerTenantMax: 8,
  batchesMax: 32,
  /** How often connections are asked whether their request is late: those that are found together hold up everybody. */
  lateRequestCheckMs: 100,
  /** What a refused connection may still send, so that its client reads the answer before it is reset. */
  lingerMsMax: 1_000,
  /** How long a client may leave its answers unread; longer than any deadline, so that waiting for one is not meant. */
  unreadMsMax: 12_000,
  /** When listeners close after the drain: what a request that is still on its way may take, and silence. */
  closeArrivingMsMax: 2_000,
  /** And what an answer that is due may take: longer than any deadline, and as long as it may be left unread. */
  closeMsMax: 12_000,
  corsOriginsMax: 256,
  /** Browsers keep a preflight's answer at most so long (Chromium's own bound). */
  preflightSecondsMax: 7_200,
  trustedProxiesMax: 256,
  /** Of a path that is not known, as the log has it: too few for a token. */
  loggedPathCharactersMax: 32,
} as const
