import { FaultsError, OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
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

/** A tenant that is about to be changed; null in place of a document that can't be read, which a change replaces. */
export interface ChangeableTenant extends Omit<LiveTenant, 'document'> {
  readonly document: TenantDocument | null
  /** Why the document can't be read. */
  readonly documentFault: FaultsError | null
}

/**
 * Null where the tenant doesn't exist. Throws FaultsError where its state can't be read: salts and allocations decide
 * who gets which version, so that nothing may take their place unasked.
 */
export async function readChangeableTenant(
  store: CatalogStore,
  tenantId: string,
): Promise<ChangeableTenant | null> {
  const stored = await store.read(tenantId)
  if (stored === null) return null
  // What is no number was put there by hand; the store passes it.
  const revision = Number.isSafeInteger(stored.revision) && stored.revision > 0 ? stored.revision : 0
  const state = withoutOverflow(stored, () => parseState(stored))
  try {
    const document = withoutOverflow(stored, () => parseDocument(stored))
    return { document, state, revision, documentFault: null }
  } catch (error) {
    if (!(error instanceof FaultsError)) throw error
    return { document: null, state, revision, documentFault: error }
  }
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
  const { revision } = stored
  return withoutOverflow(stored, () => ({
    document: parseDocument(stored),
    state: parseState(stored),
    revision,
  }))
}

/** What is nested thousands deep exhausts the stack of every checker that walks it. */
function withoutOverflow<T>(stored: StoredTenant, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new FaultsError(subjectOf(stored), [{ path: '', problem: `can't be read: ${error.message}` }])
  }
}

function subjectOf({ tenantId, revision }: StoredTenant): string {
  return `catalog, tenant ${tenantId}, revision ${revision}`
}

function parseDocument(stored: StoredTenant): TenantDocument {
  const subject = `${subjectOf(stored)}, document`
  const checked = checkTenantDocument(parseJson(stored.document, subject, limits.documentBytesMax))
  if (checked.document === null) throw new FaultsError(subject, checked.faults)
  if (checked.document.tenant !== stored.tenantId)
    throw new FaultsError(subjectOf(stored), [
      { path: 'tenant', problem: `must be "${stored.tenantId}", its place in the store` },
    ])
  return checked.document
}

function parseState(stored: StoredTenant): TenantState {
  const subject = `${subjectOf(stored)}, state`
  const state = tenantState.safeParse(parseJson(stored.state, subject, limits.stateBytesMax))
  if (!state.success) throw new FaultsError(subject, faultsOf(state.error))
  return state.data
}

function parseJson(text: string, subject: string, bytesMax: number): unknown {
  if (text === '')
    throw new FaultsError(subject, [
      { path: '', problem: `is not there, or has more than ${bytesMax} bytes` },
    ])
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FaultsError(subject, [{ path: '', problem: `is not JSON: ${(error as Error).message}` }])
  }
}
