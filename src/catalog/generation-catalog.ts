import type { Authorship } from './change.ts'
import { changeGenerations, type GenerationPlan } from './change-generations.ts'
import { findLiveTenant, type LiveTenant, readLiveTenant } from './live-tenant.ts'
import type { CatalogStore } from './ports.ts'

/** What `tables/` asks of the catalog (its port `GenerationCatalog`), every change in one author's name. */
export function createGenerationCatalog(store: CatalogStore, { who, why }: Omit<Authorship, 'at'>) {
  return {
    async nextGeneration(tenantId: string, modelId: string): Promise<number> {
      const state = (await readLiveTenant(store, tenantId))?.state.models[modelId]
      return store.nextGeneration(tenantId, modelId, highestOf(state?.generations ?? {}))
    },
    read: (tenantId: string): Promise<LiveTenant> => findLiveTenant(store, tenantId),
    change(tenantId: string, plan: GenerationPlan): Promise<number> {
      return changeGenerations(store, tenantId, plan, { who, why, at: new Date().toISOString() })
    },
  }
}

/** By their numbers, which are the names; 0 where there is none. */
function highestOf(generations: Readonly<Record<string, unknown>>): number {
  return Math.max(0, ...Object.keys(generations).map(Number))
}
