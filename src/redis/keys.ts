/**
 * The only place where a Redis key is spelled. Ids hold neither ":" nor braces, so no id can reach into another's key.
 *
 *     rg:{rg-catalog}:tenants               set     every tenant
 *     rg:{rg-catalog}:issuers               hash    iss → tenant
 *     rg:{rg-catalog}:index:TENANT          string  "REVISION TOKEN"
 *     rg:{rg-catalog}:tenant:TENANT         hash    revision, token, document, state
 *     rg:{rg-catalog}:issuers-of:TENANT     set     the iss that the tenant claims
 *     rg:{rg-catalog}:history:TENANT        stream  REVISION-0: at, who, why, what, document
 *     rg:{rg-catalog}:generations:TENANT    hash    model → last number given
 *     rg:{rg-catalog}:suppressed:TENANT     hash    MODEL:HASH of an erased unit, :HASH for all models → who, when; "salt"
 *     rg:{rg-catalog}:gateways              sorted set  process of a gateway → until when it counts as alive, by Redis' clock
 *     rg:{rg-catalog}:changes               channel of announcements; the message is the tenant
 *     rg:m:TENANT:MODEL                     hash    generation → manifest of a publish under way, or failed
 *     rg:m:TENANT:MODEL:VERSION             string  who publishes the version; lapses
 *     rg:m:TENANT:MODEL:VERSION:RUN         string  how a run of several publishers ended; RUN is base64url; lapses
 *     rg:m:TENANT:MODEL::GENERATION:SHARD   string  who loads this part of a generation, or what came of it; lapses
 *     rg:m:TENANT:MODEL::GENERATION:finisher  string  who verifies and activates what all shards loaded; lapses
 *     rg:m:TENANT::collector                string  who collects the tenant's tables; lapses
 *     rg:t:TENANT:MODEL:GENERATION:BUCKET   hash    row key → packed record, "" → the generation's token
 *
 * Catalog keys share the hash tag {rg-catalog}: one script changes them together, in Redis Cluster, too. What a
 * publish changes stands under keys that end in its tenant, so that an ACL can keep publishers apart; `tenants` and
 * `issuers` are for administrators to write (docs/redis.md).
 */
const catalog = 'rg:{rg-catalog}'

export const catalogKeys = {
  tenants: `${catalog}:tenants`,
  issuers: `${catalog}:issuers`,
  changes: `${catalog}:changes`,
  gateways: `${catalog}:gateways`,
  index: (tenantId: string) => `${catalog}:index:${tenantId}`,
  tenant: (tenantId: string) => `${catalog}:tenant:${tenantId}`,
  issuersOf: (tenantId: string) => `${catalog}:issuers-of:${tenantId}`,
  history: (tenantId: string) => `${catalog}:history:${tenantId}`,
  generations: (tenantId: string) => `${catalog}:generations:${tenantId}`,
  suppressed: (tenantId: string) => `${catalog}:suppressed:${tenantId}`,
} as const

export const tableKeys = {
  manifests: (tenantId: string, modelId: string) => `rg:m:${tenantId}:${modelId}`,
  versionLease: (tenantId: string, modelId: string, versionId: string) =>
    `rg:m:${tenantId}:${modelId}:${versionId}`,
  run: (tenantId: string, modelId: string, versionId: string, runId: string) =>
    `rg:m:${tenantId}:${modelId}:${versionId}:${Buffer.from(runId).toString('base64url')}`,
  /** No version has an empty id. */
  shard: (tenantId: string, modelId: string, generation: number, shard: number | 'finisher') =>
    `rg:m:${tenantId}:${modelId}::${generation}:${shard}`,
  /** No model has an empty id. */
  collectorLease: (tenantId: string) => `rg:m:${tenantId}::collector`,
  /** The bucket's number follows. */
  bucketPrefix: (tenantId: string, modelId: string, generation: number) =>
    `rg:t:${tenantId}:${modelId}:${generation}:`,
} as const
