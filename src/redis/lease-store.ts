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

    async release(name, holder) {
      await client.eval(releaseScript, 1, keyOf(name), holder)
    },

    holder: (name) => client.get(keyOf(name)),
  }
}

function keyOf(name: LeaseName): string {
  return name.lease === 'collector'
    ? tableKeys.collectorLease(name.tenantId)
    : tableKeys.versionLease(name.tenantId, name.modelId, name.versionId)
}
