import { z } from 'zod'
import { CodecError, compileRecordSchema, type RecordCodec } from './codec/codec.ts'
import { type RecordSchema, recordSchemaDocument, recordSchemaFaults } from './codec/record-schema.ts'
import type { Fault } from './errors.ts'
import { gatesDocument } from './gates.ts'
import { idRule, isId } from './ids.ts'
import { limits } from './limits.ts'
import { rowKeyValueFault } from './row-key.ts'
import { basisPointsOf } from './weights.ts'
import { faultsOf, joinPath, mustBe } from './zod-faults.ts'

/**
 * A tenant's document: everything that is configured, nothing that is predicted. The same shape is written in YAML
 * under `config/`, stored as JSON in the catalog, and compiled into a snapshot.
 */

/**
 * Any names → values. The name `__proto__`, which JavaScript gives a meaning of its own, would be passed over in
 * silence by zod.
 */
function mapping<Key extends z.core.$ZodRecordKey, Value extends z.ZodType>(key: Key, value: Value) {
  return z
    .unknown()
    .superRefine((input, context) => {
      if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__'))
        context.addIssue({
          code: 'custom',
          path: ['__proto__'],
          message: 'is taken by JavaScript; use another name',
        })
    })
    .pipe(z.record(key, value))
}

const id = z.string().refine(isId, { error: `must be ${idRule}` })
const claimName = z.string().min(1, 'must name a claim').max(128, 'must be at most 128 characters')
const parameterName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, {
  error: 'must be a letter, then up to 63 letters, digits, "_", "." or "-"',
})
const column = z.string().min(1, 'must name a column').max(128, 'must be at most 128 characters')

const claimPart = z.strictObject({ claim: claimName, column: column.optional() })
const valuesPart = z.strictObject({
  query: parameterName,
  column: column.optional(),
  values: z
    .array(
      z
        .string()
        .min(1)
        .max(128)
        .refine((value) => value === '' || rowKeyValueFault(value) === null, {
          error: 'must be well-formed text without NUL',
        }),
    )
    .min(1)
    .max(limits.parameterValuesMax),
})
const uintPart = z.strictObject({
  query: parameterName,
  column: column.optional(),
  uint: z.strictObject({ max: z.int().min(0) }),
})
const idPart = z.strictObject({
  query: parameterName,
  column: column.optional(),
  id: z.strictObject({ maxBytes: z.int().min(1).max(limits.parameterIdBytesMax) }),
})
const keyPart = z.union([claimPart, valuesPart, uintPart, idPart], {
  error:
    'must be { claim } or { query } with one of values: […], uint: { max } and id: { maxBytes }; column is optional',
})

const kid = z.string().min(1).max(limits.kidCharactersMax)
const jwks = z.union(
  [
    z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(limits.keysPerIssuerMax) }),
    z.strictObject({ url: z.string().superRefine(checkKeySetUrl) }),
  ],
  { error: 'must be { keys: […] }, with public keys, or { url: https://… }, where they are fetched from' },
)

/** Its form only: nothing is fetched, or looked up, for a document that is being checked. */
function checkKeySetUrl(text: string, context: z.RefinementCtx): void {
  const message = keySetUrlProblem(text)
  if (message !== null) context.addIssue({ code: 'custom', message })
}

function keySetUrlProblem(text: string): string | null {
  if (text.length > limits.keySetUrlCharactersMax)
    return `may have at most ${limits.keySetUrlCharactersMax} characters`
  // Parsers pass over white space and turn "\\" into "/"; what stands here is what is asked for.
  if (!/^https:\/\/[^\s\\/?#]+([/?#][^\s\\]*)?$/i.test(text) || !URL.canParse(text))
    return 'must be an https:// URL, such as https://auth.studio.example/jwks.json'
  if (text.includes('#')) return 'must have no fragment (#…)'
  if (/^https:\/\/[^/?]*@/i.test(text))
    return 'must have no user or password; a key set is public, and this document is no place for a secret'
  return null
}

/** Said of an issuer that has none of them, or two. */
export const keyFormRule =
  'must have exactly one of jwks: { keys: […] }, jwks: { url: https://… } and hs256: { secretRef }'

const issuer = z.strictObject({
  issuer: z.string().min(1).max(512),
  audience: z.string().min(1).max(512),
  jwks: jwks.optional(),
  hs256: z.strictObject({ secretRef: z.string().min(1).max(128), kid: kid.optional() }).optional(),
  models: z.array(id).min(1).max(limits.modelsPerTenantMax).optional(),
  maxLifetimeSeconds: z.int().min(1).optional(),
  /** Keys that verify nothing, whether they stand here or are fetched. */
  revokedKids: z.array(kid).max(limits.revokedKidsPerIssuerMax).optional(),
})

const keyShape = {
  key: z.array(keyPart).min(1, 'must have at least one part').max(limits.rowKeyPartsMax),
  public: z.boolean().optional(),
  ignoredParameters: z.array(parameterName).max(limits.ignoredParametersMax).optional(),
}
const hours = z.number().positive().max(limits.tableAgeHoursMax)
const versionShape = {
  versions: z.array(id).min(1, 'must name at least one version').max(limits.versionsPerModelMax),
  control: id,
  weights: mapping(z.string(), z.number()),
  overrides: mapping(
    z.string(),
    z.array(
      z
        .string()
        .min(1)
        .refine((unit) => Buffer.byteLength(unit) <= limits.unitBytesMax, {
          error: `may have at most ${limits.unitBytesMax} bytes of UTF-8`,
        }),
    ),
  ).optional(),
  /** Hours after which a table is too old: of every version, or of each. */
  maxAgeHours: z
    .union([hours, mapping(z.string(), hours)], {
      error: 'must be a number of hours, or one for each version',
    })
    .optional(),
}
const defaultRecord = z.union(
  [z.literal('none'), mapping(z.string(), z.unknown())],
  mustBe('a record, or none where an unknown row is to be answered 404'),
)
const model = z.strictObject({
  ...keyShape,
  ...versionShape,
  gates: gatesDocument.optional(),
  record: z
    .unknown()
    .refine((value) => value !== undefined, { error: 'is missing; it must give the fields' }),
  default: defaultRecord,
  maxAgeSeconds: z.int().min(0).max(86_400).default(300),
  deadlineMs: z.int().min(limits.deadlineMsMin).max(limits.deadlineMsMax).default(limits.deadlineMsDefault),
  /** Without it: none where the row key has a claim, 5 in public models. */
  nearCacheSeconds: z.number().min(0).max(limits.nearCacheSecondsMax).optional(),
  staleSeconds: z.int().min(0).max(limits.staleSecondsMax).optional(),
})
/** Parts of a model whose rules are checked even where another part is broken. */
const keySection = z.object(keyShape)
const versionSection = z.object({
  ...versionShape,
  versions: z.array(z.string()).max(limits.versionsPerModelMax),
  control: z.string(),
})

const tenantDocument = z.strictObject({
  format: z.literal(1, mustBe('1')),
  tenant: id,
  issuers: z.array(issuer).max(limits.issuersPerTenantMax),
  claims: z
    .strictObject({
      model: claimName.default('model'),
      unit: claimName.default('sub'),
      version: claimName.optional(),
    })
    .default({ model: 'model', unit: 'sub' }),
  quota: z
    .strictObject({
      requestsPerSecond: z.number().positive(),
      burst: z.int().min(1),
      concurrency: z.int().min(1),
    })
    .optional(),
  models: mapping(id, z.unknown()),
})

export type IssuerDocument = z.infer<typeof issuer>
export type KeyPartDocument = z.infer<typeof keyPart>
export type ModelDocument = Omit<z.infer<typeof model>, 'record'> & { readonly record: RecordSchema }
export type TenantDocument = Omit<z.infer<typeof tenantDocument>, 'models'> & {
  readonly models: Readonly<Record<string, ModelDocument>>
}

export type CheckedDocument =
  | { readonly document: TenantDocument; readonly faults: readonly [] }
  | { readonly document: null; readonly faults: readonly Fault[] }

/**
 * Checks a document from outside as a whole, and finds all its faults at once: a model that is broken hides nothing
 * that is wrong with its neighbours.
 */
export function checkTenantDocument(input: unknown): CheckedDocument {
  const outer = tenantDocument.safeParse(input)
  const faults: Fault[] = outer.success ? [] : faultsOf(outer.error)
  const models: Record<string, ModelDocument> = {}
  for (const [modelId, value] of Object.entries(modelsOf(input))) {
    const path = joinPath('models', modelId)
    const checked = checkModel(value, path)
    faults.push(...checked.faults)
    if (checked.model !== null) models[modelId] = checked.model
  }
  faults.push(...issuerFaults(input, modelsOf(input)))
  if (Object.keys(modelsOf(input)).length > limits.modelsPerTenantMax)
    faults.push({ path: 'models', problem: `must be at most ${limits.modelsPerTenantMax} models` })
  if (faults.length > 0 || !outer.success) return { document: null, faults }
  return { document: { ...outer.data, models }, faults: [] }
}

function modelsOf(input: unknown): Record<string, unknown> {
  const models = (input as { models?: unknown } | null | undefined)?.models
  return typeof models === 'object' && models !== null && !Array.isArray(models)
    ? (models as Record<string, unknown>)
    : {}
}

/** Rules between fields, for every issuer whose own fields are in order. */
function issuerFaults(input: unknown, models: Record<string, unknown>): Fault[] {
  const entries = (input as { issuers?: unknown } | null | undefined)?.issuers
  if (!Array.isArray(entries) || entries.length > limits.issuersPerTenantMax) return []
  const faults: Fault[] = []
  const seen = new Set<string>()
  entries.forEach((value, index) => {
    const parsed = issuer.safeParse(value)
    if (!parsed.success) return
    const entry = parsed.data
    const path = joinPath('issuers', index)
    if (seen.has(entry.issuer))
      faults.push({ path: joinPath(path, 'issuer'), problem: 'stands twice; one entry an issuer' })
    seen.add(entry.issuer)
    if (/^https:\/\/dev\.recgate\.invalid(\/|$)/.test(entry.issuer))
      faults.push({
        path: joinPath(path, 'issuer'),
        problem: 'is kept for development keys; use your own issuer',
      })
    if ((entry.jwks === undefined) === (entry.hs256 === undefined))
      faults.push({ path, problem: keyFormRule })
    for (const [position, modelId] of (entry.models ?? []).entries())
      if (!Object.hasOwn(models, modelId))
        faults.push({ path: joinPath(path, 'models', position), problem: `"${modelId}" is not a model here` })
  })
  return faults
}

type CheckedModel = { readonly model: ModelDocument | null; readonly faults: readonly Fault[] }

function checkModel(input: unknown, path: string): CheckedModel {
  const parsed = model.safeParse(input)
  const given = (input as { record?: unknown; default?: unknown } | null) ?? {}
  const record = checkRecord(given.record, joinPath(path, 'record'))
  const faults = [...(parsed.success ? [] : faultsOf(parsed.error, path)), ...record.faults]
  const key = keySection.safeParse(input)
  if (key.success) faults.push(...keyFaults(key.data, given.record, path))
  const versions = versionSection.safeParse(input)
  if (versions.success) faults.push(...versionFaults(versions.data, path))
  const standIn = defaultRecord.safeParse(given.default)
  if (standIn.success && standIn.data !== 'none' && record.codec !== null)
    faults.push(...defaultFaults(record.codec, standIn.data, joinPath(path, 'default')))
  if (faults.length > 0 || !parsed.success || record.schema === null) return { model: null, faults }
  return { model: { ...parsed.data, record: record.schema }, faults: [] }
}

function checkRecord(
  input: unknown,
  path: string,
): { schema: RecordSchema | null; codec: RecordCodec | null; faults: readonly Fault[] } {
  if (input === undefined) return { schema: null, codec: null, faults: [] }
  const parsed = recordSchemaDocument.safeParse(input)
  if (!parsed.success) return { schema: null, codec: null, faults: faultsOf(parsed.error, path) }
  const faults = recordSchemaFaults(parsed.data).map((fault) => ({
    path: fault.path === '' ? path : `${path}.${fault.path}`,
    problem: fault.problem,
  }))
  if (faults.length > 0) return { schema: null, codec: null, faults }
  return { schema: parsed.data, codec: compileRecordSchema(parsed.data), faults: [] }
}

function defaultFaults(codec: RecordCodec, record: Record<string, unknown>, path: string): Fault[] {
  try {
    codec.encode(record)
    return []
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return [{ path: error.field === '' ? path : `${path}.${error.field}`, problem: error.problem }]
  }
}

function keyFaults(parsed: z.infer<typeof keySection>, record: unknown, path: string): Fault[] {
  const faults: Fault[] = []
  const names = new Set<string>()
  const columns = new Set<string>()
  parsed.key.forEach((part, index) => {
    const at = joinPath(path, 'key', index)
    const name = 'claim' in part ? part.claim : part.query
    const kind = 'claim' in part ? 'claim' : 'query'
    if (kind === 'query' && name === 'model')
      faults.push({ path: at, problem: '"model" is taken: that parameter chooses the model' })
    if (names.has(`${kind} ${name}`)) faults.push({ path: at, problem: `the ${kind} "${name}" stands twice` })
    names.add(`${kind} ${name}`)
    if (columns.has(part.column ?? name))
      faults.push({
        path: at,
        problem: `the column "${part.column ?? name}" stands twice; name another with column`,
      })
    columns.add(part.column ?? name)
    if ('values' in part && new Set(part.values).size !== part.values.length)
      faults.push({ path: joinPath(at, 'values'), problem: 'holds a value twice' })
    if (typeof record === 'object' && record !== null && Object.hasOwn(record, part.column ?? name))
      faults.push({ path: at, problem: `the column "${part.column ?? name}" is a field of the record, too` })
  })
  const personal = parsed.key.some((part) => 'claim' in part)
  if (!personal && parsed.public !== true)
    faults.push({
      path: joinPath(path, 'public'),
      problem: 'must be true: the row key has no claim, so everybody with a token reads every row',
    })
  if (personal && parsed.public === true)
    faults.push({
      path: joinPath(path, 'public'),
      problem: 'must be false or absent: the row key has a claim',
    })
  for (const [index, name] of (parsed.ignoredParameters ?? []).entries())
    if (name === 'model' || names.has(`query ${name}`))
      faults.push({
        path: joinPath(path, 'ignoredParameters', index),
        problem: `"${name}" is used, not ignored`,
      })
  return faults
}

type VersionSection = z.infer<typeof versionSection>

function versionFaults(parsed: VersionSection, path: string): Fault[] {
  const faults: Fault[] = []
  const known = new Set(parsed.versions)
  const unknown = (versionId: string) => `"${versionId}" is not in versions (${parsed.versions.join(', ')})`
  if (known.size !== parsed.versions.length)
    faults.push({ path: joinPath(path, 'versions'), problem: 'holds a version twice' })
  if (!known.has(parsed.control))
    faults.push({ path: joinPath(path, 'control'), problem: unknown(parsed.control) })
  for (const versionId of Object.keys(parsed.weights))
    if (!known.has(versionId))
      faults.push({ path: joinPath(path, 'weights', versionId), problem: unknown(versionId) })
  if (typeof parsed.maxAgeHours === 'object')
    for (const versionId of Object.keys(parsed.maxAgeHours))
      if (!known.has(versionId))
        faults.push({ path: joinPath(path, 'maxAgeHours', versionId), problem: unknown(versionId) })
  const weights = basisPointsOf(parsed.weights, joinPath(path, 'weights'))
  if ('faults' in weights) faults.push(...weights.faults)
  faults.push(...overrideFaults(parsed, known, joinPath(path, 'overrides'), unknown))
  return faults
}

function overrideFaults(
  parsed: VersionSection,
  known: ReadonlySet<string>,
  path: string,
  unknown: (versionId: string) => string,
): Fault[] {
  const faults: Fault[] = []
  const owners = new Map<string, string>()
  let count = 0
  for (const [versionId, units] of Object.entries(parsed.overrides ?? {})) {
    if (!known.has(versionId)) faults.push({ path: joinPath(path, versionId), problem: unknown(versionId) })
    for (const [index, unit] of units.entries()) {
      count++
      const owner = owners.get(unit)
      if (owner !== undefined)
        faults.push({
          path: joinPath(path, versionId, index),
          problem: `the unit ${JSON.stringify(unit)} is overridden to "${owner}" already`,
        })
      owners.set(unit, versionId)
    }
  }
  if (count > limits.overridesPerModelMax)
    faults.push({ path, problem: `holds ${count} units; at most ${limits.overridesPerModelMax} a model` })
  return faults
}
