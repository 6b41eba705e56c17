import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { changeGenerations } from './catalog/change-generations.ts'
import { findLiveTenant, readLiveTenant } from './catalog/live-tenant.ts'
import type { CatalogStore } from './catalog/ports.ts'
import { type SnapshotsEvent, type WatchedSnapshots, watchSnapshots } from './catalog/snapshots.ts'
import { tableList } from './catalog/table-list.ts'
import { isId } from './domain/ids.ts'
import { buildAdminPlane } from './http/admin/server.ts'
import { buildDataPlane } from './http/data/server.ts'
import { buildOpsPlane } from './http/ops/server.ts'
import { type DevelopmentKey, developmentTrustedIssuer } from './jwt/development-key.ts'
import { createIssuers } from './jwt/issuer-keys.ts'
import { createTokenVerifier } from './jwt/token-verifier.ts'
import { registerCatalogMetrics } from './metrics/catalog-metrics.ts'
import { createServingMetrics } from './metrics/serving-metrics.ts'
import { createCatalogAnnouncements, createCatalogStore } from './redis/catalog-store.ts'
import { createRedisClient, describeEngine, type RedisRole, redisReady } from './redis/client.ts'
import { tableKeys } from './redis/keys.ts'
import { createLeaseStore } from './redis/lease-store.ts'
import { createRecordReader } from './redis/record-reader.ts'
import { createTableStore } from './redis/table-store.ts'
import { createRecommend } from './serving/recommend.ts'
import type { Settings } from './settings/schema.ts'
import { collectTables } from './tables/collect.ts'
import { type CollectorEvent, startCollector } from './tables/collector.ts'
import type { GenerationCatalog, LeaseStore, TableStore } from './tables/ports.ts'

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

/** The first connection takes milliseconds; after this long the gateway starts unready. */
const catalogWaitMs = 2_000

/** `recgate serve`. */
export function composeGateway(options: GatewayOptions): Gateway {
  const { settings, log, developmentKey } = options
  const connect = createConnector(log)
  const readsClient = connect('reads', settings.redis.url)
  const catalogClient = connect('catalog', catalogUrl(settings))
  const subscriberClient = connect('subscriber', catalogUrl(settings))
  const store = createCatalogStore(catalogClient, randomToken)
  const { issuerFor } = createIssuers({ resolveSecret: options.resolveSecret })
  const snapshots = watchSnapshots({
    store,
    announcements: createCatalogAnnouncements(subscriberClient),
    environment: { issuerFor, bucketPrefix: tableKeys.bucketPrefix },
    extraIssuers: (tenantId) =>
      developmentKey === null ? [] : [developmentTrustedIssuer(developmentKey, tenantId)],
    pollMs: settings.catalogPollMs,
    report: (event) => logSnapshots(log, event),
  })
  const registry = new Registry()
  const metrics = createServingMetrics(registry)
  registerCatalogMetrics(registry, snapshots.current, () => snapshots.status().brokenTenants.length)
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

  const servers = {
    data: () =>
      buildDataPlane({
        recommend: createRecommend({
          verifier: createTokenVerifier(),
          snapshots,
          reader: createRecordReader(readsClient),
        }),
        metrics,
        isDraining: () => isDraining,
        onUnexpected,
      }),
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
  const started = options.planes.map((plane) => ({ plane, app: servers[plane]() }))
  const collector =
    options.planes.includes('admin') && settings.collectEveryMs > 0
      ? composeCollector(settings, connect('tables', settings.redis.url), store, log)
      : null

  return {
    snapshots,
    async start() {
      const addresses: Partial<Record<Plane, string>> = {}
      for (const { plane, app } of started) {
        // Fastify writes into its options; settings are frozen.
        const { host, port } = settings[plane]
        addresses[plane] = await app.listen({ host, port })
      }
      isBound = true
      // A catalog out of reach doesn't stop the start: readiness says so until it is there.
      await redisReady(catalogClient, catalogWaitMs).catch(() => undefined)
      await snapshots.start()
      return addresses
    },
    async stop() {
      isDraining = true
      // Load balancers must see it before connections close: closing at once lost 1,489 of 18,881 requests.
      await new Promise((resolve) => setTimeout(resolve, settings.drainMs))
      await Promise.all(started.map(({ app }) => app.close()))
      await snapshots.close()
      await collector?.close()
      readsClient.disconnect()
      catalogClient.disconnect()
    },
  }
}

/** Of all processes that may write, one at a time collects a tenant's tables. */
function composeCollector(
  settings: Settings,
  client: Redis,
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
  const connect = createConnector(log)
  const catalogClient = connect('catalog', catalogUrl(settings))
  const tablesClient = connect('tables', settings.redis.url)
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

function highestGeneration(generations: Readonly<Record<string, unknown>>): number {
  return Math.max(0, ...Object.keys(generations).map(Number))
}

function catalogUrl(settings: Pick<Settings, 'redis' | 'catalogRedis'>): string {
  return settings.catalogRedis?.url ?? settings.redis.url
}

type Connector = (role: RedisRole, url: string) => Redis

function createConnector(log: Logger): Connector {
  return (role, url) => {
    // Reconnections fail several times a second with the same words: an outage is said once, until it is over.
    let reported: string | null = null
    const onError = ({ message }: Error) => {
      if (message !== reported) log.warn({ role, reason: message }, 'Redis connection')
      reported = message
    }
    const client = createRedisClient(role, { url, name: `recgate-${role}`, onError })
    client.on('ready', () => {
      reported = null
    })
    return client
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

function logSnapshots(log: Logger, event: SnapshotsEvent): void {
  switch (event.event) {
    case 'loaded':
      log.info({ tenant: event.tenantId, revision: event.revision }, 'catalog loaded')
      break
    case 'broken':
      log.error(
        { tenant: event.tenantId, reason: event.error.message },
        'catalog entry can not be served; the last good one is',
      )
      break
    case 'vanished':
      log.error({ tenant: event.tenantId }, 'tenant vanished from the catalog; its last good entry is served')
      break
    case 'unreachable':
      log.warn({ reason: event.error.message }, 'catalog can not be read; trying again')
      break
  }
}
