import { FaultsError, OperationError } from '../domain/errors.ts'
import type { TenantDocument } from '../domain/tenant-document.ts'
import type { GenerationState, TenantState } from '../domain/tenant-state.ts'
import { type ChangeableTenant, readChangeableTenant, readLiveTenant } from './live-tenant.ts'
import { type CatalogPlan, planDocument } from './plan.ts'
import type { CatalogStore } from './ports.ts'

/** Who changes the catalog, and why: it goes into the history. */
export interface Authorship {
  readonly who: string
  readonly why: string
  /** RFC 3339. */
  readonly at: string
}

/** Publishes of several versions of one tenant meet here; each try reads and plans anew. */
const activationTriesMax = 20

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
    state: JSON.stringify(state),
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

export interface Activation {
  readonly tenantId: string
  readonly modelId: string
  readonly generation: number
  readonly entry: Omit<GenerationState, 'state' | 'activatedAt'>
}

/** Makes a loaded generation its version's active one, in one catalog change. Answers the new catalog revision. */
export async function activateGeneration(
  store: CatalogStore,
  activation: Activation,
  authorship: Authorship,
): Promise<number> {
  const { tenantId, modelId, generation, entry } = activation
  for (let tries = 0; tries < activationTriesMax; tries++) {
    const live = await readLiveTenant(store, tenantId)
    const model = live?.document.models[modelId]
    if (live === null || model === undefined || !model.versions.includes(entry.version))
      throw new OperationError(
        `${tenantId}/${modelId}/${entry.version} was deleted while it was being published; nothing was activated`,
      )
    const state = withActive(live.state, activation, authorship.at)
    const what = [`activates generation ${generation} of ${modelId}/${entry.version} (${entry.rows} rows)`]
    const outcome = await store.change({
      tenantId,
      expectedRevision: live.revision,
      state: JSON.stringify(state),
      configuration: null,
      history: { ...authorship, what },
    })
    if (outcome.outcome === 'changed') return outcome.revision
  }
  throw new OperationError(
    `${tenantId}/${modelId}: generation ${generation} is loaded, and couldn't be activated: ` +
      `the catalog changed ${activationTriesMax} times meanwhile; publish again`,
  )
}

function withActive(state: TenantState, activation: Activation, at: string): TenantState {
  const { modelId, generation, entry } = activation
  const model = state.models[modelId]
  if (model === undefined) throw new Error(`model ${modelId} has a document and no state`)
  const generations: Record<string, GenerationState> = {}
  for (const [number, other] of Object.entries(model.generations)) {
    const replaced = other.version === entry.version && other.state === 'active'
    generations[number] = replaced ? { ...other, state: 'previous' } : other
  }
  generations[generation] = { ...entry, state: 'active', activatedAt: at }
  return { ...state, models: { ...state.models, [modelId]: { ...model, generations } } }
}

function issuerTaken(document: TenantDocument, issuer: string): FaultsError {
  const index = document.issuers.findIndex((entry) => entry.issuer === issuer)
  // The other tenant isn't named: one studio learns nothing about another.
  const problem = 'belongs to another tenant; an issuer belongs to one'
  return new FaultsError(`tenant ${document.tenant}`, [{ path: `issuers[${index}].issuer`, problem }])
}
