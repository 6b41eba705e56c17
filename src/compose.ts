import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { describeSnapshotsEvent } from './catalog/describe-snapshots-event.ts'
import { createGenerationCatalog } from './catalog/generation-catalog.ts'
import type { CatalogStore } from './catalog/ports.ts'
import { type WatchedSnapshots, watchSnapshots } from './catalog/snapshots.ts'
import { createTenantViews } from './catalog/tenant-views.ts'
import { describeStateEvent } from './disk/describe-state-event.ts'
import { createSavedCatalog } from './disk/saved-catalog.ts'
import { openStateDirectory, type StateDirectory } from './disk/state-directory.ts'
import { describeUncaught } from './domain/describe-uncaught.ts'
import type { LogLine } from './domain/log-line.ts'
import { rounded } from './domain/rounded.ts'
import { buildAdminPlane } from './http/admin/server.ts'
import { createRequestGate } from './http/data/request-gate.ts'
import type { ServedRequest } from './http/data/request-log.ts'
import { buildDataPlane } from './http/data/server.ts'
import { createListeners, type Listeners } from './http/listeners.ts'
import { defaultServer, describeDataPlane } from './http/openapi/describe-data-plane.ts'
import { buildOpsPlane } from './http/ops/server.ts'
import { describeKeyEvent } from './jwt/describe-key-event.ts'
import { type DevelopmentKey, developmentTrustedIssuer } from './jwt/development-key.ts'
import { createIssuers } from './jwt/issuer-keys.ts'
import { createKeyFetcher } from './jwt/key-fetch.ts'
import { createKeySets, type KeySets } from './jwt/key-sets.ts'
import { checkSavedKeys } from './jwt/saved-keys.ts'
import { createTokenVerifier } from './jwt/token-verifier.ts'
import { registerCatalogMetrics, registerStateMetrics } from './metrics/catalog-metrics.ts'
import { createFlushCounter, registerConnectionMetrics } from './metrics/connection-metrics.ts'
import { registerKeyMetrics } from './metrics/key-metrics.ts'
import { registerNearCacheMetrics } from './metrics/near-cache-metrics.ts'
import { registerOverloadMetrics } from './metrics/overload-metrics.ts'
import { createServingMetrics } from './metrics/serving-metrics.ts'
import { registerStoreMetrics } from './metrics/store-metrics.ts'
import { createUncaughtCounter } from './metrics/uncaught-errors.ts'
import { packageVersion } from './package-version.ts'
import { createCatalogAnnouncements } from './redis/catalog-announcements.ts'
import { createCatalogStore } from './redis/catalog-store.ts'
import {
  createRedisClient,
  createSubscriberClients,
  type RedisClient,
  type RedisConnection,
  redisReady,
  type SubscriberClients,
} from './redis/client.ts'
import type { RedisRole } from './redis/client-options.ts'
import { watchCoverage } from './redis/cluster-coverage.ts'
import { describeBreakerEvent } from './redis/describe-breaker-event.ts'
import { isForbidden } from './redis/forbidden.ts'
import { createHashSource } from './redis/hash-source.ts'
import { tableKeys } from './redis/keys.ts'
import { createLeaseStore } from './redis/lease-store.ts'
import { createLiveProcesses } from './redis/live-processes.ts'
import { sayReasonsOnce } from './redis/outage-reasons.ts'
import { createRecordReader } from './redis/record-reader.ts'
import { watchEngine } from './redis/server-state.ts'
import { createSuppressionStore } from './redis/suppression-store.ts'
import { createTableStore } from './redis/table-store.ts'
import { createNearCache, type NearCache } from './serving/near-cache.ts'
import { countProcesses, type ProcessCount } from './serving/process-count.ts'
import { createReadBound } from './serving/read-bound.ts'
import { createRecommend } from './serving/recommend.ts'
import { createRecommendBatch } from './serving/recommend-batch.ts'
import { createTenantQuotas, type TenantQuotas } from './serving/tenant-quotas.ts'
import { readKeyAuthorities } from './settings/load.ts'
import { resolveRedis } from './settings/redis-endpoint.ts'
import type { Settings } from './settings/schema.ts'
import { SettingsError } from './settings/settings-error.ts'
import { collectTables } from './tables/collect.ts'
import { startCollector } from './tables/collector.ts'
import { describeCollectorEvent } from './tables/describe-collector-event.ts'
import type {
  GenerationCatalog,
  HashSource,
  LeaseStore,
  SuppressionStore,
  TableStore,
} from './tables/ports.ts'

/** The only file that constructs adapters: one function a process. */

/** Salts, tokens of generations and of catalog changes: 96 random bits. */
export function randomToken(): string {
  return randomBytes(12).toString('base64url')
}

export const planes = ['data', 'admin', 'ops'] as const
export type Plane = (typeof planes)[number]

export interface GatewayOptions {
  readonly settings: Settings
  readonly resolveSecret: (tenantId: string, secretRef: string) => Uint8Array | null
  readonly planes: readonly Plane[]
  /** Trusted for every tenant; null in production. */
  readonly developmentKey: DevelopmentKey | null
  readonly log: Logger
}

export interface Gateway {
  /** Binds the listeners; answers where. The catalog is loaded in the background until it's there. */
  start(): Promise<Readonly<Partial<Record<Plane, string>>>>
  readonly snapshots: WatchedSnapshots
  /** Logs and counts an error that nothing caught. */
  noteUncaught(error: unknown): void
  /** Unready → answers go on with `Connection: close` → closed. */
  stop(): Promise<void>
}

/** The first connections take milliseconds; after this long the gateway starts unready. */
const gatewayConnectMs = 2_000

/** Whoever gave a command waits for its end, and is told then why Redis can't be reached. */
const toolConnectMs = 5_000

/** In the state directory. */
const savedKeysName = 'keys'

/** `recgate serve`. Throws SettingsError where the state directory can't be written. */
export function composeGateway(options: GatewayOptions): Gateway {
  const { settings, log } = options
  const state = settings.stateDir === undefined ? null : openState(settings.stateDir, log)
  const keySets = composeKeySets(settings, state, log)
  const connectionOf = createConnections(settings, log)
  const readsClient = createRedisClient('reads', connectionOf('reads'))
  const catalogClient = createRedisClient('catalog', connectionOf('catalog'))
  const store = createCatalogStore(catalogClient, randomToken)
  const subscribers = createSubscriberClients(connectionOf('subscriber'))
  const nearCache = createNearCache(settings.nearCacheBytes)
  const quotas = createTenantQuotas()
  const snapshots = composeSnapshots(options, { store, subscribers, keySets, nearCache, state, quotas })
  // The announcements' connection may have been back before this one.
  catalogClient.on('ready', () => snapshots.refresh())
  const registry = new Registry()
  const metrics = createServingMetrics(registry)
  registerCatalogMetrics(registry, snapshots)
  registerStateMetrics(registry, () => state?.writes() ?? { done: 0, failed: 0 })
  registerKeyMetrics(registry, keySets)
  registerNearCacheMetrics(registry, nearCache)
  const onUnexpected = (error: Error) => log.error({ err: error }, 'unexpected error')
  const countUncaught = createUncaughtCounter(registry)
  const gate = createRequestGate(settings.data)
  const readBound = createReadBound(settings.data.readsInFlightMax)
  const processes = composeProcessCount(settings, catalogClient, quotas, log)
  registerOverloadMetrics(registry, {
    requests: gate.inFlight,
    reads: readBound.inFlight,
    readsMax: readBound.size,
    processes: processes.current,
  })
  watchCoverage(readsClient, () =>
    log.warn(
      'the Redis Cluster answers for no row as long as one slot has no master: set cluster-require-full-coverage to no (docs/redis.md)',
    ),
  )
  const engine = watchEngine(readsClient, (found) => log.info({ engine: found }, 'Redis connected'))

  const servers = {
    data: () => {
      const reader = createRecordReader(readsClient, {
        bound: readBound,
        report: (event) => write(log, describeBreakerEvent(event)),
      })
      registerStoreMetrics(registry, reader.breakers)
      const verifier = createTokenVerifier()
      const serving = { verifier, snapshots, reader, nearCache, quotas }
      const services = {
        recommend: createRecommend(serving),
        recommendBatch: createRecommendBatch(serving),
        metrics,
        gate,
        isDraining: () => listeners.isDraining(),
        requestLog: log.isLevelEnabled('debug')
          ? (served: ServedRequest) =>
              log.debug({ ...served, durationMs: rounded(served.durationMs) }, 'request')
          : null,
        onUnexpected,
        onAcceptQueueFlushed: createFlushCounter(registry),
      }
      const { data: bounds, cors, trustProxy } = settings
      const app = buildDataPlane(services, { bounds, corsOrigins: cors.origins, trustProxy })
      registerConnectionMetrics(registry, app.server)
      return app
    },
    admin: () =>
      buildAdminPlane({
        ...createTenantViews(store),
        token: settings.adminToken ?? null,
        openApi: describeDataPlane({ version: packageVersion(), server: defaultServer }),
        onUnexpected,
      }),
    ops: () =>
      buildOpsPlane({
        readiness: () => ({
          ready: listeners.isBound() && !listeners.isDraining() && snapshots.status().ready,
          detail: { draining: listeners.isDraining(), engine: engine(), catalog: snapshots.status() },
        }),
        scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
      }),
  }
  const listeners: Listeners<Plane> = createListeners(
    options.planes.map((plane) => ({
      name: plane,
      app: servers[plane](),
      at: settings[plane],
      setting: `${plane}.port (RECGATE_${plane.toUpperCase()}_PORT)`,
    })),
  )
  const collector =
    options.planes.includes('admin') && settings.collectEveryMs > 0
      ? composeCollector(settings, createRedisClient('tables', connectionOf('tables')), store, log)
      : null
  const clients = [catalogClient, readsClient]
  const { drainMs } = settings
  const sharing = options.planes.includes('data') ? processes : null
  return {
    ...gatewayOf({ clients, listeners, snapshots, keySets, state, collector, sharing, drainMs }),
    noteUncaught(error) {
      countUncaught()
      write(log, describeUncaught(error))
    },
  }
}

/** Of those that answer requests: each gives its share of a tenant's quota. */
function composeProcessCount(
  settings: Settings,
  client: RedisClient,
  quotas: TenantQuotas,
  log: Logger,
): ProcessCount {
  return countProcesses({
    roll: createLiveProcesses(client, randomToken()),
    everyMs: settings.heartbeatMs,
    onCount: quotas.shareAmong,
    isForbidden,
    onForbidden: ({ message }) =>
      log.warn(
        { reason: message },
        'Redis forbids saying that this gateway lives: each gives the whole of a quota, or its last known share (docs/redis.md)',
      ),
  })
}

/** The live keys of the tenants' key servers. */
function composeKeySets(settings: Settings, state: StateDirectory | null, log: Logger): KeySets {
  const keySets = createKeySets({
    fetchKeys: createKeyFetcher({
      privateHosts: settings.jwksPrivateHosts,
      extraAuthorities: readKeyAuthorities(settings),
    }),
    report: (event) => write(log, describeKeyEvent(event)),
    onKeysChanged: () => state?.write(savedKeysName, keySets.savedKeys()),
  })
  return keySets
}

/** The catalog as requests see it. */
function composeSnapshots(
  { settings, resolveSecret, developmentKey, log }: GatewayOptions,
  parts: {
    readonly store: CatalogStore
    readonly subscribers: SubscriberClients
    readonly keySets: KeySets
    readonly nearCache: NearCache
    readonly state: StateDirectory | null
    readonly quotas: TenantQuotas
  },
): WatchedSnapshots {
  const { store, subscribers, keySets, nearCache, state, quotas } = parts
  const { issuerFor } = createIssuers({ resolveSecret, keySetFor: keySets.keySetFor })
  return watchSnapshots({
    store,
    announcements: createCatalogAnnouncements({ clients: subscribers }),
    saved: state === null ? null : createSavedCatalog(state),
    environment: { issuerFor, bucketPrefix: tableKeys.bucketPrefix },
    extraIssuers: (tenantId) =>
      developmentKey === null ? [] : [developmentTrustedIssuer(developmentKey, tenantId)],
    pollMs: settings.catalogPollMs,
    report: (event) => write(log, describeSnapshotsEvent(event)),
    onSwap(snapshot) {
      quotas.follow(snapshot)
      keySets.follow(snapshot)
      nearCache.follow(snapshot)
    },
  })
}

interface GatewayParts {
  /** Of the catalog and of the tables: waited for at the start. */
  readonly clients: readonly RedisClient[]
  readonly listeners: Listeners<Plane>
  readonly snapshots: WatchedSnapshots
  readonly keySets: KeySets
  readonly state: StateDirectory | null
  readonly collector: { close(): Promise<void> } | null
  /** Null where no requests are answered. */
  readonly sharing: ProcessCount | null
  readonly drainMs: number
}

/** The order in which the parts start and stop. */
function gatewayOf(parts: GatewayParts): Omit<Gateway, 'noteUncaught'> {
  const { clients, listeners, snapshots, keySets, state, collector, sharing, drainMs } = parts
  /** So that a start that still waits for the catalog holds up no end. */
  const { promise: stopped, resolve: stopWaiting } = Promise.withResolvers<void>()

  return {
    snapshots,
    async start() {
      const addresses = await listeners.bind()
      // A catalog out of reach doesn't stop the start: the last good one serves, or readiness says so until it is there.
      // Tables are waited for, too, or the first answers would fall down the ladder.
      const connected = clients.map((client) => redisReady(client, gatewayConnectMs))
      await Promise.race([Promise.allSettled(connected), stopped])
      // Before anything is compiled: an issuer takes its saved keys when it is made.
      keySets.restore((await state?.read(savedKeysName, checkSavedKeys)) ?? [])
      if (!listeners.isDraining())
        await Promise.race([Promise.all([snapshots.start(), sharing?.start()]), stopped])
      return addresses
    },
    async stop() {
      listeners.drain()
      stopWaiting()
      const left = sharing?.close()
      // Load balancers must see it before connections close: closing at once lost 1,489 of 18,881 requests. One that was
      // never ready got none.
      if (snapshots.status().ready) await new Promise((resolve) => setTimeout(resolve, drainMs))
      await listeners.close()
      const closed = Promise.all([snapshots.close(), collector?.close(), left])
      keySets.close()
      // They would wait for what a Redis that hangs still owes them.
      for (const client of clients) client.disconnect()
      await closed
      await state?.close()
    },
  }
}

/** Of all processes that may write, one at a time collects a tenant's tables. */
function composeCollector(
  settings: Settings,
  client: RedisClient,
  store: CatalogStore,
  log: Logger,
): { close(): Promise<void> } {
  const services = {
    store: createTableStore(client),
    leases: createLeaseStore(client),
    catalog: createGenerationCatalog(store, { who: 'recgate', why: 'collection' }),
    newToken: randomToken,
    now: () => new Date(),
  }
  const collector = startCollector({
    tenants: async () => [...(await store.index()).keys()],
    collect: (tenantId) => collectTables(services, tenantId, 'a gateway'),
    everyMs: settings.collectEveryMs,
    // A gateway's user may only read, where docs/redis.md's rules are followed.
    isForbidden,
    report: (event) => write(log, describeCollectorEvent(event)),
  })
  return {
    async close() {
      await collector.close()
      client.disconnect()
    },
  }
}

/** What commands that publish or change the catalog work with. */
export interface Tools {
  readonly catalog: CatalogStore
  readonly tables: TableStore
  readonly leases: LeaseStore
  readonly suppressions: SuppressionStore
  /** The part of Redis' memory, 0 to 1, that a tenant's tables may take together. */
  memoryShareOf(tenantId: string): number
  generationCatalog(authorship: { readonly who: string; readonly why: string }): GenerationCatalog
  close(): void
}

/** Every command that isn't a server. Throws OperationError where Redis can't be reached. */
export async function composeTools(
  settings: Pick<Settings, 'redis' | 'catalogRedis' | 'memoryShare'>,
  log: Logger,
): Promise<Tools> {
  const connectionOf = createConnections(settings, log)
  const catalogClient = createRedisClient('catalog', connectionOf('catalog'))
  const tablesClient = createRedisClient('tables', connectionOf('tables'))
  await reach(catalogClient, tablesClient)
  const catalog = createCatalogStore(catalogClient, randomToken)
  const suppressions = createSuppressionStore(catalogClient)
  return {
    catalog,
    tables: createTableStore(tablesClient),
    leases: createLeaseStore(tablesClient),
    suppressions,
    memoryShareOf: (tenantId) => new Map(Object.entries(settings.memoryShare)).get(tenantId) ?? 1,
    generationCatalog: (authorship) => ({
      ...createGenerationCatalog(catalog, authorship),
      suppressions: suppressions.read,
    }),
    close() {
      catalogClient.disconnect()
      tablesClient.disconnect()
    },
  }
}

/** Hashes of whatever Redis, to be published. Throws OperationError where it can't be reached. */
export async function composeHashSource(
  redis: Settings['redis'],
  log: Logger,
): Promise<HashSource & { close(): void }> {
  const client = createRedisClient('tables', createConnections({ redis }, log)('tables'))
  await reach(client)
  return { ...createHashSource(client), close: () => client.disconnect() }
}

/** Waits until everything can be asked. Throws OperationError where it can't, and leaves no client connecting. */
async function reach(...clients: readonly RedisClient[]): Promise<void> {
  try {
    await Promise.all(clients.map((client) => redisReady(client, toolConnectMs)))
  } catch (error) {
    for (const client of clients) client.disconnect()
    throw error
  }
}

/** Where each role's clients connect to, and the log of it. */
function createConnections(
  settings: Pick<Settings, 'redis' | 'catalogRedis'>,
  log: Logger,
): (role: RedisRole) => RedisConnection {
  const tables = resolveRedis(settings.redis)
  const sayReason = (reason: string, role: RedisRole) =>
    log.warn({ role, reason }, 'Redis can’t be reached; trying on')
  const toTables = { endpoint: tables, say: sayReasonsOnce(sayReason) }
  const toCatalog =
    settings.catalogRedis === undefined
      ? toTables
      : { endpoint: resolveRedis(settings.catalogRedis), say: sayReasonsOnce(sayReason) }
  return (role) => {
    const { endpoint, say } = role === 'reads' || role === 'tables' ? toTables : toCatalog
    return { endpoint, name: `recgate-${role}`, ...say(role) }
  }
}

function openState(path: string, log: Logger): StateDirectory {
  try {
    return openStateDirectory({ path, report: (event) => write(log, describeStateEvent(event)) })
  } catch (error) {
    const problem = `must be a directory that can be written: ${(error as Error).message}`
    throw new SettingsError('settings', [{ path: 'stateDir (RECGATE_STATE_DIR)', problem }])
  }
}

function write(log: Logger, { level, fields, message }: LogLine): void {
  log[level](fields, message)
}
