import type { GateFinding } from './gates.ts'
import { type GenerationStateName, mayBecome } from './generation-states.ts'
import { noStatistics } from './table-statistics.ts'
import type { GenerationState, PackedGeneration, TenantState } from './tenant-state.ts'

/** A generation's next state, with the times that it stamps. Throws where the table of states knows no such step. */
export function moveGeneration(
  entry: GenerationState,
  to: GenerationState['state'],
  at: string,
): GenerationState {
  if (!mayBecome(entry.state, to)) throw new Error(`a generation that is ${entry.state} can't become ${to}`)
  const left = entry.state === 'active' ? { lastActiveAt: at } : {}
  return { ...entry, ...left, ...stamps(entry, to, at), state: to }
}

function stamps(entry: GenerationState, to: GenerationStateName, at: string): Partial<GenerationState> {
  switch (to) {
    case 'active':
      return { activatedAt: entry.activatedAt ?? at, lastActiveAt: null, quarantinedAt: null }
    case 'quarantined':
      return { quarantinedAt: at }
    case 'collected':
      // Nothing is compared with it any more.
      return { collectedAt: at, statistics: noStatistics }
    default:
      return {}
  }
}

/** The state with other generations of one model; null takes one out. */
export function withGenerations(
  state: TenantState,
  modelId: string,
  changes: ReadonlyMap<number, GenerationState | null>,
): TenantState {
  const model = new Map(Object.entries(state.models)).get(modelId)
  if (model === undefined) throw new Error(`there is no state of a model ${modelId}`)
  const generations: Record<string, GenerationState> = { ...model.generations }
  for (const [number, entry] of changes)
    if (entry === null) delete generations[number]
    else generations[number] = entry
  return { ...state, models: { ...state.models, [modelId]: { ...model, generations } } }
}

/** What was active in a version that left the document was so until the change that took it out. */
export function withTimesOfLeaving(state: TenantState, at: string): TenantState {
  let changed = state
  for (const [modelId, { generations }] of Object.entries(state.models)) {
    const left = Object.entries(generations).flatMap(([number, entry]) =>
      entry.state === 'previous' && entry.lastActiveAt === null
        ? [[Number(number), { ...entry, lastActiveAt: at }] as const]
        : [],
    )
    if (left.length > 0) changed = withGenerations(changed, modelId, new Map(left))
  }
  return changed
}

/** As the catalog knows a generation from then on. */
export function loadedEntry(
  packed: PackedGeneration,
  findings: readonly GateFinding[],
  at: string,
): GenerationState {
  const { version, token, contentHash, rows, bytes, memoryBytes, buckets, recordRevision } = packed
  const { by, source, statistics } = packed
  return {
    version,
    state: 'loaded',
    token,
    contentHash,
    rows,
    bytes,
    memoryBytes,
    buckets,
    recordRevision,
    publishedAt: at,
    activatedAt: null,
    lastActiveAt: null,
    quarantinedAt: null,
    collectedAt: null,
    by,
    source,
    findings: [...findings],
    statistics,
  }
}
