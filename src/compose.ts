import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { changeGenerations } from './catalog/change-generations.ts'
import { describeEvent } from './catalog/describe-event.ts'
import { findLiveTenant, readLiveTenant } from './catalog/live-tenant.ts'
import type { CatalogStore } from './catalog/ports.ts'
import { type WatchedSnapshots, watchSnapshots } from './catalog/snapshots.ts'
import { tableList } from './catalog/table-list.ts'
import { createSavedCatalog } from './disk/saved-catalog.ts'
import { openStateDirectory, type StateDirectory, type StateDirectoryEvent } from './disk/state-directory.ts'
import { isId } from './domain/ids.ts'
import { buildAdminPlane } from './http/admin/server.ts'
import { closerOf } from './http/close-listener.ts'
import type { ServedRequest } from './http/data/request-log.ts'
import { buildDataPlane } from './http/data/server.ts'
import { buildOpsPlane } from './http/ops/server.ts'
import { type DevelopmentKey, developmentTrustedIssuer } from './jwt/development-key.ts'
import type { KeyEvent } from './jwt/fetched-key-set.ts'
import { createIssuers } from './jwt/issuer-keys.ts'
import { createKeyFetcher } from './jwt/key-fetch.ts'
import { createKeySets } from './jwt/key-sets.ts'
import { checkSavedKeys } from './jwt/saved-keys.ts'
import { createTokenVerifier } from './jwt/token-verifier.ts'
import { registerCatalogMetrics, registerStateMetrics } from './metrics/catalog-metrics.ts'
import { registerConnectionMetrics } from './metrics/connection-metrics.ts'
import { registerKeyMetrics } from './metrics/key-metrics.ts'
import { registerNearCacheMetrics } from './metrics/near-cache-metrics.ts'
import { createServingMetrics } from './metrics/serving-metrics.ts'
import { createCatalogAnnouncements } from './redis/catalog-announcements.ts'
import { createCatalogStore } from './redis/catalog-store.ts'
import {
  createRedisClient,
  createSubscriberClients,
  describeEngine,
  type RedisClient,
  type RedisConnection,
  redisReady,
} from './redis/client.ts'
import { createHashSource } from './redis/hash-source.ts'
import { tableKeys } from './redis/keys.ts'
import { createLeaseStore } from './redis/lease-store.ts'
import { createRecordReader } from './redis/record-reader.ts'
import { createTableStore } from './redis/table-store.ts'
import { createNearCache } from './serving/near-cache.ts'
import { createRecommend } from './serving/recommend.ts'
import { readKeyAuthorities } from './settings/load.ts'
import { resolveRedis } from './settings/redis-endpoint.ts'
import type { Settings } from './settings/schema.ts'
import { SettingsError } from './settings/settings-error.ts'
import { collectTables } from './tables/collect.ts'
import { type CollectorEvent, startCollector } from './tables/collector.ts'
import type { GenerationCatalog, HashSource, LeaseStore, TableStore } from './tables/ports.ts'

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
  /** Unready → answers go on with `Connection: close` → closed. */
  stop(): Promise<void>
}

/** The first connections take milliseconds; after this long the gateway starts unready. */
const connectWaitMs = 2_000

/** In the state directory. */
const savedKeysName = 'keys'

/** `recgate serve`. Throws SettingsError where the state directory can't be written. */
export function composeGateway(options: GatewayOptions): Gateway {
  const { settings, log, developmentKey } = options
  const state = settings.stateDir === undefined ? null : openState(settings.stateDir, log)
  const keyAuthorities = readKeyAuthorities(settings)
  const connectionOf = createConnections(settings, log)
  const readsClient = createRedisClient('reads', connectionOf('reads'))
  const catalogClient = createRedisClient('catalog', connectionOf('catalog'))
  const store = createCatalogStore(catalogClient, randomToken)
  const keySets = createKeySets({
    fetchKeys: createKeyFetcher({
      privateHosts: settings.jwksPrivateHosts,
      extraAuthorities: keyAuthorities,
    }),
    report: (event) => logKeys(log, event),
    onKeysChanged: () => state?.write(savedKeysName, keySets.savedKeys()),
  })
  const { issuerFor } = createIssuers({
    resolveSecret: options.resolveSecret,
    keySetFor: keySets.keySetFor,
  })
  const nearCache = createNearCache(settings.nearCacheBytes)
  const snapshots = watchSnapshots({
    store,
    announcements: createCatalogAnnouncements({
      clients: createSubscriberClients(connectionOf('subscriber')),
    }),
    saved: state === null ? null : createSavedCatalog(state),
    environment: { issuerFor, bucketPrefix: tableKeys.bucketPrefix },
    extraIssuers: (tenantId) =>
      developmentKey === null ? [] : [developmentTrustedIssuer(developmentKey, tenantId)],
    pollMs: settings.catalogPollMs,
    report: (event) => {
      const { level, fields, message } = describeEvent(event)
      log[level](fields, message)
    },
    onSwap(snapshot) {
      keySets.follow(snapshot)
      nearCache.follow(snapshot)
    },
  })
  // The announcements' connection may have been back before this one.
  catalogClient.on('ready', () => snapshots.refresh())
  const registry = new Registry()
  const metrics = createServingMetrics(registry)
  registerCatalogMetrics(registry, snapshots)
  registerStateMetrics(registry, () => state?.writes() ?? { done: 0, failed: 0 })
  registerKeyMetrics(registry, keySets)
  registerNearCacheMetrics(registry, nearCache)
  const onUnexpected = (error: Error) => log.error({ err: error }, 'unexpected error')
  let engine = 'not connected'
  readsClient.on('ready', async () => {
    engine = await describeEngine(readsClient)
    log.info({ engine }, 'Redis connected')
  })
  readsClient.on('close', () => {
    engine = 'not connected'
  })
  let isDraining = false
  let isBound = false
  let binding: Promise<void> = Promise.resolve()
  /** So that a start that still waits for the catalog holds up no end. */
  const { promise: stopped, resolve: stopWaiting } = Promise.withResolvers<void>()

  const servers = {
    data: () => {
      const services = {
        recommend: createRecommend({
          verifier: createTokenVerifier(),
          snapshots,
          reader: createRecordReader(readsClient),
          nearCache,
        }),
        metrics,
        isDraining: () => isDraining,
        requestLog: log.isLevelEnabled('debug')
          ? (served: ServedRequest) => log.debug(served, 'request')
          : null,
        onUnexpected,
      }
      const { data: bounds, cors, trustProxy } = settings
      const app = buildDataPlane(services, { bounds, corsOrigins: cors.origins, trustProxy })
      registerConnectionMetrics(registry, app.server)
      return app
    },
    admin: () => buildAdminPlane({ ...adminReads(store), token: settings.adminToken ?? null, onUnexpected }),
    ops: () =>
      buildOpsPlane({
        readiness: () => ({
          ready: isBound && !isDraining && snapshots.status().ready,
          detail: { draining: isDraining, engine, catalog: snapshots.status() },
        }),
        scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
      }),
  }
  const started = options.planes.map((plane) => {
    const app = servers[plane]()
    return { plane, app, close: closerOf(app) }
  })
  const collector =
    options.planes.includes('admin') && settings.collectEveryMs > 0
      ? composeCollector(settings, createRedisClient('tables', connectionOf('tables')), store, log)
      : null

  return {
    snapshots,
    async start() {
      const addresses: Partial<Record<Plane, string>> = {}
      const bind = async () => {
        for (const { plane, app } of started) {
          // Fastify writes into its options; settings are frozen.
          const { host, port } = settings[plane]
          addresses[plane] = await app.listen({ host, port })
        }
      }
      binding = bind()
      await binding
      isBound = true
      // A catalog out of reach doesn't stop the start: the last good one serves, or readiness says so until it is there.
      // Tables are waited for, too, or the first answers would fall down the ladder.
      const connected = [catalogClient, readsClient].map((client) => redisReady(client, connectWaitMs))
      await Promise.race([Promise.allSettled(connected), stopped])
      // Before anything is compiled: an issuer takes its saved keys when it is made.
      keySets.restore((await state?.read(savedKeysName, checkSavedKeys)) ?? [])
      if (!isDraining) await Promise.race([snapshots.start(), stopped])
      return addresses
    },
    async stop() {
      isDraining = true
      stopWaiting()
      // A listener that is just being bound would outlive its close.
      await binding.catch(() => undefined)
      // Load balancers must see it before connections close: closing at once lost 1,489 of 18,881 requests. One that was
      // never ready got none.
      if (snapshots.status().ready) await new Promise((resolve) => setTimeout(resolve, settings.drainMs))
      await Promise.all(started.map(({ close }) => close()))
      const closed = Promise.all([snapshots.close(), collector?.close()])
      keySets.close()
      // They would wait for what a Redis that hangs still owes them.
      catalogClient.disconnect()
      readsClient.disconnect()
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
    isForbidden: ({ message }) => message.startsWith('NOPERM'),
    report: (event) => logCollector(log, event),
  })
  return {
    async close() {
      await collector.close()
      client.disconnect()
    },
  }
}

function logCollector(log: Logger, event: CollectorEvent): void {
  switch (event.event) {
    case 'collected': {
      const { collected, forgotten } = event.collection
      const tables = collected.map(({ modelId, generation, why }) => ({ model: modelId, generation, why }))
      log.info({ tenant: event.tenantId, tables, forgotten }, 'tables collected')
      break
    }
    case 'forbidden':
      log.info(
        { reason: event.error.message },
        'this user may not collect tables; `recgate tables collect` does, under one that may',
      )
      break
    case 'failed':
      log.warn({ reason: event.error.message }, 'tables can not be collected; trying again')
      break
  }
}

/** What commands that publish or change the catalog work with. */
export interface Tools {
  readonly catalog: CatalogStore
  readonly tables: TableStore
  readonly leases: LeaseStore
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
  const close = () => {
    catalogClient.disconnect()
    tablesClient.disconnect()
  }
  try {
    await Promise.all([redisReady(catalogClient, 5_000), redisReady(tablesClient, 5_000)])
  } catch (error) {
    close()
    throw error
  }
  const catalog = createCatalogStore(catalogClient, randomToken)
  return {
    catalog,
    tables: createTableStore(tablesClient),
    leases: createLeaseStore(tablesClient),
    memoryShareOf: (tenantId) => new Map(Object.entries(settings.memoryShare)).get(tenantId) ?? 1,
    generationCatalog: (authorship) => createGenerationCatalog(catalog, authorship),
    close,
  }
}

function createGenerationCatalog(
  store: CatalogStore,
  authorship: { readonly who: string; readonly why: string },
): GenerationCatalog {
  return {
    async nextGeneration(tenantId, modelId) {
      const state = (await readLiveTenant(store, tenantId))?.state.models[modelId]
      return store.nextGeneration(tenantId, modelId, highestGeneration(state?.generations ?? {}))
    },
    read: (tenantId) => findLiveTenant(store, tenantId),
    change: (tenantId, plan) =>
      changeGenerations(store, tenantId, async (live) => plan(live), {
        ...authorship,
        at: new Date().toISOString(),
      }),
  }
}

/** Hashes of whatever Redis, to be published. Throws OperationError where it can't be reached. */
export async function composeHashSource(
  redis: Settings['redis'],
  log: Logger,
): Promise<HashSource & { close(): void }> {
  const client = createRedisClient('tables', createConnections({ redis }, log)('tables'))
  try {
    await redisReady(client, 5_000)
  } catch (error) {
    client.disconnect()
    throw error
  }
  return { ...createHashSource(client), close: () => client.disconnect() }
}

function highestGeneration(generations: Readonly<Record<string, unknown>>): number {
  return Math.max(0, ...Object.keys(generations).map(Number))
}

/** Reasons of one outage that are said; those of a whole Cluster's nodes are one another's like. */
const reasonsSaidMax = 8

/** Where each role's clients connect to, and the log of it. */
function createConnections(
  settings: Pick<Settings, 'redis' | 'catalogRedis'>,
  log: Logger,
): (role: 'reads' | 'tables' | 'catalog' | 'subscriber') => RedisConnection {
  const tables = resolveRedis(settings.redis)
  const catalog = settings.catalogRedis === undefined ? tables : resolveRedis(settings.catalogRedis)
  return (role) => {
    // Reconnections fail several times a second with the same words: an outage is said once, until it is over.
    const said = new Set<string>()
    return {
      endpoint: role === 'reads' || role === 'tables' ? tables : catalog,
      name: `recgate-${role}`,
      onError: ({ message }) => {
        if (said.has(message) || said.size === reasonsSaidMax) return
        said.add(message)
        log.warn({ role, reason: message }, 'Redis connection')
      },
      onReady: () => said.clear(),
    }
  }
}

function adminReads(store: CatalogStore) {
  return {
    tenants: async () => [...(await store.index())].map(([tenant, { revision }]) => ({ tenant, revision })),
    tenant: async (tenantId: string) => {
      const live = isId(tenantId) ? await readLiveTenant(store, tenantId) : null
      if (live === null) return null
      const { document, revision, state } = live
      return { tenant: tenantId, revision, document, tables: tableList(state) }
    },
  }
}

function openState(path: string, log: Logger): StateDirectory {
  try {
    return openStateDirectory({ path, report: (event) => logState(log, event) })
  } catch (error) {
    const problem = `must be a directory that can be written: ${(error as Error).message}`
    throw new SettingsError('settings', [{ path: 'stateDir (RECGATE_STATE_DIR)', problem }])
  }
}

function logState(log: Logger, event: StateDirectoryEvent): void {
  switch (event.event) {
    case 'passed-over':
      log.error({ file: event.file, reason: event.reason }, 'state file is passed over')
      break
    case 'write-failed':
      log.error(
        { file: event.file, reason: event.reason },
        'state can not be written; the next start may find an older one. Trying on',
      )
      break
    case 'write-resumed':
      log.info('state can be written again')
      break
  }
}

/** Never a token, a key or a URL, which may have a secret in its query. */
function logKeys(log: Logger, { place: { tenantId: tenant, issuer }, ...event }: KeyEvent): void {
  switch (event.event) {
    case 'failing':
      log.warn(
        { tenant, issuer, reason: event.reason },
        'keys can not be fetched; the last ones go on serving for a day',
      )
      break
    case 'recovered':
      log.info({ tenant, issuer }, 'keys can be fetched again')
      break
    case 'left-out':
      log.warn({ tenant, issuer, ...event.key }, 'a key of the key server can not be used')
      break
  }
}
