import { OperationError } from '../domain/errors.ts'
import { loadedEntry, moveGeneration, withGenerations } from '../domain/generation-moves.ts'
import type { GenerationState, TenantState } from '../domain/tenant-state.ts'
import { type Collectable, type CollectionPlan, type ManifestAt, planCollection } from './collect-policy.ts'
import { type HeldLease, holdLease, leaseToken } from './hold-lease.ts'
import type { GenerationCatalog, LeaseStore, LiveTables, TableStore, TablesChange } from './ports.ts'
import { removeTable } from './remove-table.ts'
import { forgetShards } from './shards/shard-state.ts'

export interface CollectServices {
  readonly store: TableStore
  readonly leases: LeaseStore
  readonly catalog: GenerationCatalog
  readonly newToken: () => string
  readonly now: () => Date
}

export interface Collection {
  /** Their rows are gone now; or would be, where it was only asked. */
  readonly collected: readonly Collectable[]
  /** Generations that nobody needs to know of any more. */
  readonly forgotten: number
}

/** What a collection would take away at the moment. */
export async function planTenantCollection(
  { store, leases, catalog, now }: Omit<CollectServices, 'newToken'>,
  tenantId: string,
): Promise<CollectionPlan> {
  const live = await catalog.read(tenantId)
  return planCollection(live, await manifestsOf(store, leases, tenantId, live), now())
}

/**
 * Takes away what nobody reads any more, in this order: the catalog says `collecting`, so that nothing can make the
 * generation active; its rows go; the catalog says `collected`. One that dies on the way is gone on with by the next.
 * Throws OperationError where another collector is at it.
 */
export async function collectTables(
  services: CollectServices,
  tenantId: string,
  by: string,
): Promise<Collection> {
  const { leases, newToken, now } = services
  const lease = await holdLease(
    leases,
    { lease: 'collector', tenantId },
    { token: newToken(), by, since: now().toISOString() },
  )
  if (lease.held === null)
    throw new OperationError(`tenant ${tenantId}'s tables are being collected already (by ${lease.by})`)
  try {
    return await collectHeld(services, tenantId, lease.held)
  } finally {
    await lease.held.release()
  }
}

async function collectHeld(
  services: CollectServices,
  tenantId: string,
  lease: HeldLease,
): Promise<Collection> {
  const { store, leases, catalog, now } = services
  let plan: CollectionPlan = { collectable: [], forgotten: [], redundant: [] }
  await catalog.change(tenantId, async (live) => {
    plan = planCollection(live, await manifestsOf(store, leases, tenantId, live), now())
    return begun(live, plan, now().toISOString())
  })
  for (const { modelId, generation } of plan.redundant)
    await store.removeManifest({ tenantId, modelId, generation })
  // Once more: a publisher that was stopped for days may have written a last trip.
  for (const { modelId, generation, buckets } of plan.forgotten)
    await removeTable(store, { tenantId, modelId, generation }, buckets, lease.renew)
  for (const { modelId, generation, buckets, manifest } of plan.collectable) {
    const address = { tenantId, modelId, generation }
    // Whatever its publisher still writes, it finds out with its next batch.
    if (manifest !== null) await store.putManifest(address, { ...manifest, state: 'collecting' })
    await removeTable(store, address, buckets, lease.renew)
    if (manifest?.run !== undefined) await forgetShards(leases, address, manifest.run.shards)
  }
  if (plan.collectable.length + plan.forgotten.length > 0)
    await catalog.change(tenantId, (live) => finished(live, plan, now().toISOString()))
  for (const { modelId, generation, manifest } of plan.collectable)
    if (manifest !== null) await store.removeManifest({ tenantId, modelId, generation })
  return { collected: plan.collectable, forgotten: plan.forgotten.length }
}

async function manifestsOf(
  store: TableStore,
  leases: LeaseStore,
  tenantId: string,
  { state }: LiveTables,
): Promise<readonly ManifestAt[]> {
  const found: ManifestAt[] = []
  for (const modelId of Object.keys(state.models)) {
    const manifests = await store.manifests(tenantId, modelId)
    for (const [generation, manifest] of manifests) {
      const name = { lease: 'version', tenantId, modelId, versionId: manifest.version } as const
      const isHeld = (await leaseToken(leases, name)) === manifest.token
      found.push({ modelId, generation, manifest, isHeld })
    }
  }
  return found
}

/** Null where nothing is collectable that isn't `collecting` already. */
function begun({ state }: LiveTables, { collectable }: CollectionPlan, at: string): TablesChange | null {
  const what: string[] = []
  let changed = state
  for (const { modelId, generation, why, manifest, version, rows } of collectable) {
    const entry = changed.models[modelId]?.generations[generation]
    if (entry?.state === 'collecting') continue
    const next =
      manifest === null
        ? moveGeneration(entry!, 'collecting', at)
        : moveGeneration(loadedEntry(manifest, [], manifest.startedAt), 'collecting', at)
    changed = withGenerations(changed, modelId, new Map([[generation, next]]))
    what.push(`collects generation ${generation} of ${modelId}/${version} (${rows} rows): ${why}`)
  }
  return what.length === 0 ? null : { state: changed, what }
}

function finished({ state }: LiveTables, plan: CollectionPlan, at: string): TablesChange | null {
  const what: string[] = []
  let changed: TenantState = state
  const set = (modelId: string, generation: number, entry: GenerationState | null) => {
    changed = withGenerations(changed, modelId, new Map([[generation, entry]]))
  }
  for (const { modelId, generation } of plan.collectable) {
    const entry = state.models[modelId]?.generations[generation]
    if (entry?.state !== 'collecting') continue
    set(modelId, generation, moveGeneration(entry, 'collected', at))
    what.push(`generation ${generation} of ${modelId} is collected`)
  }
  for (const { modelId, generation } of plan.forgotten) {
    if (state.models[modelId]?.generations[generation]?.state !== 'collected') continue
    set(modelId, generation, null)
    what.push(`forgets generation ${generation} of ${modelId}`)
  }
  return what.length === 0 ? null : { state: changed, what }
}
