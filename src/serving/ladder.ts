import { type Refusal, refuse } from '../domain/errors.ts'
import type { Cause, Reason } from '../domain/reasons.ts'
import type { CompiledModel, CompiledVersion } from '../domain/snapshot.ts'
import { isFault, type NearRow } from './near-row.ts'
import type { RecordReadResult } from './ports.ts'

/** A record to answer with, and the rung of the ladder that it stands on. */
export interface Recommendation {
  /** The assigned version: the experiment's arm, also where another's record answers. */
  readonly version: CompiledVersion
  readonly model: CompiledModel
  readonly reason: Reason
  /** Null where the version's own record answers. */
  readonly cause: Cause | null
  readonly packed: Uint8Array
}

/**
 * Step 5: own row → control's row → a copy of one of them from before → the model's default record → a refusal where
 * there is none.
 */
export function climbDown(
  model: CompiledModel,
  selected: { readonly version: CompiledVersion; readonly reason: Reason },
  found: RecordReadResult,
  row: Pick<NearRow, 'stale'>,
  now: number,
): Recommendation | Refusal {
  const { version } = selected
  switch (found.from) {
    case 'own':
      return { model, version, reason: selected.reason, cause: null, packed: found.bytes }
    case 'control':
      return { model, version, reason: 'sibling', cause: found.cause, packed: found.bytes }
    case 'none': {
      const { cause } = found
      const packed = isFault(cause) ? row.stale(now) : null
      if (packed === null) return defaultRecord(model, version, cause)
      return { model, version, reason: 'stale', cause, packed }
    }
  }
}

/** The last rung, also for a record whose bytes turn out to be damaged. */
export function defaultRecord(
  model: CompiledModel,
  version: CompiledVersion,
  cause: Cause,
): Recommendation | Refusal {
  if (model.defaultRecord !== null)
    return { model, version, reason: 'default', cause, packed: model.defaultRecord }
  if (cause === 'unknown-row')
    return refuse('record-not-found', 'there is no recommendation for this request')
  return refuse('store-unavailable', 'there is no recommendation at the moment')
}
