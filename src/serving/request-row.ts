import { type Refusal, refuse } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { parameterFits, parameterRule } from '../domain/parameter.ts'
import { joinRowKey, rowKeyFault, rowKeyValue, rowKeyValueFault } from '../domain/row-key.ts'
import type { CompiledModel, KeyPart } from '../domain/snapshot.ts'
import type { Query } from './find-model.ts'

/** Step 2, second half: the row key, from claims and from the query parameters that the model declares. */
export function rowKeyOf(
  model: CompiledModel,
  claims: Readonly<Record<string, unknown>>,
  query: Query,
): string | Refusal {
  const undeclared = parameterRefusal(model, query)
  if (undeclared !== null) return undeclared
  const values: string[] = []
  for (const part of model.key) {
    const value = part.source === 'claim' ? claimValue(part.name, claims) : parameterValue(part, query)
    if (typeof value !== 'string') return value
    values.push(value)
  }
  const rowKey = joinRowKey(values)
  const fault = rowKeyFault(rowKey)
  if (fault === null) return rowKey
  // With other parameters another row could be asked for; claims alone need another token.
  const isOfClaims = model.key.every((part) => part.source === 'claim')
  return refuse(isOfClaims ? 'claim-invalid' : 'parameter-invalid', `the row key ${fault}`)
}

/** The text of a claim, as row key or unit. */
export function claimValue(name: string, claims: Readonly<Record<string, unknown>>): string | Refusal {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  const text = rowKeyValue(value)
  return text ?? refuse('claim-invalid', `the claim "${name}" ${rowKeyValueFault(value)}`)
}

function parameterRefusal(model: CompiledModel, query: Query): Refusal | null {
  for (const name in query) {
    if (name === 'model') continue
    const isUsed = model.parameters.get(name)
    if (isUsed === undefined)
      return refuse('parameter-unknown', `the parameter ${quoteName(name)} is not known here`)
    if (isUsed && typeof query[name] !== 'string')
      return refuse('parameter-repeated', `the parameter ${quoteName(name)} stands more than once`)
  }
  return null
}

/** The same for parameters that need not be all: what is there must be declared, and fit. */
export function givenParametersRefusal(model: CompiledModel, query: Query): Refusal | null {
  const undeclared = parameterRefusal(model, query)
  if (undeclared !== null) return undeclared
  for (const part of model.key) {
    if (part.source === 'claim' || !Object.hasOwn(query, part.name)) continue
    const value = parameterValue(part, query)
    if (typeof value !== 'string') return value
  }
  return null
}

type QueryPart = Extract<KeyPart, { source: 'query' }>

function parameterValue(part: QueryPart, query: Query): string | Refusal {
  const value = query[part.name]
  if (value === undefined || typeof value !== 'string')
    return refuse(
      'parameter-missing',
      `the parameter "${part.name}" is missing; it must be ${parameterRule(part.accepts)}`,
    )
  if (parameterFits(value, part.accepts)) return value
  return refuse('parameter-invalid', `the parameter "${part.name}" must be ${parameterRule(part.accepts)}`)
}

/** A name from outside, shortened: it goes into the answer. */
export function quoteName(name: string): string {
  const charactersMax = limits.parameterNameShownCharactersMax
  return JSON.stringify(name.length <= charactersMax ? name : `${name.slice(0, charactersMax)}…`)
}
