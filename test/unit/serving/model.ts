import { compileAnswerHeads } from '../../../src/domain/answer-head.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { publishFacts } from '../../../src/domain/publish-facts.ts'
import type { CompiledModel, CompiledTenant, CompiledVersion } from '../../../src/domain/snapshot.ts'

export const codec = compileRecordSchema(
  recordSchemaDocument.parse({ title: { type: 'string', maxBytes: 64 }, level: { type: 'uint', max: 99 } }),
)

/** A model as the catalog compiles it; `v1` is control and owns every slot. */
export function compiledModel(id: string, more: Partial<CompiledModel> = {}): CompiledModel {
  const versions = new Map(['v1', 'v2'].map((version) => [version, compiledVersion(id, version)]))
  const control = versions.get('v1')!
  return {
    id,
    tenantId: 'studio',
    salt: 'salt',
    key: [{ source: 'claim', name: 'sub', column: 'sub' }],
    parameters: new Map(),
    codec,
    defaultRecord: codec.encode({ title: 'nothing', level: 0 }),
    maxAgeSeconds: 300,
    deadlineMs: 50,
    freshMs: 0,
    staleMs: 3_600_000,
    control,
    versions,
    slots: Array.from({ length: 10_000 }, () => control),
    overrides: new Map(),
    ...more,
  }
}

function compiledVersion(modelId: string, id: string): CompiledVersion {
  const publishes = publishFacts({ generations: {} }, id)
  const unpublished = {
    table: null,
    previousPrefix: null,
    published: null,
    publishes,
    tableAgeSecondsMax: null,
  }
  return { id, modelId, tenantId: 'studio', ...unpublished, heads: compileAnswerHeads(modelId, id, 300) }
}

export function compiledTenant(more: Partial<CompiledTenant> = {}): CompiledTenant {
  const claims = { model: 'model', unit: 'sub', version: null }
  return { id: 'studio', revision: 1, erasures: 0, models: new Map(), claims, quota: null, ...more }
}
