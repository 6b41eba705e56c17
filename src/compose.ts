import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { activateGeneration } from './catalog/change.ts'
import { readLiveTenant } from './catalog/live-tenant.ts'
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
import { createHashSource } from './redis/hash-source.ts'
import { tableKeys } from './redis/keys.ts'
import { createRecordReader } from './redis/record-reader.ts'
import { createTableStore } from './redis/table-store.ts'
import { createRecommend } from './serving/recommend.ts'
import type { Settings } from './settings/schema.ts'
import type { GenerationCatalog, HashSource, TableStore } from './tables/ports.ts'

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
      readsClient.disconnect()
      catalogClient.disconnect()
    },
  }
}

/** What commands that publish or change the catalog work with. */
export interface Tools {
  readonly catalog: CatalogStore
  readonly tables: TableStore
  generationCatalog(authorship: { readonly who: string; readonly why: string }): GenerationCatalog
  close(): void
}

/** Every command that isn't a server. Throws OperationError where Redis can't be reached. */
export async function composeTools(
  settings: Pick<Settings, 'redis' | 'catalogRedis'>,
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
    generationCatalog: ({ who, why }) => ({
      async nextGeneration({ tenantId, modelId }) {
        const state = (await readLiveTenant(catalog, tenantId))?.state.models[modelId]
        return catalog.nextGeneration(tenantId, modelId, highestGeneration(state?.generations ?? {}))
      },
      activate: ({ tenantId, modelId, versionId }, { generation, ...loaded }) => {
        const at = new Date().toISOString()
        const entry = { ...loaded, source: [...loaded.source], version: versionId, publishedAt: at, by: who }
        return activateGeneration(catalog, { tenantId, modelId, generation, entry }, { who, why, at })
      },
    }),
    close,
  }
}

/** Hashes of whatever Redis, to be published. Throws OperationError where it can't be reached. */
export async function composeHashSource(
  redis: Settings['redis'],
  log: Logger,
): Promise<HashSource & { close(): void }> {
  const client = createConnector(log)('tables', redis.url)
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
