/** Every metric's name, help and labels, in one table; docs/metrics.md is compared with it by a test. */
export const metricNames = {
  requests: {
    name: 'recgate_requests_total',
    help: 'Requests for recommendations, by what was answered; labels are empty where a refusal came before they were known',
    labels: ['tenant', 'model', 'version', 'reason', 'cause', 'format', 'status'],
  },
  refusals: {
    name: 'recgate_refusals_total',
    help: 'Refused requests by problem code; the tenant is empty until the token has verified',
    labels: ['tenant', 'code'],
  },
  duration: {
    name: 'recgate_request_duration_seconds',
    help: 'From the request read to the answer written; refusals before a tenant is known count under an empty one',
    labels: ['tenant', 'model'],
  },
  catalogRevision: {
    name: 'recgate_catalog_revision',
    help: 'The catalog revision that is served, by tenant',
    labels: ['tenant'],
  },
  catalogBroken: {
    name: 'recgate_catalog_broken_tenants',
    help: 'Tenants whose newest catalog entry can not be served; their last good one is',
    labels: [],
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
} as const

/** Upper bounds in seconds; the deadline's default, 50 ms, is one of them. */
export const durationBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 1,
] as const
