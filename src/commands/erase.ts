import { randomToken, type Tools } from '../compose.ts'
import { limits } from '../domain/limits.ts'
import { rowKeyFault, rowKeyValueFault } from '../domain/row-key.ts'
import type { Settings } from '../settings/schema.ts'
import {
  type ErasedTable,
  type EraseServices,
  type Erasure,
  type ErasureRequest,
  erase,
  planErasure,
} from '../tables/erase.ts'
import { liftSuppression } from '../tables/lift-suppression.ts'
import { countedRows, currentUser, note, print, printJson, printTable } from './output.ts'
import { UsageError } from './usage-error.ts'
import { withTools } from './with-tools.ts'

export interface EraseOptions {
  readonly tenant: string
  readonly unit: string
  /** Empty: all. */
  readonly models: readonly string[]
  readonly dryRun: boolean
  readonly lift: boolean
  readonly who: string | undefined
  readonly reason: string
  readonly json: boolean
}

/** `recgate erase`: the player is named by whoever runs it, and in nothing that it prints or writes. */
export async function eraseUnit(settings: Settings, options: EraseOptions): Promise<void> {
  const { unit, lift, dryRun } = options
  const fault = rowKeyValueFault(unit) ?? rowKeyFault(unit)
  if (fault !== null) throw new UsageError(`--unit ${fault}`)
  if (lift && dryRun) throw new UsageError('--lift and --dry-run exclude each other')
  await withTools(settings, async (tools) => {
    const services = servicesOf(tools, options)
    const { tenant: tenantId, models: modelIds, who } = options
    const request = { tenantId, unit, modelIds, by: who ?? currentUser() }
    if (lift) await liftAndTell(services, request, options)
    else if (dryRun) tell(await planErasure(services, request), options)
    else tell(await erase(services, request), options)
  })
}

function servicesOf(tools: Tools, { who, reason }: EraseOptions): EraseServices {
  return {
    store: tools.tables,
    suppressions: tools.suppressions,
    catalog: tools.generationCatalog({ who: who ?? currentUser(), why: reason }),
    newToken: randomToken,
    now: () => new Date(),
  }
}

async function liftAndTell(
  services: EraseServices,
  request: ErasureRequest,
  { tenant, json }: EraseOptions,
): Promise<void> {
  const lifted = await liftSuppression(services, request)
  if (json) printJson({ tenant, lifted: lifted > 0 })
  else if (lifted === 0) print('publishes leave out no row of this player; nothing was changed')
  else print('later publishes have this player’s rows again, where their data does')
}

function tell(
  erasure: Pick<Erasure, 'tables' | 'skipped' | 'overrides'> & Partial<Erasure>,
  options: EraseOptions,
): void {
  const { tables, skipped, overrides, ...outcome } = erasure
  const { tenant, dryRun, json } = options
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  const damaged = tables.filter(({ damagedBuckets }) => damagedBuckets > 0)
  for (const { modelId, generation, damagedBuckets } of damaged)
    note(
      `warning: generation ${generation} of ${modelId} is damaged in Redis: ${damagedBuckets} of the buckets where rows ` +
        'might stand are missing, or another’s',
    )
  for (const { modelId, versionId } of overrides)
    note(
      `warning: the overrides of ${modelId} name this player (${versionId}): take that out of the document, and ` +
        'recgate catalog apply it',
    )
  if (erasure.replicasMissing !== undefined && erasure.replicasMissing > 0)
    note(
      `warning: ${erasure.replicasMissing} replicas hadn't heard of it after ${limits.replicasWaitMs / 1000} s; a failover ` +
        'now would bring rows back. Run it again',
    )
  if (json) {
    const named = tables.map(({ modelId: model, ...table }) => ({ model, ...table }))
    const others = skipped.map(({ modelId: model, why }) => ({ model, why }))
    const inOverrides = overrides.map(({ modelId: model, versionId: version }) => ({ model, version }))
    printJson({ tenant, rows, tables: named, skipped: others, overrides: inOverrides, dryRun, ...outcome })
    return
  }
  for (const { modelId, why } of skipped) note(`${modelId} is passed over: ${why}`)
  if (tables.length > 0) printTable(head(dryRun), tables.map(cells))
  print(describe(rows, tables, erasure.isNewlySuppressed, options))
}

function head(dryRun: boolean): readonly string[] {
  return ['MODEL', 'VERSION', 'GENERATION', 'STATE', dryRun ? 'ROWS' : 'ROWS REMOVED']
}

function cells({ modelId, version, generation, state, rows }: ErasedTable): readonly string[] {
  return [modelId, version, String(generation), state, String(rows)]
}

function describe(
  rows: number,
  tables: readonly ErasedTable[],
  isNewlySuppressed: boolean | undefined,
  { dryRun, models }: EraseOptions,
): string {
  const holding = tables.filter((table) => table.rows > 0).length
  const where = `${holding} of ${tables.length} generations`
  if (dryRun) return `${countedRows(rows)} in ${where} (a dry run: nothing was removed)`
  const what =
    rows === 0 ? 'no row of this player is in any table' : `${countedRows(rows)} removed from ${where}`
  const publishes = models.length === 0 ? 'publishes' : `publishes of ${models.join(', ')}`
  return isNewlySuppressed
    ? `${what}; later ${publishes} leave this player out`
    : `${what}; ${publishes} leave this player out already`
}
