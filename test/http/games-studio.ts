import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument, publishRows, type RunningGateway, testSettings } from '../support/studio.ts'
import {
  gamesModel,
  gamesRows,
  playerId,
  range,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from './games.ts'

type GatewayOptions = Parameters<Site['startGateway']>[1]

/** A studio whose players have rows in both versions, for tests of what stands around an answer. */
export interface GamesStudio extends Site {
  readonly issuer: StudioIssuer
  readonly tenant: string
  /** For a player's record of one version. */
  token(index: number, arm?: 'popular' | 'itemcf', more?: Record<string, unknown>): Promise<string>
  /** A gateway on this Redis with its own settings. */
  start(settings?: Readonly<Record<string, string>>, options?: GatewayOptions): Promise<RunningGateway>
}

export async function startGamesStudio(players = range(10)): Promise<GamesStudio> {
  const site = await openSite(await testRedis())
  const tenant = 'steam-studio'
  const issuer = await studioIssuer('https://auth.steam.example', 'k1')
  await applyDocument(site.tools, {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    claims: { version: 'arm' },
    models: { games: gamesModel, strict: { ...gamesModel, default: 'none' } },
  })
  for (const version of ['popular', 'itemcf'] as const)
    await publishRows(site.tools, [tenant, 'games', version], gamesRows(players, versionSalt[version]))
  return {
    ...site,
    issuer,
    tenant,
    token: (index, arm = 'itemcf', more = {}) =>
      issuer.token({ model: 'games', sub: playerId(index), arm, ...more }),
    start: (settings = {}, options = {}) =>
      site.startGateway(testSettings(site.redis.url, settings), options),
  }
}
