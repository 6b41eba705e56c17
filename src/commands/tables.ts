import { findLiveModel, findLiveTenant } from '../catalog/live-tenant.ts'
import { type ListedTable, tableList } from '../catalog/table-list.ts'
import { composeTools, type Tools } from '../compose.ts'
import type { Settings } from '../settings/schema.ts'
import type { Manifest } from '../tables/manifest.ts'
import { missingShards, readShards } from '../tables/shards/shard-state.ts'
import { createCommandLog, printJson, printTable } from './output.ts'

/** `recgate tables list`: every generation of a tenant, those that are being loaded included. */
export async function listTables(
  settings: Settings,
  options: { readonly tenant: string; readonly model: string | undefined; readonly json: boolean },
): Promise<void> {
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    const live = await findLiveTenant(tools.catalog, options.tenant)
    if (options.model !== undefined) await findLiveModel(tools.catalog, options.tenant, options.model)
    const tables: Row[] = tableList(live.state)
    for (const model of Object.keys(live.document.models))
      for (const [generation, manifest] of await tools.tables.manifests(options.tenant, model)) {
        // The catalog knows it: a publish was cut off right after its activation.
        if (live.state.models[model]?.generations[generation] !== undefined) continue
        const {
          token: _,
          statistics: __,
          recordRevision: ___,
          startedAt,
          heartbeatAt,
          run,
          ...shown
        } = manifest
        const shards =
          run === undefined ? {} : { shards: await shardsOf(tools, options.tenant, model, generation, run) }
        const times = { publishedAt: startedAt, heartbeatAt, activatedAt: null, lastActiveAt: null }
        tables.push({ model, generation, ...shown, ...times, ...shards, findings: [] })
      }
    const shown = tables.filter(({ model }) => options.model === undefined || model === options.model)
    const now = Date.now()
    if (options.json)
      for (const table of shown)
        printJson({ ...table, ageSeconds: Math.round((now - Date.parse(table.publishedAt)) / 1000) })
    else
      printTable(
        head,
        shown.map((table) => cells(table, now)),
      )
  } finally {
    tools.close()
  }
}

/** While it is being loaded also when its publisher was last heard of, and why it failed. */
type Row = ListedTable & {
  readonly heartbeatAt?: string
  readonly problem?: string | null
  readonly shards?: ShardsShown
}

/** Where several processes load it. */
interface ShardsShown {
  readonly run: string | null
  readonly total: number
  readonly loaded: number
  readonly missing: readonly number[]
}

async function shardsOf(
  { leases }: Tools,
  tenantId: string,
  modelId: string,
  generation: number,
  { id, shards }: NonNullable<Manifest['run']>,
): Promise<ShardsShown> {
  const missing = missingShards(await readShards(leases, { tenantId, modelId, generation }, shards))
  return { run: id, total: shards, loaded: shards - missing.length, missing }
}

const head = [
  'MODEL',
  'VERSION',
  'GENERATION',
  'STATE',
  'ROWS',
  'BYTES',
  'AGE',
  'PUBLISHED',
  'BY',
  'SOURCE',
] as const

function cells(table: Row, now: number): string[] {
  const { model, version, generation, state, rows, bytes, publishedAt, by, source, shards } = table
  const age = describeAge((now - Date.parse(publishedAt)) / 1000)
  const shown = shards === undefined ? state : `${state} ${shards.loaded}/${shards.total}`
  const texts = [model, version, generation, shown, rows, bytes, age, publishedAt, by, source.join(', ')]
  return texts.map(String)
}

/** The greatest two units at most. */
function describeAge(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60))
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24]
  if (days > 0) return `${days}d${hours}h`
  return hours > 0 ? `${hours}h${minutes % 60}m` : `${minutes}m`
}
