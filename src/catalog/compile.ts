import { slotOwners } from '../domain/allocation.ts'
import { compileAnswerHeads } from '../domain/answer-head.ts'
import { compileRecordSchema } from '../domain/codec/codec.ts'
import { limits } from '../domain/limits.ts'
import { publishFacts } from '../domain/publish-facts.ts'
import type {
  ActiveTable,
  CompiledModel,
  CompiledTenant,
  CompiledVersion,
  KeyPart,
  ParameterType,
  TrustedIssuer,
} from '../domain/snapshot.ts'
import type {
  IssuerDocument,
  KeyPartDocument,
  ModelDocument,
  TenantDocument,
} from '../domain/tenant-document.ts'
import {
  activeGeneration,
  type ModelState,
  newestPrevious,
  type TenantState,
} from '../domain/tenant-state.ts'

/** What a snapshot needs from the floors above. */
export interface CompileEnvironment {
  /** Imports an issuer's keys; throws FaultsError with paths relative to the issuer. */
  issuerFor(tenantId: string, issuer: IssuerDocument): Promise<TrustedIssuer>
  /** What stands before the bucket's number in a Redis key. */
  bucketPrefix(tenantId: string, modelId: string, generation: number): string
}

export interface CompiledTenantWithIssuers {
  readonly tenant: CompiledTenant
  readonly issuers: readonly TrustedIssuer[]
}

/** Document and state → what requests call. Works out beforehand everything that doesn't depend on the request. */
export async function compileTenant(
  document: TenantDocument,
  state: TenantState,
  revision: number,
  environment: CompileEnvironment,
): Promise<CompiledTenantWithIssuers> {
  const models = new Map<string, CompiledModel>()
  for (const [modelId, model] of Object.entries(document.models)) {
    const modelState = state.models[modelId]
    if (modelState === undefined)
      throw new Error(`tenant ${document.tenant}: model ${modelId} has a document and no state`)
    models.set(modelId, compileModel(document.tenant, modelId, model, modelState, environment))
  }
  const issuers = await Promise.all(
    document.issuers.map((issuer) => environment.issuerFor(document.tenant, issuer)),
  )
  const { model, unit, version } = document.claims
  const claims = { model, unit, version: version ?? null }
  const quota = document.quota ?? null
  const { erasures } = state
  return { tenant: { id: document.tenant, revision, erasures, models, claims, quota }, issuers }
}

function compileModel(
  tenantId: string,
  modelId: string,
  model: ModelDocument,
  state: ModelState,
  environment: CompileEnvironment,
): CompiledModel {
  const codec = compileRecordSchema(state.record)
  const versions = new Map<string, CompiledVersion>()
  for (const id of model.versions) {
    const table = activeTable(tenantId, modelId, id, state, environment)
    const heads = compileAnswerHeads(modelId, id, model.maxAgeSeconds)
    const entry = activeGeneration(state, id)?.entry
    const published = entry === undefined ? null : { at: new Date(entry.publishedAt), bytes: entry.bytes }
    const tableAgeSecondsMax = ageSecondsMax(model.maxAgeHours, id)
    const publishes = publishFacts(state, id)
    const previous = newestPrevious(state.generations, id)
    const previousPrefix =
      previous === null ? null : environment.bucketPrefix(tenantId, modelId, previous.generation)
    const tables = { table, previousPrefix, published, publishes }
    versions.set(id, { id, modelId, tenantId, ...tables, tableAgeSecondsMax, heads })
  }
  const versionOf = (id: string): CompiledVersion => {
    const version = versions.get(id)
    if (version === undefined) throw new Error(`tenant ${tenantId}: model ${modelId} allots slots to ${id}`)
    return version
  }
  const allocation = state.allocations.at(-1)
  if (allocation === undefined) throw new Error(`tenant ${tenantId}: model ${modelId} has no allocation`)
  const overrides = new Map<string, CompiledVersion>()
  for (const [id, units] of Object.entries(model.overrides ?? {}))
    for (const unit of units) overrides.set(unit, versionOf(id))
  const key = model.key.map(compileKeyPart)
  return {
    id: modelId,
    tenantId,
    salt: state.salt,
    key,
    parameters: compileParameters(key, model.ignoredParameters ?? []),
    codec,
    defaultRecord: model.default === 'none' ? null : codec.encode(model.default),
    maxAgeSeconds: model.maxAgeSeconds,
    deadlineMs: model.deadlineMs,
    freshMs: (model.nearCacheSeconds ?? (model.public === true ? limits.nearCacheSecondsPublic : 0)) * 1_000,
    staleMs: (model.staleSeconds ?? limits.staleSecondsDefault) * 1_000,
    control: versionOf(model.control),
    versions,
    slots: slotOwners(allocation).map(versionOf),
    overrides,
  }
}

function ageSecondsMax(hours: ModelDocument['maxAgeHours'], versionId: string): number | null {
  const own = typeof hours === 'object' ? new Map(Object.entries(hours)).get(versionId) : hours
  return own === undefined ? null : own * 3_600
}

function activeTable(
  tenantId: string,
  modelId: string,
  versionId: string,
  state: ModelState,
  environment: CompileEnvironment,
): ActiveTable | null {
  const active = activeGeneration(state, versionId)
  if (active === null) return null
  const { generation, entry } = active
  const bucketPrefix = environment.bucketPrefix(tenantId, modelId, generation)
  const { token, buckets, rows } = entry
  return { generation, token, buckets, rows, bucketPrefix }
}

export function compileKeyPart(part: KeyPartDocument): KeyPart {
  if ('claim' in part) return { source: 'claim', name: part.claim, column: part.column ?? part.claim }
  return {
    source: 'query',
    name: part.query,
    column: part.column ?? part.query,
    accepts: parameterType(part),
  }
}

function parameterType(part: Exclude<KeyPartDocument, { claim: string }>): ParameterType {
  if ('values' in part) return { type: 'values', values: new Set(part.values) }
  if ('uint' in part) return { type: 'uint', max: part.uint.max }
  return { type: 'id', maxBytes: part.id.maxBytes }
}

function compileParameters(
  key: readonly KeyPart[],
  ignored: readonly string[],
): ReadonlyMap<string, boolean> {
  const parameters = new Map<string, boolean>()
  for (const part of key) if (part.source === 'query') parameters.set(part.name, true)
  for (const name of ignored) parameters.set(name, false)
  return parameters
}
