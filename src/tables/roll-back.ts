import { OperationError } from '../domain/errors.ts'
import { moveGeneration, withGenerations } from '../domain/generation-moves.ts'
import { activeGeneration, type GenerationState, newestPrevious } from '../domain/tenant-state.ts'
import { type Activation, type ActivationServices, checkThere, checkVersion } from './activate.ts'
import type { LiveTables } from './ports.ts'

/**
 * The version's last active generation becomes active again, and the one that is active now is quarantined: no publish
 * of the same content is activated by itself. Throws OperationError where there is none to go back to.
 */
export async function rollBack(
  { store, catalog, now }: ActivationServices,
  { tenantId, modelId, versionId }: { tenantId: string; modelId: string; versionId: string },
): Promise<Activation> {
  const planned = previousOf(await catalog.read(tenantId), modelId, versionId)
  await checkThere(store, { tenantId, modelId, generation: planned.generation }, planned.entry)
  const catalogRevision = await catalog.change(tenantId, (live) => {
    const { generation, entry, active } = previousOf(live, modelId, versionId)
    if (generation !== planned.generation)
      throw new OperationError(
        `${modelId}/${versionId}: somebody changed it meanwhile; nothing was rolled back`,
      )
    const at = now().toISOString()
    const changes = new Map([
      [generation, moveGeneration(entry, 'active', at)],
      [active.generation, moveGeneration(active.entry, 'quarantined', at)],
    ])
    const what = [
      `rolls ${modelId}/${versionId} back from generation ${active.generation} to ${generation} (${entry.rows} rows)`,
      `quarantines generation ${active.generation}`,
    ]
    return { state: withGenerations(live.state, modelId, changes), what }
  })
  const { generation, entry, active } = planned
  return { generation, version: versionId, rows: entry.rows, replaced: active.generation, catalogRevision }
}

interface Previous {
  readonly generation: number
  readonly entry: GenerationState
  readonly active: { readonly generation: number; readonly entry: GenerationState }
}

function previousOf(live: LiveTables, modelId: string, versionId: string): Previous {
  checkVersion(live, modelId, versionId)
  const model = live.state.models[modelId]!
  const active = activeGeneration(model, versionId)
  if (active === null)
    throw new OperationError(`${modelId}/${versionId} has no active generation to roll back from`)
  const newest = newestPrevious(model.generations, versionId)
  if (newest !== null) return { ...newest, active }
  throw new OperationError(
    `${modelId}/${versionId} has no previous generation to go back to; generation ${active.generation} stays active`,
  )
}
