import { isRefusal, type Refusal, refuse } from '../domain/errors.ts'
import type { CompiledModel, CompiledTenant } from '../domain/snapshot.ts'
import type { VerifiedToken } from './ports.ts'

/** The parameters of a URL: a text, or a list where one stands more than once. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

const notAllowed = refuse('model-not-allowed', 'the token does not allow this model')

/** Step 2: the one model that the token allows, or, of several, the one that `?model=` chooses. */
export function findModel(
  token: VerifiedToken,
  tenant: CompiledTenant,
  query: Query,
): CompiledModel | Refusal {
  const allowed = allowedModels(token, tenant.claims.model)
  if (isRefusal(allowed)) return allowed
  const chosen = query['model']
  if (typeof chosen === 'object')
    return refuse('parameter-repeated', 'the parameter "model" stands more than once')
  if (chosen === undefined && allowed.length > 1)
    return refuse('model-ambiguous', 'the token allows several models; choose one with "model"')
  const modelId = chosen ?? allowed[0]
  if (modelId === undefined || !allowed.includes(modelId)) return notAllowed
  return tenant.models.get(modelId) ?? notAllowed
}

/** The model claim, within what the issuer lists; an issuer's list stands in for a missing claim. */
function allowedModels({ issuer, claims }: VerifiedToken, claimName: string): readonly string[] | Refusal {
  const claim = Object.hasOwn(claims, claimName) ? claims[claimName] : undefined
  if (claim === undefined)
    return issuer.models ?? refuse('claim-invalid', `the claim "${claimName}" is missing; it names the model`)
  const named = typeof claim === 'string' ? [claim] : claim
  if (!Array.isArray(named) || !named.every((name): name is string => typeof name === 'string'))
    return refuse('claim-invalid', `the claim "${claimName}" must be a model's name or a list of names`)
  const distinct = named.length === 1 ? named : [...new Set(named)]
  return issuer.models === null ? distinct : distinct.filter((name) => issuer.models?.includes(name))
}
