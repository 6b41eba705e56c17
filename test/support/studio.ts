import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { makeChange, planChange } from '../../src/catalog/change.ts'
import { compileKeyPart } from '../../src/catalog/compile.ts'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import { createLog } from '../../src/commands/output.ts'
import {
  composeGateway,
  composeTools,
  type Gateway,
  planes,
  randomToken,
  type Tools,
} from '../../src/compose.ts'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { FaultsError } from '../../src/domain/errors.ts'
import { resolveGates } from '../../src/domain/gates.ts'
import { checkTenantDocument } from '../../src/domain/tenant-document.ts'
import { type DevelopmentKey, loadDevelopmentKey } from '../../src/jwt/development-key.ts'
import { loadSettings } from '../../src/settings/load.ts'
import type { Settings } from '../../src/settings/schema.ts'
import type { RowBatch, RowSource, SourceValue } from '../../src/tables/ports.ts'
import { publish } from '../../src/tables/publish.ts'
import type { PublishReport } from '../../src/tables/publish-report.ts'
import type { PublishRequest, PublishServices } from '../../src/tables/publish-request.ts'
import { publishShard, type ShardOutcome } from '../../src/tables/shards/publish-shard.ts'
import type { Shard } from '../../src/tables/shards/shard.ts'

/** Settings of a process on loopback with free ports. */
export function testSettings(redisUrl: string, more: Readonly<Record<string, string>> = {}): Settings {
  return loadSettings({
    RECGATE_REDIS_URL: redisUrl,
    RECGATE_DATA_HOST: '127.0.0.1',
    RECGATE_DATA_PORT: '0',
    // Whoever asks shares a gateway's event loop here: how long requests wait for a turn of it says nothing of the gateway.
    RECGATE_DATA_TURN_WAIT_MS_MAX: '600000',
    RECGATE_ADMIN_PORT: '0',
    RECGATE_OPS_HOST: '127.0.0.1',
    RECGATE_OPS_PORT: '0',
    RECGATE_DRAIN_MS: '0',
    RECGATE_LOG_LEVEL: 'silent',
    ...more,
  })
}

export interface RunningGateway {
  readonly gateway: Gateway
  readonly data: string
  readonly admin: string
  readonly ops: string
}

/** A whole gateway in this process, over real sockets. */
export async function startGateway(
  settings: Settings,
  options: {
    developmentKey?: DevelopmentKey
    resolveSecret?: (tenantId: string, secretRef: string) => Uint8Array | null
    log?: Logger
  } = {},
): Promise<RunningGateway> {
  const { developmentKey = null, resolveSecret = () => null, log = createLog(settings.logLevel) } = options
  const gateway = composeGateway({ settings, resolveSecret, planes, developmentKey, log })
  const addresses = await gateway.start()
  return { gateway, data: addresses.data ?? '', admin: addresses.admin ?? '', ops: addresses.ops ?? '' }
}

/** A development key that lives in a temporary directory. */
export async function testDevelopmentKey(): Promise<DevelopmentKey> {
  return loadDevelopmentKey(join(await mkdtemp(join(tmpdir(), 'recgate-key-')), 'key.json'))
}

export function testTools(redisUrl: string): Promise<Tools> {
  return composeTools(testSettings(redisUrl), createLog('silent'))
}

/** Applies a document as `recgate catalog apply` does; answers the catalog revision. */
export async function applyDocument(tools: Tools, input: unknown, why = 'test'): Promise<number> {
  const checked = checkTenantDocument(input)
  if (checked.document === null) throw new FaultsError('test document', checked.faults)
  const plan = await planChange(tools.catalog, checked.document, randomToken)
  return makeChange(tools.catalog, plan, { who: 'tester', why, at: new Date().toISOString() })
}

/** Rows from memory, as a file would give them. */
export function rowsOf(columns: readonly string[], rows: readonly (readonly SourceValue[])[]): RowSource {
  return {
    columns,
    rowsExpected: rows.length,
    async *batches() {
      for (let first = 0; first < rows.length; first += 1_000)
        yield batchOf(columns.length, rows.slice(first, first + 1_000), first + 1)
    },
    close: async () => undefined,
  }
}

function batchOf(columnCount: number, rows: readonly (readonly SourceValue[])[], firstRow: number): RowBatch {
  const columns = Array.from({ length: columnCount }, (_, column) => ({
    at: (row: number) => rows[row]?.[column] ?? null,
  }))
  return { file: 'memory', firstRow, rowCount: rows.length, columns }
}

type VersionName = readonly [tenantId: string, modelId: string, versionId: string]

/** Publishes rows to a version and activates them. */
export async function publishRows(
  tools: Tools,
  version: VersionName,
  source: RowSource,
  badRowsMax = 0,
): Promise<PublishReport> {
  return publish(...(await publishOf(tools, version, source, badRowsMax)))
}

/** Publishes one shard's rows. */
export async function publishShardRows(
  tools: Tools,
  version: VersionName,
  source: RowSource,
  shard: Shard,
  badRowsMax = 0,
): Promise<ShardOutcome> {
  return publishShard(...(await publishOf(tools, version, source, badRowsMax)), shard)
}

async function publishOf(
  tools: Tools,
  [tenantId, modelId, versionId]: VersionName,
  source: RowSource,
  badRowsMax: number,
): Promise<[PublishServices, PublishRequest]> {
  const live = await readLiveTenant(tools.catalog, tenantId)
  const model = live?.document.models[modelId]
  const record = live?.state.models[modelId]?.record
  if (model === undefined || record === undefined) throw new Error(`no model ${tenantId}/${modelId}`)
  const key = model.key.map(compileKeyPart)
  const gates = resolveGates(model.gates)
  const target = { tenantId, modelId, versionId, key, record, codec: compileRecordSchema(record), gates }
  return [
    {
      store: tools.tables,
      leases: tools.leases,
      memoryShareOf: tools.memoryShareOf,
      catalog: tools.generationCatalog({ who: 'tester', why: 'test' }),
      newToken: randomToken,
      now: () => new Date(),
    },
    { target, source, files: ['memory'], by: 'tester', badRowsMax, onProgress: () => undefined },
  ]
}
