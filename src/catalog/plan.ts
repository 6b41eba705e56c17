import diff from 'microdiff'
import type { Allocation } from '../domain/allocation.ts'
import { recordSchemaGrowthFaults } from '../domain/codec/record-schema.ts'
import type { Fault } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { appendAllocation, movedSlots, planAllocation } from '../domain/planner.ts'
import type { ModelDocument, TenantDocument } from '../domain/tenant-document.ts'
import {
  activeGeneration,
  type GenerationState,
  type ModelState,
  type TenantState,
} from '../domain/tenant-state.ts'
import { basisPointsOf } from '../domain/weights.ts'
import { joinPath } from '../domain/zod-faults.ts'
import { compileKeyPart } from './compile.ts'
import type { ChangeableTenant } from './live-tenant.ts'

/** What a document would change, worked out against what is live, before anything is written. */
export interface CatalogPlan {
  /** One line a change, for people; empty: nothing would change. */
  readonly what: readonly string[]
  readonly state: TenantState
  /** Why it can't be made; nothing may be written while there is one. */
  readonly faults: readonly Fault[]
}

/** `newSalt` is asked once for every model that is created. */
export function planDocument(
  live: Pick<ChangeableTenant, 'document' | 'state'> | null,
  next: TenantDocument,
  newSalt: () => string,
): CatalogPlan {
  const faults: Fault[] = []
  const what = describeChange(live, next)
  // Without a prototype, which would answer for a model called "constructor".
  const models: Record<string, ModelState> = Object.assign(Object.create(null), live?.state.models)
  const retiredModels = new Set(live?.state.retiredModels)
  for (const [modelId, model] of Object.entries(next.models)) {
    const path = joinPath('models', modelId)
    const state = models[modelId]
    if (retiredModels.has(modelId)) {
      faults.push({ path, problem: 'was deleted once, and an id is never used again; take another' })
    } else if (state === undefined) {
      models[modelId] = createModel(model, newSalt())
    } else {
      const changed = changeModel(state, live?.document?.models[modelId] ?? model, model, path)
      faults.push(...changed.faults)
      what.push(...changed.what.map((line) => `${path}: ${line}`))
      models[modelId] = changed.state
    }
  }
  for (const [modelId, state] of Object.entries(models)) {
    if (Object.hasOwn(next.models, modelId) || retiredModels.has(modelId)) continue
    retiredModels.add(modelId)
    what.push(
      `${joinPath('models', modelId)}: model ${modelId} is deleted: its tables are collected, and its id can't come back`,
    )
    models[modelId] = { ...state, generations: retireGenerations(state.generations, () => true) }
  }
  const erasures = live?.state.erasures ?? 0
  return { what, faults, state: { models, retiredModels: [...retiredModels], erasures } }
}

function describeChange(
  live: { readonly document: TenantDocument | null } | null,
  next: TenantDocument,
): string[] {
  const models = Object.keys(next.models).join(', ') || 'no model'
  if (live === null) return [`creates tenant ${next.tenant} with ${models}`]
  if (live.document === null)
    return [`replaces the document of tenant ${next.tenant}, which can't be read, by one with ${models}`]
  return describeDifference(live.document, next)
}

function describeDifference(live: TenantDocument, next: TenantDocument): string[] {
  // microdiff takes plain objects; both sides are JSON-shaped, so a trip through JSON only drops undefined values.
  const plain = (document: unknown) =>
    JSON.parse(JSON.stringify(document), withoutPrototype) as Record<string, unknown>
  return diff(plain(withUnitsAsKeys(live)), plain(withUnitsAsKeys(next))).map((difference) => {
    const path = joinPath('', ...difference.path)
    if (difference.type === 'CREATE') return `+ ${path}: ${JSON.stringify(difference.value)}`
    if (difference.type === 'REMOVE') return `- ${path}: ${JSON.stringify(difference.oldValue)}`
    return `~ ${path}: ${JSON.stringify(difference.oldValue)} → ${JSON.stringify(difference.value)}`
  })
}

/** The order of overridden units means nothing: as keys, one that leaves a list of a thousand is one line. */
function withUnitsAsKeys(document: TenantDocument): unknown {
  const models = Object.entries(document.models).map(([modelId, model]) => {
    if (model.overrides === undefined) return [modelId, model]
    const overrides = Object.entries(model.overrides).map(([versionId, units]) => [
      versionId,
      Object.fromEntries(units.map((unit) => [unit, true])),
    ])
    return [modelId, { ...model, overrides: Object.fromEntries(overrides) }]
  })
  return { ...document, models: Object.fromEntries(models) }
}

/** microdiff asks with `in`, and would find a model "constructor" in every object: as if it had always been there. */
function withoutPrototype(_name: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.assign(Object.create(null), value)
    : value
}

function createModel(model: ModelDocument, salt: string): ModelState {
  const allocation = planAllocation([], weightsOf(model))
  return { salt, record: model.record, allocations: [allocation], generations: {}, retiredVersions: [] }
}

function changeModel(
  state: ModelState,
  live: ModelDocument,
  next: ModelDocument,
  path: string,
): { state: ModelState; faults: readonly Fault[]; what: readonly string[] } {
  const growth = recordSchemaGrowthFaults(state.record, next.record).map((fault) => ({
    path: fault.path === '' ? joinPath(path, 'record') : joinPath(path, 'record', fault.path),
    problem: fault.problem,
  }))
  const retired = new Set(state.retiredVersions)
  const reused = next.versions.flatMap((id, index) =>
    retired.has(id)
      ? [
          {
            path: joinPath(path, 'versions', index),
            problem: `"${id}" was deleted once, and an id is never used again`,
          },
        ]
      : [],
  )
  const faults = [
    ...growth,
    ...reused,
    ...keyFaults(state, live, next, path),
    ...weightFaults(state, next, path),
  ]
  const gone = live.versions.filter((id) => !next.versions.includes(id))
  const moved = planWeights(state.allocations, weightsOf(next))
  return {
    faults,
    what: [
      ...(moved.movedSlots === null ? [] : [`${moved.movedSlots} of ${limits.slots} slots move`]),
      ...gone.map((id) => `version ${id} is deleted: its tables are collected, and its id can't come back`),
    ],
    state: {
      ...state,
      record: next.record,
      allocations: moved.allocations,
      generations: retireGenerations(state.generations, (version) => gone.includes(version)),
      retiredVersions: [...state.retiredVersions, ...gone],
    },
  }
}

/** `movedSlots` is null where the weights stay as they are. */
function planWeights(
  history: readonly Allocation[],
  weights: Readonly<Record<string, number>>,
): { allocations: Allocation[]; movedSlots: number | null } {
  const today = history.at(-1)
  if (today !== undefined && sameWeights(today.weights, weights))
    return { allocations: [...history], movedSlots: null }
  const next = planAllocation(history, weights)
  return {
    allocations: [...appendAllocation(history, next)],
    movedSlots: today === undefined ? null : movedSlots(today, next),
  }
}

/** A weight of 0 and none at all are the same. */
function sameWeights(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const [pointsA, pointsB] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  return [...pointsA.keys(), ...pointsB.keys()].every(
    (id) => (pointsA.get(id) ?? 0) === (pointsB.get(id) ?? 0),
  )
}

/**
 * Rows are found by the whole row key: with other parts, or in another order, nothing that is published could be found,
 * or somebody else's row would be. One and the same part may change its name or its column, not both at once.
 */
function keyFaults(state: ModelState, live: ModelDocument, next: ModelDocument, path: string): Fault[] {
  if (!hasActiveTable(state) || sameParts(live, next)) return []
  return [
    {
      path: joinPath(path, 'key'),
      problem: `is (${partsOf(next)}) and the published tables' is (${partsOf(live)}); make a new model for another row key`,
    },
  ]
}

function partsOf({ key }: ModelDocument): string {
  return key
    .map(compileKeyPart)
    .map(({ source, name, column }) => `${source} ${name} → ${column}`)
    .join(', ')
}

function sameParts(live: ModelDocument, next: ModelDocument): boolean {
  if (live.key.length !== next.key.length) return false
  return live.key.map(compileKeyPart).every((before, index) => {
    const after = compileKeyPart(next.key[index]!)
    const sameName = before.source === after.source && before.name === after.name
    return sameName || before.column === after.column
  })
}

/** Before the first publish weights are free, so that a model can be set up in any order. */
function weightFaults(state: ModelState, next: ModelDocument, path: string): Fault[] {
  if (!hasActiveTable(state)) return []
  const today = new Map(Object.entries(state.allocations.at(-1)?.weights ?? {}))
  return Object.entries(weightsOf(next)).flatMap(([id, points]) =>
    points > (today.get(id) ?? 0) && activeGeneration(state, id) === null
      ? [
          {
            path: joinPath(path, 'weights', id),
            problem: `can't rise from ${(today.get(id) ?? 0) / 100} to ${points / 100}: "${id}" has no active table; publish it first`,
          },
        ]
      : [],
  )
}

function hasActiveTable({ generations }: ModelState): boolean {
  return Object.values(generations).some(({ state }) => state === 'active')
}

function weightsOf(model: ModelDocument): Readonly<Record<string, number>> {
  const weights = basisPointsOf(model.weights)
  if ('faults' in weights) throw new Error('weights of an unchecked document')
  return weights.basisPoints
}

function retireGenerations(
  generations: Readonly<Record<string, GenerationState>>,
  isGone: (version: string) => boolean,
): Record<string, GenerationState> {
  return Object.fromEntries(
    Object.entries(generations).map(([generation, entry]) => [
      generation,
      isGone(entry.version) && entry.state === 'active' ? { ...entry, state: 'previous' as const } : entry,
    ]),
  )
}
