import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, publishRows, startGateway, testSettings, testTools } from '../support/studio.ts'
import {
  gamesModel,
  gamesRows,
  playerId,
  range,
  type StudioIssuer,
  studioIssuer,
  versionSalt,
} from './games.ts'

type RunningGateway = Awaited<ReturnType<typeof startGateway>>
type GatewayOptions = Parameters<typeof startGateway>[1]

/** A studio whose players have rows in both versions, for tests of what stands around an answer. */
export interface GamesStudio {
  readonly redis: LocalRedis
  readonly tools: Tools
  readonly issuer: StudioIssuer
  readonly tenant: string
  /** For a player's record of one version. */
  token(index: number, arm?: 'popular' | 'itemcf', more?: Record<string, unknown>): Promise<string>
  /** A gateway of its own settings; `stop` of the studio stops it too. */
  start(settings?: Readonly<Record<string, string>>, options?: GatewayOptions): Promise<RunningGateway>
  stop(): Promise<void>
}

export async function startGamesStudio(players = range(10)): Promise<GamesStudio> {
  const redis = await testRedis()
  const tools = await testTools(redis.url)
  const tenant = 'steam-studio'
  const issuer = await studioIssuer('https://auth.steam.example', 'k1')
  const started: RunningGateway[] = []
  await applyDocument(tools, {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    claims: { version: 'arm' },
    models: { games: gamesModel, strict: { ...gamesModel, default: 'none' } },
  })
  for (const version of ['popular', 'itemcf'] as const)
    await publishRows(tools, [tenant, 'games', version], gamesRows(players, versionSalt[version]))
  return {
    redis,
    tools,
    issuer,
    tenant,
    token: (index, arm = 'itemcf', more = {}) =>
      issuer.token({ model: 'games', sub: playerId(index), arm, ...more }),
    async start(settings = {}, options = {}) {
      const gateway = await startGateway(testSettings(redis.url, settings), options)
      started.push(gateway)
      return gateway
    },
    async stop() {
      for (const { gateway } of started) await gateway.stop()
      tools.close()
      await redis.stop()
    },
  }
}
