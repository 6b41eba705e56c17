import { OperationError } from '../domain/errors.ts'
import type { EraseServices, ErasureRequest } from './erase.ts'
import { suppressionEntries, suppressionHash } from './suppressions.ts'

/**
 * Publishes have an erased unit's rows again from then on. Answers in how many entries it was left out; 0: it wasn't.
 * Throws OperationError where some models are named, and it is left out of all.
 */
export async function liftSuppression(
  { catalog, suppressions }: Pick<EraseServices, 'catalog' | 'suppressions'>,
  { tenantId, unit, modelIds }: ErasureRequest,
): Promise<number> {
  await catalog.read(tenantId)
  const standing = await suppressions.read(tenantId)
  if (standing === null) return 0
  const hash = suppressionHash(standing.salt, unit)
  const [ofAll = ''] = suppressionEntries(hash, null)
  if (modelIds.length > 0 && standing.entries.has(ofAll))
    throw new OperationError(
      'this unit is left out of all models, so that it can only be lifted for all: leave --model out; nothing was changed',
    )
  const wanted = modelIds.length > 0 ? new Set(suppressionEntries(hash, modelIds)) : null
  const entries = [...standing.entries].filter((entry) =>
    wanted === null ? entry.endsWith(ofAll) : wanted.has(entry),
  )
  if (entries.length === 0) return 0
  const lifted = await suppressions.remove(tenantId, entries)
  const what = ['lets publishes have the rows of an erased unit again']
  await catalog.change(tenantId, ({ state }) => ({ state, what }))
  return lifted
}
