import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { SuppressionStore } from '../tables/ports.ts'
import type { RedisClient } from './client.ts'
import { catalogKeys } from './keys.ts'

/** No entry is called so: each has a colon. */
const saltField = 'salt'

/** KEYS: suppressed units of a tenant. ARGV: a salt, for one that has none */
const saltScript = `
local salt = redis.call('HGET', KEYS[1], '${saltField}')
if salt then return salt end
redis.call('HSET', KEYS[1], '${saltField}', ARGV[1])
return ARGV[1]
`

/** KEYS: suppressed units of a tenant. ARGV: how many fields it may have, note, entries. Answers -1 where they are too many */
const addScript = `
local fresh = {}
for i = 3, #ARGV do
  if not redis.call('HGET', KEYS[1], ARGV[i]) then fresh[#fresh + 1] = ARGV[i] end
end
if redis.call('HLEN', KEYS[1]) + #fresh > tonumber(ARGV[1]) then return -1 end
for _, entry in ipairs(fresh) do redis.call('HSET', KEYS[1], entry, ARGV[2]) end
return #fresh
`

/** Beside the catalog, which is durable where tables need not be: an erasure holds whatever becomes of the tables. */
export function createSuppressionStore(client: RedisClient): SuppressionStore {
  return {
    async read(tenantId) {
      const key = catalogKeys.suppressed(tenantId)
      const entries = new Set<string>()
      let salt: string | null = null
      let cursor = '0'
      do {
        // What stands there from the first page to the last is told, whatever else changes meanwhile.
        const [next, page] = await client.hscan(key, cursor, 'COUNT', limits.suppressionsPerTrip)
        cursor = next
        for (let index = 0; index < page.length; index += 2)
          if (page[index] === saltField) salt = page[index + 1]!
          else entries.add(page[index]!)
        if (entries.size > limits.suppressionsMax) throw tooMany(tenantId)
      } while (cursor !== '0')
      if (salt !== null) return entries.size === 0 ? null : { salt, entries }
      if (entries.size === 0) return null
      throw new OperationError(
        `the key ${key} in Redis has lost its field "${saltField}", without which nobody knows whom its ${entries.size} ` +
          'entries mean; restore it from a backup of the catalog',
      )
    },

    async saltOf(tenantId, fresh) {
      return (await client.eval(saltScript, 1, catalogKeys.suppressed(tenantId), fresh)) as string
    },

    async add(tenantId, entries, note) {
      const key = catalogKeys.suppressed(tenantId)
      // And the salt.
      const fieldsMax = limits.suppressionsMax + 1
      const added = await client.eval(addScript, 1, key, fieldsMax, JSON.stringify(note), ...entries)
      if (added === -1) throw tooMany(tenantId)
      return added as number
    },

    remove: (tenantId, entries) => client.hdel(catalogKeys.suppressed(tenantId), ...entries),
  }
}

function tooMany(tenantId: string): OperationError {
  return new OperationError(
    `tenant ${tenantId} has ${limits.suppressionsMax} erased players that publishes leave out, and can have no more; ` +
      'lift those whose rows no source has any more (recgate erase --lift)',
  )
}
