/** Every metric's name, help and labels, in one place; docs/metrics.md is compared with it by a test. These are a gateway's. */
export const metricNames = {
  requests: {
    name: 'recgate_requests_total',
    help: 'Requests for recommendations, by what was answered; labels are empty where a refusal came before they were known',
    labels: ['tenant', 'model', 'version', 'reason', 'cause', 'format', 'status'],
  },
  refusals: {
    name: 'recgate_refusals_total',
    help: 'Refused requests and batches by problem code; the tenant is empty until the token has verified',
    labels: ['tenant', 'code'],
  },
  duration: {
    name: 'recgate_request_duration_seconds',
    help: 'From the request read to the answer written; refusals before a tenant is known count under an empty one',
    labels: ['tenant', 'model'],
  },
  batches: {
    name: 'recgate_batches_total',
    help: 'Batches, by how they were answered as a whole; the tenant is empty until the token has verified, the model for refusals',
    labels: ['tenant', 'model', 'status'],
  },
  batchUnits: {
    name: 'recgate_batch_units_total',
    help: 'Units of batches, by what was answered, as requests for one; a unit that failed alone has a status of its own',
    labels: ['tenant', 'model', 'version', 'reason', 'cause', 'format', 'status'],
  },
  batchDuration: {
    name: 'recgate_batch_duration_seconds',
    help: 'From the body of a batch read to the answer written; refusals under an empty model',
    labels: ['tenant', 'model'],
  },
  connectionsOpen: {
    name: 'recgate_connections_open',
    help: 'Open connections of the data plane',
    labels: [],
  },
  connectionsDropped: {
    name: 'recgate_connections_dropped_total',
    help: 'Connections of the data plane that were closed unread, because data.connectionsMax were open',
    labels: [],
  },
  acceptQueueFlushed: {
    name: 'recgate_accept_queue_flushed_total',
    help: 'Times that connections which waited to be accepted were reset, because requests waited too long for their turn, or they to be accepted',
    labels: [],
  },
  storeBreakerOpen: {
    name: 'recgate_store_breaker_open',
    help: 'Whether reads are answered without this Redis, because it fails them: 1 or 0, by node',
    labels: ['node'],
  },
  storeBreakerOpened: {
    name: 'recgate_store_breaker_opened_total',
    help: 'Times that a Redis was found to fail reads',
    labels: [],
  },
  inFlight: {
    name: 'recgate_in_flight',
    help: 'Requests for recommendations that are being answered',
    labels: [],
  },
  readsInFlight: {
    name: 'recgate_reads_in_flight',
    help: 'Reads that Redis has not answered yet; those of one row at one time are one',
    labels: [],
  },
  readsInFlightMax: {
    name: 'recgate_reads_in_flight_max',
    help: 'How many there may be at present: fewer than data.readsInFlightMax while Redis has more to do than it can; those beyond have the cause shed',
    labels: [],
  },
  processesLive: {
    name: 'recgate_processes_live',
    help: 'Gateways that share the quotas of tenants, as last known',
    labels: [],
  },
  uncaughtErrors: {
    name: 'recgate_uncaught_errors_total',
    help: 'Errors that nothing caught; the first one ends the process',
    labels: [],
  },
  catalogRevision: {
    name: 'recgate_catalog_revision',
    help: 'The catalog revision that is served, by tenant',
    labels: ['tenant'],
  },
  catalogBroken: {
    name: 'recgate_catalog_broken_tenants',
    help: 'Tenants whose newest catalog entry can not be served, by why; their last good one is',
    labels: ['problem'],
  },
  catalogTenants: {
    name: 'recgate_catalog_tenants',
    help: 'Tenants that are served, by where their entry stands: in the catalog, or only on disk',
    labels: ['source'],
  },
  catalogReadAge: {
    name: 'recgate_catalog_read_age_seconds',
    help: 'Since the catalog was last read; since the process began until it was read once',
    labels: [],
  },
  stateWrites: {
    name: 'recgate_state_writes_total',
    help: 'Files of the state directory, by whether they could be written; a failed one is tried again',
    labels: ['outcome'],
  },
  tableRows: {
    name: 'recgate_table_rows',
    help: 'Rows of the active generation, by version',
    labels: ['tenant', 'model', 'version'],
  },
  tableBytes: {
    name: 'recgate_table_bytes',
    help: 'Row keys and packed records of the active generation, without what Redis adds, by version',
    labels: ['tenant', 'model', 'version'],
  },
  tableAge: {
    name: 'recgate_table_age_seconds',
    help: 'Since the active generation was published, by version',
    labels: ['tenant', 'model', 'version'],
  },
  tableAgeMax: {
    name: 'recgate_table_max_age_seconds',
    help: 'How old the active generation may become, where the document says so (maxAgeHours), by version',
    labels: ['tenant', 'model', 'version'],
  },
  publishLastSuccess: {
    name: 'recgate_publish_last_success_timestamp_seconds',
    help: 'When the newest generation that became active was published, in Unix time, by version',
    labels: ['tenant', 'model', 'version'],
  },
  publishRefused: {
    name: 'recgate_publish_refused',
    help: 'Whether the newest generation never became active, by version and by what stands against it',
    labels: ['tenant', 'model', 'version', 'by'],
  },
  publishGenerations: {
    name: 'recgate_publish_generations',
    help: 'Generations in Redis that the catalog knows, by version and state',
    labels: ['tenant', 'model', 'version', 'state'],
  },
  jwksAge: {
    name: 'recgate_jwks_age_seconds',
    help: "Since an issuer's keys were last fetched from its URL, or since they were needed where no fetch has succeeded",
    labels: ['tenant', 'issuer'],
  },
  jwksStale: {
    name: 'recgate_jwks_stale_issuers',
    help: 'Issuers whose keys are older than an hour; after a day they verify nothing any more',
    labels: [],
  },
  jwksFetches: {
    name: 'recgate_jwks_fetches_total',
    help: 'Fetches of key sets by outcome',
    labels: ['tenant', 'outcome'],
  },
  nearCacheEntries: {
    name: 'recgate_near_cache_entries',
    help: 'Copies of records that this process keeps, by tenant',
    labels: ['tenant'],
  },
  nearCacheBytes: {
    name: 'recgate_near_cache_bytes',
    help: 'What those copies take, estimated; all tenants together stay within nearCacheBytes',
    labels: ['tenant'],
  },
  nearCacheAnswers: {
    name: 'recgate_near_cache_answers_total',
    help: 'Copies that answered: in place of a read (fresh), or because Redis did not (stale)',
    labels: ['tenant', 'kind'],
  },
  nearCacheEvictions: {
    name: 'recgate_near_cache_evictions_total',
    help: 'Copies that made room for others',
    labels: ['tenant'],
  },
} as const

/** What `recgate publish` tells of itself. */
export const publishMetricNames = {
  outcome: {
    name: 'recgate_publish_outcome',
    help: 'How the last publish ended: 1 for its outcome, 0 for the others',
    labels: ['tenant', 'model', 'version', 'outcome'],
  },
  timestamp: {
    name: 'recgate_publish_timestamp_seconds',
    help: 'When the last publish ended, however it did, in Unix time',
    labels: ['tenant', 'model', 'version'],
  },
  duration: {
    name: 'recgate_publish_duration_seconds',
    help: 'How long the last publish took, however it ended',
    labels: ['tenant', 'model', 'version'],
  },
  rows: {
    name: 'recgate_publish_rows',
    help: 'Rows of the table that was published last',
    labels: ['tenant', 'model', 'version'],
  },
  badRows: {
    name: 'recgate_publish_bad_rows',
    help: 'Rows that the last publish left out, since they did not fit',
    labels: ['tenant', 'model', 'version'],
  },
  bytes: {
    name: 'recgate_publish_bytes',
    help: 'Row keys and packed records of the table that was published last, without what Redis adds',
    labels: ['tenant', 'model', 'version'],
  },
  memory: {
    name: 'recgate_publish_memory_bytes',
    help: 'What Redis takes for the table that was published last, by a sample',
    labels: ['tenant', 'model', 'version'],
  },
} as const

/** As prom-client takes it. */
export function described<L extends string>({
  name,
  help,
  labels,
}: {
  readonly name: string
  readonly help: string
  readonly labels: readonly L[]
}) {
  return { name, help, labelNames: labels }
}

/** Upper bounds in seconds; the deadline's default, 50 ms, is one of them. */
export const durationBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 1,
] as const
