import { CodecError } from '../domain/codec/codec.ts'
import { isRefusal, type Refusal, refuseTo } from '../domain/errors.ts'
import type { Format, Reason } from '../domain/reasons.ts'
import type { Target } from './find-target.ts'
import { climbDown, defaultRecord, type Recommendation } from './ladder.ts'

export interface Answer<Representation> {
  readonly recommendation: Recommendation
  readonly representation: Representation
}

/**
 * Bytes that Redis holds can be damaged in ways that only decoding shows: then the ladder goes on below them.
 * `represent` throws CodecError for such bytes. `receivedAt`: copies are as old as they were when the request came.
 */
export function representOrFall<Representation>(
  target: Target,
  recommendation: Recommendation,
  format: Format,
  represent: (recommendation: Recommendation, format: Format) => Representation,
  receivedAt: number,
): Answer<Representation> | Refusal {
  try {
    return { recommendation, representation: represent(recommendation, format) }
  } catch (error) {
    // The default record is sound: it was packed here.
    if (!(error instanceof CodecError) || recommendation.reason === 'default') throw error
    const lower = fallBelow(target, recommendation.reason, receivedAt)
    if (isRefusal(lower)) return refuseTo(target.tenant.id, lower)
    return representOrFall(target, lower, format, represent, receivedAt)
  }
}

function fallBelow(
  target: Target,
  reason: Exclude<Reason, 'default'>,
  receivedAt: number,
): Recommendation | Refusal {
  const { model, version, row } = target
  if (reason === 'stale') return defaultRecord(model, version, 'table-damaged')
  row.distrust(reason === 'sibling' ? 'control' : 'own')
  return climbDown(model, target, { from: 'none', cause: 'table-damaged' }, row, receivedAt)
}
