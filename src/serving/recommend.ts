import { isRefusal, type Refusal, refuse, refuseTo } from '../domain/errors.ts'
import type { Format } from '../domain/reasons.ts'
import { attributeDeadline, requestDeadline } from './deadline.ts'
import type { Query } from './find-model.ts'
import { createFindTarget } from './find-target.ts'
import { climbDown } from './ladder.ts'
import type { NearCache } from './near-cache.ts'
import type { RecordReader, Snapshots, TokenVerifier } from './ports.ts'
import { type Representation, represent } from './represent.ts'
import { type Answer, representOrFall } from './represent-or-fall.ts'
import type { TenantQuotas } from './tenant-quotas.ts'

export interface RecommendationRequest {
  readonly authorization: string | undefined
  readonly query: Query
  /** Asked once the token has verified. Null: the client accepts none of what can be sent. */
  readonly format: () => Format | null
  /** The header `Recgate-Deadline-Ms`. */
  readonly deadlineMs: string | undefined
  /** On `performance.now()`'s clock. */
  readonly receivedAt: number
}

export interface RecommendServices {
  readonly verifier: TokenVerifier
  readonly snapshots: Snapshots
  readonly reader: RecordReader
  readonly nearCache: NearCache
  readonly quotas: TenantQuotas
}

export const noSnapshot = refuse('busy', 'the gateway is starting')
const unacceptable = refuse(
  'not-acceptable',
  'answers come as application/json or as application/vnd.recgate.packed',
)

/** The whole request: authenticate → find the model and select the version (`find-target`) → read record → represent. */
export function createRecommend(services: RecommendServices) {
  const { verifier, snapshots, reader, nearCache, quotas } = services
  const findTarget = createFindTarget(nearCache)

  return async function recommend(request: RecommendationRequest): Promise<Answer<Representation> | Refusal> {
    const catalog = snapshots.current()
    if (catalog === null) return noSnapshot

    const verifying = verifier.verify(request.authorization, catalog)
    const token = verifying instanceof Promise ? await verifying : verifying
    if (isRefusal(token)) return token
    const tenant = catalog.tenants.get(token.issuer.tenantId)
    if (tenant === undefined) return noSnapshot
    const format = request.format()
    if (format === null) return refuseTo(tenant.id, unacceptable)

    const target = findTarget(token, tenant, request.query)
    if (isRefusal(target)) return refuseTo(tenant.id, target)
    const deadline = requestDeadline(target.model, request.deadlineMs, request.receivedAt)
    if (isRefusal(deadline)) return refuseTo(tenant.id, deadline)

    // Only now: a token that proves nothing must not spend what a tenant may ask.
    const overQuota = quotas.enter(tenant)
    if (overQuota !== null) return overQuota
    try {
      const { model, row } = target
      const { receivedAt } = request
      const found =
        row.fresh(receivedAt) ??
        attributeDeadline(await reader.read(row, deadline.at, deadline.modelAt), deadline)
      const recommendation = climbDown(model, target, found, row, receivedAt)
      if (isRefusal(recommendation)) return refuseTo(tenant.id, recommendation)

      return representOrFall(target, recommendation, format, represent, receivedAt)
    } finally {
      quotas.leave(tenant)
    }
  }
}
