import type { LeaseName, LeaseStore } from '../tables/ports.ts'
import type { RedisClient } from './client.ts'
import { tableKeys } from './keys.ts'

/** KEYS: the lease. ARGV: holder, milliseconds */
const renewScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end
return 1
`

/** KEYS: the lease. ARGV: what must stand there, what shall, milliseconds */
const replaceScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`

/** Keys that lapse by themselves, by Redis' clock. */
export function createLeaseStore(client: RedisClient): LeaseStore {
  return {
    async take(name, holder, leaseMs) {
      const key = keyOf(name)
      for (;;) {
        if ((await client.set(key, holder, 'PX', leaseMs, 'NX')) === 'OK') return null
        const other = await client.get(key)
        // It lapsed between the two commands otherwise.
        if (other !== null) return other
      }
    },

    async renew(name, holder, leaseMs) {
      return (await client.eval(renewScript, 1, keyOf(name), holder, leaseMs)) === 1
    },

    async replace(name, from, to, leaseMs) {
      return (await client.eval(replaceScript, 1, keyOf(name), from, to, leaseMs)) === 1
    },

    async release(name, holder) {
      await client.eval(releaseScript, 1, keyOf(name), holder)
    },

    holder: (name) => client.get(keyOf(name)),
  }
}

function keyOf(name: LeaseName): string {
  switch (name.lease) {
    case 'version':
      return tableKeys.versionLease(name.tenantId, name.modelId, name.versionId)
    case 'run':
      return tableKeys.run(name.tenantId, name.modelId, name.versionId, name.runId)
    case 'shard':
      return tableKeys.shard(name.tenantId, name.modelId, name.generation, name.shard)
    case 'finisher':
      return tableKeys.shard(name.tenantId, name.modelId, name.generation, 'finisher')
    case 'collector':
      return tableKeys.collectorLease(name.tenantId)
  }
}
