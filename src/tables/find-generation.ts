import { OperationError } from '../domain/errors.ts'
import type { GenerationState, ModelState } from '../domain/tenant-state.ts'
import type { LiveTables } from './ports.ts'

/** A model's state, also of one that has left the document. Throws OperationError naming those that are there. */
export function findModelState({ state, document }: LiveTables, modelId: string): ModelState {
  const found = new Map(Object.entries(state.models)).get(modelId)
  if (found !== undefined) return found
  const known = Object.keys(state.models).join(', ') || 'none'
  throw new OperationError(`tenant ${document.tenant} has no model ${modelId}; it has ${known}`)
}

/** A generation that the catalog knows. Throws OperationError naming those that it does. */
export function findGeneration(live: LiveTables, modelId: string, generation: number): GenerationState {
  const { generations } = findModelState(live, modelId)
  const found = generations[generation]
  if (found !== undefined) return found
  const known = Object.keys(generations).join(', ') || 'none'
  throw new OperationError(
    `model ${modelId} has no generation ${generation} that is loaded; it has ${known}. ` +
      '`recgate tables list` shows those that are being loaded, too',
  )
}

/** The same where its rows must be in Redis. */
export function findTable(live: LiveTables, modelId: string, generation: number): GenerationState {
  const entry = findGeneration(live, modelId, generation)
  if (entry.state !== 'collecting' && entry.state !== 'collected') return entry
  throw new OperationError(
    `generation ${generation} of ${modelId} is ${entry.state}: its rows are gone; publish them again`,
  )
}
