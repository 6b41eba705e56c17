import { OperationError } from '../domain/errors.ts'
import type { KeyPartDocument, ModelDocument, TenantDocument } from '../domain/tenant-document.ts'
import type { LiveTables } from './ports.ts'
import type { KeyLayout } from './unit-rows.ts'

/** A model whose tables may hold rows of a unit. */
interface ErasableModel {
  readonly modelId: string
  /** Null for one that was deleted: nobody knows its row key any more. */
  readonly layout: KeyLayout | null
}

/** What an erasure goes through. */
export interface ErasureScope {
  readonly models: readonly ErasableModel[]
  /** Models without any row of a player. */
  readonly skipped: readonly { readonly modelId: string; readonly why: string }[]
}

type Sorted =
  | { readonly layout: KeyLayout }
  | { readonly publicKey: string }
  | { readonly namelessKey: string }

/**
 * All models whose rows can be told to be a unit's; or those that are named. Throws OperationError for models whose rows
 * are players' and don't say whose: half an erasure must not look like a whole one.
 *
 * @param named empty: all
 */
export function erasureScope({ document, state }: LiveTables, named: readonly string[]): ErasureScope {
  const documents = new Map(Object.entries(document.models))
  const known = Object.keys(state.models)
  for (const modelId of named)
    if (!known.includes(modelId))
      throw new OperationError(
        `tenant ${document.tenant} has no model ${modelId}; it has ${known.join(', ') || 'none'}`,
      )
  const models: ErasableModel[] = []
  const skipped: ErasureScope['skipped'][number][] = []
  const refused: string[] = []
  for (const modelId of known) {
    if (named.length > 0 && !named.includes(modelId)) continue
    const model = documents.get(modelId)
    const sorted = model === undefined ? { layout: null } : sort(document, model)
    if ('layout' in sorted) models.push({ modelId, layout: sorted.layout })
    else if ('namelessKey' in sorted) refused.push(describeNameless(document, modelId, sorted.namelessKey))
    else {
      const why = `its row key (${sorted.publicKey}) has no claim: its rows are everybody's`
      if (named.length > 0) refused.push(`model ${modelId} has no row of a player: ${why}`)
      else skipped.push({ modelId, why })
    }
  }
  if (refused.length > 0) throw refusal(refused, named.length > 0 ? [] : models)
  return { models, skipped }
}

function sort({ claims }: TenantDocument, { key }: ModelDocument): Sorted {
  const text = key.map(describePart).join(', ')
  if (!key.some((part) => 'claim' in part)) return { publicKey: text }
  const layout = key.map((part) => {
    if ('claim' in part) return part.claim === claims.unit ? 'unit' : null
    return 'values' in part ? part.values : null
  })
  return layout.includes('unit') ? { layout } : { namelessKey: text }
}

function describePart(part: KeyPartDocument): string {
  return 'claim' in part ? `claim ${part.claim}` : `parameter ${part.query}`
}

function describeNameless({ claims }: TenantDocument, modelId: string, key: string): string {
  return (
    `model ${modelId} can't be erased from: its row key (${key}) has no part from the claim ${claims.unit}, so that ` +
    "nothing tells a player's rows from others'. Publish it anew from data without the player"
  )
}

function refusal(reasons: readonly string[], others: readonly ErasableModel[]): OperationError {
  const hint =
    others.length === 0
      ? ''
      : `\nto erase from the others: ${others.map(({ modelId }) => `--model ${modelId}`).join(' ')}`
  return new OperationError(`${reasons.join('\n')}\nnothing was removed${hint}`)
}
