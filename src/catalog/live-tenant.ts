import { FaultsError } from '../domain/errors.ts'
import { checkTenantDocument, type TenantDocument } from '../domain/tenant-document.ts'
import { type TenantState, tenantState } from '../domain/tenant-state.ts'
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

/** Throws FaultsError: what lies in the store is as untrusted as a file, since hands can reach it. */
export function parseStoredTenant(stored: StoredTenant): LiveTenant {
  const subject = `catalog, tenant ${stored.tenantId}, revision ${stored.revision}`
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
