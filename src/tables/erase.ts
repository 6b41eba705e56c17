import { withGenerations } from '../domain/generation-moves.ts'
import { limits } from '../domain/limits.ts'
import type { GenerationState, TenantState } from '../domain/tenant-state.ts'
import { type ErasureScope, erasureScope } from './erasure-scope.ts'
import type {
  GenerationAddress,
  GenerationCatalog,
  LiveTables,
  SuppressionStore,
  TableStore,
  TablesChange,
} from './ports.ts'
import { suppressionEntries, suppressionHash } from './suppressions.ts'
import { findUnitRows, type UnitRow, type UnitRows } from './unit-rows.ts'
import { withoutRows } from './without-rows.ts'

export interface EraseServices {
  readonly store: TableStore
  readonly catalog: GenerationCatalog
  readonly suppressions: SuppressionStore
  /** A fresh random text at each call. */
  readonly newToken: () => string
  readonly now: () => Date
}

export interface ErasureRequest {
  readonly tenantId: string
  readonly unit: string
  /** Empty: all. */
  readonly modelIds: readonly string[]
  readonly by: string
}

/** A generation that was looked through. */
export interface ErasedTable {
  readonly modelId: string
  readonly version: string
  readonly generation: number
  readonly state: string
  /** That were there, and are gone. */
  readonly rows: number
  /** Buckets where rows might have stood, and that can't be read. */
  readonly damagedBuckets: number
}

export interface Erasure {
  readonly tables: readonly ErasedTable[]
  readonly skipped: ErasureScope['skipped']
  /** Where the document names the unit. */
  readonly overrides: readonly { readonly modelId: string; readonly versionId: string }[]
  /** Replicas that hadn't heard of it when they had been waited for: a failover to one brings rows back. */
  readonly replicasMissing: number
  /** False: publishes left the unit out already. */
  readonly isNewlySuppressed: boolean
  readonly catalogRevision: number
}

/** A unit's rows in one generation. */
interface FoundTable extends UnitRows {
  readonly address: GenerationAddress
  readonly token: string
  readonly version: string
  readonly state: string
}

/** What an erasure would remove at the moment. Throws OperationError where it would be refused. */
export async function planErasure(
  services: Pick<EraseServices, 'store' | 'catalog'>,
  request: ErasureRequest,
): Promise<Pick<Erasure, 'tables' | 'skipped' | 'overrides'>> {
  const live = await services.catalog.read(request.tenantId)
  const scope = erasureScope(live, request.modelIds)
  const settled = await createSearch(services.store, request)(live, scope)
  const loading = await findLoading(services.store, request, live, scope)
  const tables = [...settled, ...loading].map((table) => erasedTable(table, table.rows.length))
  return { tables, skipped: scope.skipped, overrides: overridesOf(live, request.unit) }
}

/**
 * Removes a unit's rows, in this order: publishes are told to leave it out; the catalog counts its rows out of every
 * generation that it knows, which makes publishes that were about to end look again; the rows go, those of generations
 * that are being loaded, too; the catalog tells gateways. One that dies on the way is gone on with by the next: a
 * generation that is marked has been counted already. Throws OperationError where it is refused, with nothing done.
 */
export async function erase(services: EraseServices, request: ErasureRequest): Promise<Erasure> {
  const { store, catalog, suppressions, newToken, now } = services
  const { tenantId, unit, modelIds, by } = request
  erasureScope(await catalog.read(tenantId), modelIds)
  const hash = suppressionHash(await suppressions.saltOf(tenantId, newToken()), unit)
  const entries = suppressionEntries(hash, modelIds.length === 0 ? null : modelIds)
  const added = await suppressions.add(tenantId, entries, { at: now().toISOString(), by })

  const search = createSearch(store, request)
  let found: readonly FoundTable[] = []
  const begunAt = await catalog.change(tenantId, async (live) => {
    const scope = erasureScope(live, modelIds)
    found = await search(live, scope)
    return found.some(({ rows }) => rows.length > 0)
      ? begun(live, found, hash)
      : finished(live, scope, hash, 'erases a unit: no table of the catalog has a row of it')
  })

  const live = await catalog.read(tenantId)
  const scope = erasureScope(live, modelIds)
  const tables: ErasedTable[] = []
  const remove = async (all: readonly FoundTable[]) => {
    for (const table of all)
      tables.push(erasedTable(table, await store.removeRows(table.address, table.token, table.rows)))
  }
  // What is served first: a manifest that can't be read must not keep it.
  await remove(found)
  await remove(await findLoading(store, request, live, scope))
  const { missing: replicasMissing } = await store.replicated(limits.replicasWaitMs)
  const isOver = found.every(({ rows }) => rows.length === 0)
  const catalogRevision = isOver
    ? begunAt
    : await catalog.change(tenantId, (latest) => finished(latest, scope, hash, 'has erased the unit'))
  const { skipped } = scope
  const overrides = overridesOf(live, unit)
  return { tables, skipped, overrides, replicasMissing, isNewlySuppressed: added > 0, catalogRevision }
}

/**
 * Finds a unit's rows in the generations that the catalog knows. Nobody adds rows to those: when it is asked again,
 * because the catalog was changed meanwhile, it looks only where there were some.
 */
function createSearch(store: TableStore, { tenantId, unit }: ErasureRequest) {
  const seen = new Map<string, { readonly buckets: readonly number[]; readonly damagedBuckets: number }>()
  return async ({ state }: LiveTables, { models }: ErasureScope): Promise<readonly FoundTable[]> => {
    const tables: FoundTable[] = []
    for (const { modelId, layout } of models) {
      for (const [number, { state: name, token, version, buckets }] of Object.entries(
        state.models[modelId]?.generations ?? {},
      )) {
        if (name === 'collected') continue
        const address = { tenantId, modelId, generation: Number(number) }
        const place = `${modelId}:${number}`
        const before = seen.get(place)
        const table = { address, token, buckets }
        const { rows, ...found } = await findUnitRows(store, table, layout, unit, before?.buckets)
        const { damagedBuckets } = before ?? found
        seen.set(place, { buckets: [...new Set(rows.map(({ bucket }) => bucket))], damagedBuckets })
        tables.push({ address, token, version, state: name, rows, damagedBuckets })
      }
    }
    return tables
  }
}

/** The same in generations that only their publishers know of, alive or dead. */
async function findLoading(
  store: TableStore,
  { tenantId, unit }: ErasureRequest,
  { state }: LiveTables,
  { models }: ErasureScope,
): Promise<readonly FoundTable[]> {
  const tables: FoundTable[] = []
  for (const { modelId, layout } of models) {
    for (const [generation, manifest] of await store.manifests(tenantId, modelId)) {
      if (state.models[modelId]?.generations[generation] !== undefined) continue
      // The last of several processes leaves the unit out: only it knows what all of them counted.
      if (manifest.run != null) continue
      const address = { tenantId, modelId, generation }
      const { rows } = await findUnitRows(store, { ...manifest, address }, layout, unit)
      const { token, version } = manifest
      // Buckets that aren't there aren't there yet.
      tables.push({ rows, damagedBuckets: 0, address, token, version, state: manifest.state })
    }
  }
  return tables
}

/** Counts rows out of their generations, once. */
function begun({ state }: LiveTables, found: readonly FoundTable[], hash: string): TablesChange {
  const what: string[] = []
  let changed = state
  for (const { address, version, state: name, rows } of found) {
    if (rows.length === 0) continue
    const { modelId, generation } = address
    const entry = changed.models[modelId]!.generations[generation]!
    what.push(
      `erases a unit's ${counted(rows.length)} from generation ${generation} of ${modelId}/${version} (${name})`,
    )
    if (entry.erasing?.includes(hash)) continue
    changed = withGenerations(changed, modelId, new Map([[generation, without(entry, rows, hash)]]))
  }
  return { state: changed, what }
}

function without(entry: GenerationState, rows: readonly UnitRow[], hash: string): GenerationState {
  return { ...entry, ...withoutRows(entry, rows), erasing: [...(entry.erasing ?? []), hash] }
}

/** Once the rows are gone: gateways that copy one after they heard of it find none. */
function finished({ state }: LiveTables, { models }: ErasureScope, hash: string, what: string): TablesChange {
  let changed: TenantState = { ...state, erasures: state.erasures + 1 }
  for (const { modelId } of models) {
    const marked = Object.entries(state.models[modelId]?.generations ?? {}).filter(([, { erasing }]) =>
      erasing?.includes(hash),
    )
    const cleared = marked.map(([number, entry]) => [Number(number), withoutMark(entry, hash)] as const)
    changed = withGenerations(changed, modelId, new Map(cleared))
  }
  return { state: changed, what: [what] }
}

function withoutMark({ erasing = [], ...entry }: GenerationState, hash: string): GenerationState {
  const others = erasing.filter((other) => other !== hash)
  return others.length === 0 ? entry : { ...entry, erasing: others }
}

function overridesOf({ document }: LiveTables, unit: string): Erasure['overrides'] {
  return Object.entries(document.models).flatMap(([modelId, { overrides = {} }]) =>
    Object.entries(overrides).flatMap(([versionId, units]) =>
      units.includes(unit) ? [{ modelId, versionId }] : [],
    ),
  )
}

function erasedTable({ address, version, state, damagedBuckets }: FoundTable, rows: number): ErasedTable {
  const { modelId, generation } = address
  return { modelId, version, generation, state, rows, damagedBuckets }
}

function counted(rows: number): string {
  return rows === 1 ? '1 row' : `${rows} rows`
}
