import { describe, expect, test } from 'vitest'
import type { CompiledTenant } from '../../../src/domain/snapshot.ts'
import { documentKeySet } from '../../../src/jwt/document-key-set.ts'
import { findModel, type Query } from '../../../src/serving/find-model.ts'
import { compiledModel } from './model.ts'

const ids = ['games', 'offers', 'clans']

function find(
  claims: Record<string, unknown>,
  query: Query = {},
  models: readonly string[] | null = null,
  claim = 'model',
) {
  const tenant: CompiledTenant = {
    id: 'studio',
    revision: 1,
    erasures: 0,
    models: new Map(ids.map((id) => [id, compiledModel(id)])),
    claims: { model: claim, unit: 'sub', version: null },
    quota: null,
  }
  const issuer = {
    issuer: 'https://auth.studio.example',
    tenantId: 'studio',
    audience: 'recgate',
    models,
    maxLifetimeSeconds: null,
    revokedKids: new Set<string>(),
    keySet: documentKeySet([]),
  }
  const found = findModel({ issuer, claims }, tenant, query)
  return 'refused' in found ? found.refused : found.id
}

describe('the model claim', () => {
  test.each<[claim: unknown, chosen: string | readonly string[] | undefined, found: string]>([
    ['games', undefined, 'games'],
    ['games', 'games', 'games'],
    ['games', 'offers', 'model-not-allowed'],
    ['games', '', 'model-not-allowed'],
    ['nothing', undefined, 'model-not-allowed'],
    ['', undefined, 'model-not-allowed'],
    [['games'], undefined, 'games'],
    [['games', 'games'], undefined, 'games'],
    [['games', 'offers'], 'offers', 'offers'],
    [['games', 'offers'], 'clans', 'model-not-allowed'],
    [['games', 'offers'], undefined, 'model-ambiguous'],
    [['games', 'nothing'], 'nothing', 'model-not-allowed'],
    [['games', 'nothing'], 'games', 'games'],
    [[], undefined, 'model-not-allowed'],
    [[], 'games', 'model-not-allowed'],
    ['games', ['games', 'games'], 'parameter-repeated'],
    [['games', 'offers'], ['games', 'offers'], 'parameter-repeated'],
    ['constructor', undefined, 'model-not-allowed'],
    [['length', '0'], 'length', 'model-not-allowed'],
    [undefined, 'games', 'claim-invalid'],
    [null, 'games', 'claim-invalid'],
    [7, undefined, 'claim-invalid'],
    [['games', 7], 'games', 'claim-invalid'],
    [{ games: true }, 'games', 'claim-invalid'],
  ])('%j and ?model=%j: %s', (claim, model, found) => {
    expect(find({ model: claim }, { model })).toBe(found)
  })

  test('is the one that the tenant named, and the token’s own', () => {
    expect(find({ model: 'games', play: 'offers' }, {}, null, 'play')).toBe('offers')
    expect(find({ model: 'games' }, {}, null, 'play')).toBe('claim-invalid')
    expect(find({}, {}, null, 'toString')).toBe('claim-invalid')
    expect(find({}, {}, null, '__proto__')).toBe('claim-invalid')
  })
})

describe('the issuer’s list', () => {
  test.each<[listed: string[], claim: unknown, chosen: string | undefined, found: string]>([
    [['games'], undefined, undefined, 'games'],
    [['games'], undefined, 'offers', 'model-not-allowed'],
    [['games', 'offers'], undefined, undefined, 'model-ambiguous'],
    [['games', 'offers'], undefined, 'offers', 'offers'],
    [['games'], 'games', undefined, 'games'],
    [['games'], 'offers', undefined, 'model-not-allowed'],
    [['games'], ['games', 'offers'], undefined, 'games'],
    [['games'], ['games', 'offers'], 'offers', 'model-not-allowed'],
    [['games', 'offers'], ['offers', 'clans'], undefined, 'offers'],
    [['games'], null, undefined, 'claim-invalid'],
    [['games'], [], undefined, 'model-not-allowed'],
  ])('%j, claim %j, ?model=%j: %s', (listed, claim, model, found) => {
    expect(find({ model: claim }, { model }, listed)).toBe(found)
  })
})
