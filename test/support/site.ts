import { Redis } from 'ioredis'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { type RunningGateway, startGateway, testTools } from './studio.ts'

/** A Redis, and all that a test does there: by recgate's tools, by its own hands, and through gateways. */
export interface Site {
  readonly redis: LocalRedis
  readonly tools: Tools
  /** Reach past every check. */
  readonly hands: Redis
  /** As the function of that name, in studio.ts; whoever stops the site stops the gateway. */
  readonly startGateway: typeof startGateway
  stopGateways(): Promise<void>
  /** The Redis with everything else. */
  stop(): Promise<void>
}

export async function openSite(redis: LocalRedis): Promise<Site> {
  const tools = await testTools(redis.url)
  const hands = new Redis(redis.url)
  const running: RunningGateway[] = []
  async function stopGateways(): Promise<void> {
    await Promise.all(running.splice(0).map(({ gateway }) => gateway.stop()))
  }
  return {
    redis,
    tools,
    hands,
    async startGateway(settings, options) {
      const started = await startGateway(settings, options)
      running.push(started)
      return started
    },
    stopGateways,
    async stop() {
      await stopGateways()
      hands.disconnect()
      tools.close()
      await redis.stop()
    },
  }
}
