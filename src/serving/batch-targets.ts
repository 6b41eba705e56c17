import { isRefusal, type Refusal, refuse } from '../domain/errors.ts'
import { rowKeyValueFault } from '../domain/row-key.ts'
import type { CompiledModel, CompiledTenant } from '../domain/snapshot.ts'
import type { Batch, BatchUnit, BatchValues } from './batch.ts'
import type { Query } from './find-model.ts'
import { type Target, targetOf } from './find-target.ts'
import type { NearCache } from './near-cache.ts'
import { givenParametersRefusal, quoteName } from './request-row.ts'

/**
 * Steps 2 and 3 for each unit of a batch, by itself: as if its claims stood in a player's token, and its parameters in a
 * URL. What is wrong with the parameters of all refuses the batch.
 */
export function findBatchTargets(
  nearCache: NearCache,
  tenant: CompiledTenant,
  model: CompiledModel,
  { parameters, units }: Batch,
): (Target | Refusal)[] | Refusal {
  const shared = queryOf(parameters)
  const refusal = modelBeside(parameters) ?? givenParametersRefusal(model, shared)
  if (refusal !== null) return refusal
  const claimNames = claimNamesOf(tenant, model)

  function find(unit: BatchUnit): Target | Refusal {
    const fault = rowKeyValueFault(unit.unit)
    if (fault !== null) return refuse('unit-invalid', `the unit ${fault}`)
    for (const name of Object.keys(unit.claims))
      if (!claimNames.has(name))
        return refuse('unit-invalid', `the claim ${quoteName(name)} is not known here`)
    const unfit = modelBeside(unit.parameters)
    if (unfit !== null) return unfit
    const claims = { ...unit.claims, [tenant.claims.unit]: unit.unit }
    const query = isEmpty(unit.parameters) ? shared : { ...shared, ...queryOf(unit.parameters) }
    const target = targetOf(nearCache, tenant, model, claims, query)
    // There is no token to be renewed: what is wrong stands in the body.
    if (isRefusal(target) && target.refused === 'claim-invalid') return refuse('unit-invalid', target.detail)
    return target
  }

  return units.map((unit) => (isRefusal(unit) ? unit : find(unit)))
}

/** What a player's token would say beside the unit, and a row or version depends on. */
function claimNamesOf({ claims }: CompiledTenant, { key }: CompiledModel): ReadonlySet<string> {
  const names = new Set(key.filter(({ source }) => source === 'claim').map(({ name }) => name))
  if (claims.version !== null) names.add(claims.version)
  names.delete(claims.unit)
  return names
}

/** As a URL would have them: texts. */
function queryOf(parameters: BatchValues): Query {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
}

/** In a URL the model is a parameter, too, and would be passed over here. */
function modelBeside(parameters: BatchValues): Refusal | null {
  if (!Object.hasOwn(parameters, 'model')) return null
  return refuse('parameter-unknown', 'the parameter "model" is not known here; "model" stands beside "units"')
}

function isEmpty(values: BatchValues): boolean {
  for (const _name in values) return false
  return true
}
