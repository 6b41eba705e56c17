import { OperationError } from '../domain/errors.ts'
import type { ModelState } from '../domain/tenant-state.ts'
import type { LiveTables, PublishTarget } from './ports.ts'

/** Throws OperationError where model or version left the document meanwhile. */
export function targetModel(
  { document, state }: LiveTables,
  { tenantId, modelId, versionId }: PublishTarget,
): ModelState {
  const model = new Map(Object.entries(document.models)).get(modelId)
  const modelState = new Map(Object.entries(state.models)).get(modelId)
  if (model?.versions.includes(versionId) && modelState !== undefined) return modelState
  throw new OperationError(
    `${tenantId}/${modelId}/${versionId} was deleted while it was being published; nothing was activated`,
  )
}
