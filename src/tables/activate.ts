import { OperationError } from '../domain/errors.ts'
import { moveGeneration, withGenerations } from '../domain/generation-moves.ts'
import { activeGeneration, type GenerationState } from '../domain/tenant-state.ts'
import { findTable } from './find-generation.ts'
import { describeFinding } from './gates.ts'
import type { GenerationAddress, GenerationCatalog, LiveTables, TableStore } from './ports.ts'
import { isThere } from './verify.ts'

export interface ActivationServices {
  readonly store: TableStore
  readonly catalog: Pick<GenerationCatalog, 'read' | 'change'>
  readonly now: () => Date
}

export interface Activation {
  readonly generation: number
  readonly version: string
  readonly rows: number
  /** The one that was active before; null: none was, or it is the same. */
  readonly replaced: number | null
  readonly catalogRevision: number
}

/**
 * Makes a generation that is in Redis its version's active one: nothing is copied. Where gates or a rollback stand
 * against it, only a person may, who says so. Throws OperationError.
 */
export async function activate(
  { store, catalog, now }: ActivationServices,
  address: GenerationAddress,
  options: { readonly despiteGates: boolean },
): Promise<Activation> {
  const { tenantId, modelId, generation } = address
  await checkThere(store, address, findTable(await catalog.read(tenantId), modelId, generation))
  let activation: Omit<Activation, 'catalogRevision'> | null = null
  const catalogRevision = await catalog.change(tenantId, (live) => {
    const entry = findTable(live, modelId, generation)
    const { version, rows } = entry
    checkVersion(live, modelId, version)
    const active = activeGeneration(live.state.models[modelId]!, version)
    activation = { generation, version, rows, replaced: null }
    if (active?.generation === generation) return null
    if (!options.despiteGates) checkPermitted(entry, address)
    activation = { ...activation, replaced: active?.generation ?? null }
    const at = now().toISOString()
    const changes = new Map([[generation, moveGeneration(entry, 'active', at)]])
    if (active !== null) changes.set(active.generation, moveGeneration(active.entry, 'previous', at))
    const despite: string[] = entry.findings.map(({ gate }) => gate)
    if (entry.quarantinedAt !== null) despite.push('its rollback')
    const aside = despite.length === 0 ? '' : `, despite ${despite.join(', ')}`
    const what = [`activates generation ${generation} of ${modelId}/${version} (${rows} rows)${aside}`]
    return { state: withGenerations(live.state, modelId, changes), what }
  })
  return { ...activation!, catalogRevision }
}

/** Throws OperationError where the version has left the document, and can't be served. */
export function checkVersion({ document }: LiveTables, modelId: string, versionId: string): void {
  const model = new Map(Object.entries(document.models)).get(modelId)
  if (model === undefined)
    throw new OperationError(
      `tenant ${document.tenant} has no model ${modelId}; it has ${Object.keys(document.models).join(', ') || 'none'}`,
    )
  if (!model.versions.includes(versionId))
    throw new OperationError(
      `model ${modelId} has no version ${versionId}; it has ${model.versions.join(', ')}`,
    )
}

/** Throws OperationError where buckets are missing. */
export async function checkThere(
  store: TableStore,
  address: GenerationAddress,
  entry: GenerationState,
): Promise<void> {
  if (await isThere(store, address, entry)) return
  throw new OperationError(
    `generation ${address.generation} of ${address.modelId}/${entry.version} is damaged in Redis: buckets are missing; ` +
      'nothing was changed. Publish its rows again',
  )
}

function checkPermitted(entry: GenerationState, { modelId, generation }: GenerationAddress): void {
  const reasons = entry.findings.map(describeFinding)
  if (entry.state === 'quarantined') reasons.push(`it was rolled back from at ${entry.quarantinedAt}`)
  if (entry.state === 'loaded' && reasons.length === 0)
    reasons.push('its content was rolled back from before')
  if (reasons.length === 0 || entry.state === 'previous') return
  throw new OperationError(
    `generation ${generation} of ${modelId}/${entry.version} is ${entry.state} and was not activated:\n` +
      `${reasons.map((reason) => `  ${reason}`).join('\n')}\n` +
      "to activate it all the same: --despite-gates --reason '…'",
  )
}
