import { randomToken, type Tools } from '../compose.ts'
import { OperationError } from '../domain/errors.ts'
import type { Settings } from '../settings/schema.ts'
import { type Activation, activate } from '../tables/activate.ts'
import { type CollectServices, collectTables, planTenantCollection } from '../tables/collect.ts'
import type { Collectable } from '../tables/collect-policy.ts'
import { megabytes } from '../tables/preflight.ts'
import { rollBack } from '../tables/roll-back.ts'
import { currentUser, print, printJson, printTable } from './output.ts'
import { UsageError } from './usage-error.ts'
import { withTools } from './with-tools.ts'

/** Commands that change which generation is served, and what is kept in Redis. All of it goes into the history. */

interface ChangeOptions {
  readonly who: string | undefined
  readonly json: boolean
}

export interface ActivateOptions extends ChangeOptions {
  readonly tenant: string
  readonly model: string
  readonly despiteGates: boolean
  readonly reason: string | undefined
}

/** `recgate tables activate`. */
export async function activateTable(
  settings: Settings,
  generation: number,
  { tenant, model, despiteGates, reason, who, json }: ActivateOptions,
): Promise<void> {
  if (despiteGates && (reason === undefined || reason.trim() === ''))
    throw new UsageError('--despite-gates needs a --reason, which goes into the history')
  await withTools(settings, async (tools) => {
    const services = servicesOf(tools, who, reason ?? 'activate')
    const address = { tenantId: tenant, modelId: model, generation }
    const activation = await activate(services, address, { despiteGates })
    if (json) printJson(activation)
    else print(describeActivation(model, activation))
  })
}

export interface RollbackOptions extends ChangeOptions {
  readonly tenant: string
  readonly model: string
  readonly version: string
  readonly reason: string
}

/** `recgate tables rollback`. */
export async function rollbackTable(
  settings: Settings,
  { tenant, model, version, reason, who, json }: RollbackOptions,
): Promise<void> {
  await withTools(settings, async (tools) => {
    const services = servicesOf(tools, who, reason)
    const activation = await rollBack(services, { tenantId: tenant, modelId: model, versionId: version })
    if (json) printJson(activation)
    else print(`${describeActivation(model, activation)}; ${activation.replaced} is quarantined`)
  })
}

export interface CollectOptions extends ChangeOptions {
  readonly tenant: string | undefined
  readonly dryRun: boolean
}

/** `recgate tables collect`: of one tenant, or of all. */
export async function collectAll(
  settings: Settings,
  { tenant, dryRun, who, json }: CollectOptions,
): Promise<void> {
  await withTools(settings, async (tools) => {
    const services = servicesOf(tools, who, 'collect')
    const tenants = tenant === undefined ? [...(await tools.catalog.index()).keys()].sort() : [tenant]
    const busy: string[] = []
    const rows: string[][] = []
    for (const tenantId of tenants) {
      const collected = await collectOne(services, tenantId, who ?? currentUser(), dryRun).catch(
        (error: Error) => {
          if (!(error instanceof OperationError) || tenants.length === 1) throw error
          busy.push(error.message)
          return []
        },
      )
      for (const table of collected) {
        const { modelId: model, generation, version, rows: count, memoryBytes, why } = table
        if (json)
          printJson({
            tenant: tenantId,
            model,
            version,
            generation,
            rows: count,
            memoryBytes,
            why,
            collected: !dryRun,
          })
        else
          rows.push([
            tenantId,
            model,
            version,
            String(generation),
            String(count),
            megabytes(memoryBytes),
            why,
          ])
      }
    }
    if (!json && rows.length === 0) print('nothing to collect')
    else if (!json) printTable(['TENANT', 'MODEL', 'VERSION', 'GENERATION', 'ROWS', 'MEMORY', 'WHY'], rows)
    if (!json && dryRun && rows.length > 0) print('(a dry run: nothing was taken away)')
    if (busy.length > 0) throw new OperationError(busy.join('\n'))
  })
}

async function collectOne(
  services: CollectServices,
  tenantId: string,
  by: string,
  dryRun: boolean,
): Promise<readonly Collectable[]> {
  if (dryRun) return (await planTenantCollection(services, tenantId)).collectable
  return (await collectTables(services, tenantId, by)).collected
}

function servicesOf(tools: Tools, who: string | undefined, why: string): CollectServices {
  return {
    store: tools.tables,
    leases: tools.leases,
    catalog: tools.generationCatalog({ who: who ?? currentUser(), why }),
    newToken: randomToken,
    now: () => new Date(),
  }
}

function describeActivation(
  model: string,
  { generation, version, rows, replaced, catalogRevision }: Activation,
): string {
  const instead = replaced === null ? '' : `, instead of ${replaced}`
  return `generation ${generation} of ${model}/${version} (${rows} rows) is active${instead}; catalog revision ${catalogRevision}`
}
