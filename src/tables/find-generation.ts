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

/** A generation whose rows are in Redis. Throws OperationError naming those that the catalog knows. */
export function findTable(live: LiveTables, modelId: string, generation: number): GenerationState {
  const { generations } = findModelState(live, modelId)
  const entry = generations[generation]
  if (entry === undefined)
    throw new OperationError(
      `model ${modelId} has no generation ${generation} that is loaded; it has ${Object.keys(generations).join(', ') || 'none'}. ` +
        '`recgate tables list` shows those that are being loaded, too',
    )
  if (entry.state !== 'collecting' && entry.state !== 'collected') return entry
  throw new OperationError(
    `generation ${generation} of ${modelId} is ${entry.state}: its rows are gone; publish them again`,
  )
}
