import type { ProcessRoll } from '../serving/process-count.ts'
import type { RedisClient } from './client.ts'
import { catalogKeys } from './keys.ts'

/**
 * A process that says that it lives stands in the set until its time is over, by Redis' clock, so that no two machines'
 * clocks are compared. Answers how many live. No EXPIRE: an ACL before Redis 7.0 would have to allow it for all keys.
 *
 * KEYS: the set. ARGV: process, milliseconds
 */
const beatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
`

/** Which gateways live, kept in the catalog's Redis. */
export function createLiveProcesses(client: RedisClient, processId: string): ProcessRoll {
  return {
    async beat(liveMs) {
      return (await client.eval(beatScript, 1, catalogKeys.gateways, processId, Math.ceil(liveMs))) as number
    },
    async leave() {
      await client.zrem(catalogKeys.gateways, processId)
    },
  }
}
