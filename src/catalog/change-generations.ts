import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { TenantState } from '../domain/tenant-state.ts'
import type { Authorship } from './change.ts'
import { findLiveTenant, type LiveTenant } from './live-tenant.ts'
import type { CatalogStore } from './ports.ts'

interface PlannedGenerations {
  readonly state: TenantState
  /** For the history, one line each. */
  readonly what: readonly string[]
}

/** What a tenant's generations become; null: nothing is to be changed. What it throws ends the change, and nothing is written. */
export type GenerationPlan = (
  live: LiveTenant,
) => PlannedGenerations | null | Promise<PlannedGenerations | null>

/**
 * One change of a tenant's generations, and of nothing else. Publishes of several versions of one tenant meet here; each
 * try reads and plans anew. `plan` is given the tenant as it was read, and what it
 * answers is written only where nobody changed the tenant since: whatever it looks at after it was called, such as
 * the publish's own manifest, is as good as looked at in the same moment.
 *
 * @returns the catalog revision that holds the change, or at which nothing was to be changed
 */
export async function changeGenerations(
  store: CatalogStore,
  tenantId: string,
  plan: GenerationPlan,
  authorship: Authorship,
): Promise<number> {
  for (let tries = 0; tries < limits.catalogTriesMax; tries++) {
    const live = await findLiveTenant(store, tenantId)
    const planned = await plan(live)
    if (planned === null) return live.revision
    const outcome = await store.change({
      tenantId,
      expectedRevision: live.revision,
      state: JSON.stringify(planned.state),
      configuration: null,
      history: { ...authorship, what: planned.what },
    })
    if (outcome.outcome === 'changed') return outcome.revision
  }
  throw new OperationError(
    `tenant ${tenantId}: its catalog entry changed ${limits.catalogTriesMax} times while this change was being made; ` +
      'nothing was written, try again',
  )
}
