import { FaultsError, OperationError } from '../domain/errors.ts'
import { checkTenantDocument, type ModelDocument, type TenantDocument } from '../domain/tenant-document.ts'
import { type ModelState, type TenantState, tenantState } from '../domain/tenant-state.ts'
import { faultsOf } from '../domain/zod-faults.ts'
import type { CatalogStore, StoredTenant } from './ports.ts'

/** A tenant as it stands in the catalog, checked. */
export interface LiveTenant {
  readonly document: TenantDocument
  readonly state: TenantState
  readonly revision: number
}

/** Null where the tenant doesn't exist. Throws FaultsError where what is stored isn't sound. */
export async function readLiveTenant(store: CatalogStore, tenantId: string): Promise<LiveTenant | null> {
  const stored = await store.read(tenantId)
  return stored === null ? null : parseStoredTenant(stored)
}

/** A tenant that must be there. Throws OperationError where it isn't. */
export async function findLiveTenant(store: CatalogStore, tenantId: string): Promise<LiveTenant> {
  const live = await readLiveTenant(store, tenantId)
  if (live !== null) return live
  throw new OperationError(`there is no tenant ${tenantId}; \`recgate catalog show\` lists them`)
}

/** One model of a tenant as it stands in the catalog. */
export interface LiveModel {
  readonly modelId: string
  readonly document: ModelDocument
  readonly state: ModelState
}

/** A model that must be there. Throws OperationError naming those that are. */
export async function findLiveModel(
  store: CatalogStore,
  tenantId: string,
  modelId: string,
): Promise<LiveModel> {
  const { document, state } = await findLiveTenant(store, tenantId)
  const model = new Map(Object.entries(document.models)).get(modelId)
  const modelState = new Map(Object.entries(state.models)).get(modelId)
  if (model !== undefined && modelState !== undefined) return { modelId, document: model, state: modelState }
  const known = Object.keys(document.models).join(', ') || 'none'
  throw new OperationError(`tenant ${tenantId} has no model ${modelId}; it has ${known}`)
}

/** Throws FaultsError: what lies in the store is as untrusted as a file, since hands can reach it. */
export function parseStoredTenant(stored: StoredTenant): LiveTenant {
  const subject = `catalog, tenant ${stored.tenantId}, revision ${stored.revision}`
  try {
    return parseChecked(stored, subject)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    // What is nested thousands deep exhausts the stack of every checker that walks it.
    throw new FaultsError(subject, [{ path: '', problem: `can't be read: ${error.message}` }])
  }
}

function parseChecked(stored: StoredTenant, subject: string): LiveTenant {
  const checked = checkTenantDocument(parseJson(stored.document, `${subject}, document`))
  if (checked.document === null) throw new FaultsError(`${subject}, document`, checked.faults)
  if (checked.document.tenant !== stored.tenantId)
    throw new FaultsError(subject, [
      { path: 'tenant', problem: `must be "${stored.tenantId}", its place in the store` },
    ])
  const state = tenantState.safeParse(parseJson(stored.state, `${subject}, state`))
  if (!state.success) throw new FaultsError(`${subject}, state`, faultsOf(state.error))
  return { document: checked.document, state: state.data, revision: stored.revision }
}

function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FaultsError(subject, [{ path: '', problem: `is not JSON: ${(error as Error).message}` }])
  }
}
