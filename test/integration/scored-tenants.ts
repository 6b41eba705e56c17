import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument } from '../support/studio.ts'
import { makeKey } from '../support/tokens.ts'

/** A catalog of tenants that are alike: one model, and issuers that sign with the same key. */
export interface ScoredTenants extends Site {
  /** `change` is laid over the model. */
  documentOf(tenant: string, change?: object, issuers?: readonly string[]): ScoredDocument
  apply(tenant: string, change?: object, issuers?: readonly string[]): Promise<number>
  /** Every document from now on has another key. */
  rotateKey(): Promise<void>
  /** Takes everything away by hand. */
  empty(): Promise<void>
}

interface ScoredDocument {
  readonly format: 1
  readonly tenant: string
  readonly issuers: readonly object[]
  readonly models: { readonly games: object }
}

const games = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: { score: { type: 'uint', max: 100 } },
  default: { score: 1 },
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 90, itemcf: 10 },
}

export async function openScoredTenants(redis: LocalRedis): Promise<ScoredTenants> {
  const site = await openSite(redis)
  let key = await makeKey('ES256', 'key-1')
  const documentOf: ScoredTenants['documentOf'] = (
    tenant,
    change = {},
    issuers = [`https://${tenant}.example`],
  ) => ({
    format: 1,
    tenant,
    issuers: issuers.map((issuer) => ({ issuer, audience: 'recgate', jwks: { keys: [key.publicJwk] } })),
    models: { games: { ...games, ...change } },
  })
  return {
    ...site,
    documentOf,
    apply: (tenant, change, issuers) => applyDocument(site.tools, documentOf(tenant, change, issuers)),
    async rotateKey() {
      key = await makeKey('ES256', 'key-2')
    },
    async empty() {
      const keys = await site.hands.keys('rg:*')
      if (keys.length > 0) await site.hands.del(...keys)
    },
  }
}
