import { FaultsError, OperationError } from '../domain/errors.ts'
import { withTimesOfLeaving } from '../domain/generation-moves.ts'
import type { TenantDocument } from '../domain/tenant-document.ts'
import { type ChangeableTenant, readChangeableTenant } from './live-tenant.ts'
import { type CatalogPlan, planDocument } from './plan.ts'
import type { CatalogStore } from './ports.ts'

/** Who changes the catalog, and why: it goes into the history. */
export interface Authorship {
  readonly who: string
  readonly why: string
  /** RFC 3339. */
  readonly at: string
}

export interface PlannedDocument extends CatalogPlan {
  readonly document: TenantDocument
  readonly live: ChangeableTenant | null
  readonly revisionAbove: number
}

/**
 * Plans a document against what is live. Throws FaultsError with every reason why it can't be made.
 *
 * @param revisionAbove makes it a change, also of nothing else, where the live revision doesn't lie above it yet
 */
export async function planChange(
  store: CatalogStore,
  document: TenantDocument,
  newSalt: () => string,
  revisionAbove = 0,
): Promise<PlannedDocument> {
  const live = await readChangeableTenant(store, document.tenant)
  const plan = planDocument(live, document, newSalt)
  const issuers = document.issuers.map((entry) => entry.issuer)
  for (const [index, owner] of (await store.issuerOwners(issuers)).entries())
    if (owner !== null && owner !== document.tenant) throw issuerTaken(document, issuers[index] ?? '')
  if (plan.faults.length > 0) throw new FaultsError(`tenant ${document.tenant}`, plan.faults)
  const what = [...plan.what]
  if (live !== null && what.length === 0 && JSON.stringify(plan.state) !== JSON.stringify(live.state))
    what.push('~ state: completes what is missing')
  if (live !== null && live.revision <= revisionAbove)
    what.push(`~ catalog revision: ${live.revision} → above ${revisionAbove}`)
  return { ...plan, what, document, live, revisionAbove }
}

/** Makes a planned change. Answers the new catalog revision. */
export async function makeChange(
  store: CatalogStore,
  planned: PlannedDocument,
  authorship: Authorship,
): Promise<number> {
  const { document, live, state, what, revisionAbove } = planned
  const issuers = document.issuers.map((issuer) => issuer.issuer)
  const outcome = await store.change({
    tenantId: document.tenant,
    expectedRevision: live?.revision ?? 0,
    state: JSON.stringify(withTimesOfLeaving(state, authorship.at)),
    configuration: { document: JSON.stringify(document), issuers },
    revisionAbove,
    history: { ...authorship, what },
  })
  if (outcome.outcome === 'changed') return outcome.revision
  if (outcome.outcome === 'issuer-taken') throw issuerTaken(document, outcome.issuer)
  throw new OperationError(
    `tenant ${document.tenant}: somebody changed it while this change was planned ` +
      `(revision ${live?.revision ?? 0} → ${outcome.revision}); nothing was written, plan it again`,
  )
}

function issuerTaken(document: TenantDocument, issuer: string): FaultsError {
  const index = document.issuers.findIndex((entry) => entry.issuer === issuer)
  // The other tenant isn't named: one studio learns nothing about another.
  const problem = 'belongs to another tenant; an issuer belongs to one'
  return new FaultsError(`tenant ${document.tenant}`, [{ path: `issuers[${index}].issuer`, problem }])
}
