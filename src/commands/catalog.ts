import { stringify } from 'yaml'
import { makeChange, planChange } from '../catalog/change.ts'
import { findLiveTenant } from '../catalog/live-tenant.ts'
import { tableList } from '../catalog/table-list.ts'
import { composeTools, randomToken } from '../compose.ts'
import type { Settings } from '../settings/schema.ts'
import { createCommandLog, currentUser, note, print, printJson, printTable } from './output.ts'
import { readTenantFiles } from './tenant-file.ts'

export interface ApplyOptions {
  readonly dryRun: boolean
  readonly json: boolean
  readonly why: string
  readonly who: string | undefined
  /** The new revisions lie above it; 0 asks for nothing. */
  readonly revisionAbove: number
}

/** `recgate catalog apply`: plans against what is live, shows it, and makes it. */
export async function applyCatalog(
  settings: Settings,
  files: readonly string[],
  options: ApplyOptions,
): Promise<void> {
  const documents = await readTenantFiles(files)
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    // All are planned before the first is made: what can't be made stops everything.
    const plans = []
    for (const document of documents)
      plans.push(await planChange(tools.catalog, document, randomToken, options.revisionAbove))
    for (const plan of plans) {
      const tenant = plan.document.tenant
      if (!options.json)
        print(`tenant ${tenant}: ${plan.what.length === 0 ? 'nothing changes' : ''}`.trimEnd())
      if (!options.json) for (const line of plan.what) print(`  ${line}`)
      const authorship = { who: options.who ?? currentUser(), why: options.why, at: new Date().toISOString() }
      const makes = plan.what.length > 0 && !options.dryRun
      const revision = makes ? await makeChange(tools.catalog, plan, authorship) : (plan.live?.revision ?? 0)
      if (options.json) printJson({ tenant, changed: makes, revision, what: plan.what })
      else if (makes) print(`  → revision ${revision}`)
      else if (plan.what.length > 0) print('  (a dry run: nothing was written)')
    }
  } finally {
    tools.close()
  }
}

/** `recgate catalog check`: everything that can be said about the files without a catalog. */
export async function checkCatalog(files: readonly string[], json: boolean): Promise<void> {
  const documents = await readTenantFiles(files)
  for (const [index, { tenant, models }] of documents.entries()) {
    if (json) printJson({ file: files[index], tenant, models: Object.keys(models) })
    else print(`${files[index]}: tenant ${tenant}, models ${Object.keys(models).join(', ') || 'none'}: sound`)
  }
}

/** `recgate catalog show`: all tenants, or one as it is live. */
export async function showCatalog(
  settings: Settings,
  tenantId: string | undefined,
  json: boolean,
): Promise<void> {
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    if (tenantId === undefined) {
      const tenants = [...(await tools.catalog.index())].sort(([a], [b]) => (a < b ? -1 : 1))
      if (json) for (const [tenant, { revision }] of tenants) printJson({ tenant, revision })
      else
        printTable(
          ['TENANT', 'REVISION'],
          tenants.map(([tenant, { revision }]) => [tenant, String(revision)]),
        )
      return
    }
    const { document, revision, state } = await findLiveTenant(tools.catalog, tenantId)
    if (json) {
      printJson({ tenant: tenantId, revision, document, tables: tableList(state) })
      return
    }
    note(`tenant ${tenantId}, revision ${revision}`)
    print(stringify(document).trimEnd())
  } finally {
    tools.close()
  }
}
