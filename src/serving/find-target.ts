import { isRefusal, type Refusal } from '../domain/errors.ts'
import { selectVersion } from '../domain/select-version.ts'
import type { CompiledModel, CompiledTenant, CompiledVersion } from '../domain/snapshot.ts'
import { findModel, type Query } from './find-model.ts'
import type { NearCache } from './near-cache.ts'
import { NearRow } from './near-row.ts'
import type { VerifiedToken } from './ports.ts'
import { claimValue, rowKeyOf } from './request-row.ts'
import { mayAskForBatches, onlyBatchesAllowed } from './scope.ts'

/** What a request asks for, and who of the versions answers it. */
export interface Target {
  readonly tenant: CompiledTenant
  readonly model: CompiledModel
  readonly version: CompiledVersion
  readonly reason: 'split' | 'override'
  readonly row: NearRow
}

type FindTarget = (token: VerifiedToken, tenant: CompiledTenant, query: Query) => Target | Refusal

/**
 * Steps 2 and 3: find the model, its row key and the unit, select the version. Without query parameters all of it
 * follows from the token and the tenant's compiled catalog alone, and is kept for as long as both stay the same objects.
 */
export function createFindTarget(nearCache: NearCache): FindTarget {
  /** By tenant first: a token that is kept for long, and not used, must not keep a tenant's former catalog. */
  const keptByTenant = new WeakMap<CompiledTenant, WeakMap<VerifiedToken, Target>>()

  function find(token: VerifiedToken, tenant: CompiledTenant, query: Query): Target | Refusal {
    if (mayAskForBatches(token)) return onlyBatchesAllowed
    const model = findModel(token, tenant, query)
    return isRefusal(model) ? model : targetOf(nearCache, tenant, model, token.claims, query)
  }

  return (token, tenant, query) => {
    if (hasParameters(query)) return find(token, tenant, query)
    let kept = keptByTenant.get(tenant)
    if (kept === undefined) {
      kept = new WeakMap()
      keptByTenant.set(tenant, kept)
    }
    const known = kept.get(token)
    if (known !== undefined) return known
    const target = find(token, tenant, query)
    if (!isRefusal(target)) kept.set(token, target)
    return target
  }
}

/** The unit and its row key are those that the claims and parameters name. */
export function targetOf(
  nearCache: NearCache,
  tenant: CompiledTenant,
  model: CompiledModel,
  claims: VerifiedToken['claims'],
  query: Query,
): Target | Refusal {
  const unit = claimValue(tenant.claims.unit, claims)
  if (typeof unit !== 'string') return unit
  const rowKey = rowKeyOf(model, claims, query)
  if (typeof rowKey !== 'string') return rowKey
  const { version, reason } = selectVersion(model, unit, signedVersion(tenant, claims))
  const row = new NearRow(rowKey, version, model, nearCache.copiesOf(tenant))
  return { tenant, model, version, reason, row }
}

function hasParameters(query: Query): boolean {
  for (const _name in query) return true
  return false
}

function signedVersion(tenant: CompiledTenant, claims: VerifiedToken['claims']): unknown {
  const name = tenant.claims.version
  return name !== null && Object.hasOwn(claims, name) ? claims[name] : undefined
}
