import { findLiveModel, findLiveTenant } from '../catalog/live-tenant.ts'
import { tableList } from '../catalog/table-list.ts'
import { composeTools } from '../compose.ts'
import type { Settings } from '../settings/schema.ts'
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
        const { version, rows, buckets, startedAt, by, source } = manifest
        tables.push({
          model,
          version,
          generation,
          state: 'loading',
          rows,
          bytes: null,
          buckets,
          publishedAt: startedAt,
          by,
          source,
        })
      }
    const shown = tables.filter(({ model }) => options.model === undefined || model === options.model)
    if (options.json) for (const table of shown) printJson(table)
    else printTable(head, shown.map(cells))
  } finally {
    tools.close()
  }
}

type Row = Omit<ReturnType<typeof tableList>[number], 'bytes'> & { readonly bytes: number | null }

const head = [
  'MODEL',
  'VERSION',
  'GENERATION',
  'STATE',
  'ROWS',
  'BYTES',
  'PUBLISHED',
  'BY',
  'SOURCE',
] as const

function cells(table: Row): string[] {
  const { model, version, generation, state, rows, bytes, publishedAt, by, source } = table
  const texts = [model, version, generation, state, rows, bytes ?? '', publishedAt, by, source.join(', ')]
  return texts.map(String)
}
