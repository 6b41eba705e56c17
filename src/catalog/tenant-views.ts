import { isId } from '../domain/ids.ts'
import { readLiveTenant } from './live-tenant.ts'
import type { CatalogStore } from './ports.ts'
import { tableList } from './table-list.ts'

/** Tenants as people look at them: JSON-shaped, as they stand in the store now and not in a snapshot. */
export function createTenantViews(store: CatalogStore) {
  return {
    /** Every tenant and its revision. */
    tenants: async () => [...(await store.index())].map(([tenant, { revision }]) => ({ tenant, revision })),
    /** Null where there is no such tenant. Throws FaultsError where what is stored isn't sound. */
    tenant: async (tenantId: string) => {
      const live = isId(tenantId) ? await readLiveTenant(store, tenantId) : null
      if (live === null) return null
      const { document, revision, state } = live
      return { tenant: tenantId, revision, document, tables: tableList(state) }
    },
  }
}
