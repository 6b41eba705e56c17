import { startLocalRedis } from '../../src/commands/local-redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { gamesModel, type StudioIssuer, studioIssuer } from './games.ts'

/**
 * Two studios on a Redis of one test's own: announcements cross the databases of a shared one, and another test's would
 * make this one's gateways read.
 */
export interface TwoStudios extends Site {
  readonly issuer: StudioIssuer
  readonly otherIssuer: StudioIssuer
}

export const tenant = 'steam-studio'
export const otherTenant = 'other-studio'

/** Nothing is in the catalog yet. */
export async function openTwoStudios(): Promise<TwoStudios> {
  const site = await openSite(await startLocalRedis())
  const [issuer, otherIssuer] = await Promise.all([
    studioIssuer('https://auth.steam.example', 'k1'),
    studioIssuer('https://auth.other.example', 'k1'),
  ])
  return { ...site, issuer, otherIssuer }
}

/** A document whose only model has one version; `maxAgeSeconds` tells one from the next. */
export function onlyPopular(tenantId: string, issuer: StudioIssuer, maxAgeSeconds = 300) {
  const games = { ...gamesModel, maxAgeSeconds, versions: ['popular'], weights: { popular: 100 } }
  return { format: 1, tenant: tenantId, issuers: [issuer.entry()], models: { games } }
}
