import type { CatalogStore, ChangeOutcome, HistoryEntry, IndexEntry } from '../catalog/ports.ts'
import { FaultsError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { RedisClient } from './client.ts'
import { catalogKeys } from './keys.ts'

/**
 * Two scripts, of three parts: compare, claim, write. Documents pass through as opaque text: parsing 200 kB of JSON in
 * Lua blocked Redis for 17.7 ms, this takes 0.9. The state's script is given no key that tenants share, so that an ACL
 * can allow it to the publisher of one tenant.
 *
 * KEYS: tenant, index of the tenant, history; the configuration's script also: issuers, issuers of the tenant, tenants
 * ARGV: tenant, expected revision, token, lowest revision to be passed, channel, history entry, state; the
 *       configuration's script also: document, then the claimed issuers
 */
const compare = `
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0')
if revision ~= tonumber(ARGV[2]) then return {'outdated', tostring(revision)} end
`

/** An issuer goes back to nobody only where it was this tenant's: its set of claims is for its publisher to write, too. */
const claim = `
for i = 9, #ARGV do
  local owner = redis.call('HGET', KEYS[4], ARGV[i])
  if owner and owner ~= ARGV[1] then return {'issuer-taken', ARGV[i]} end
end
for _, issuer in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  if redis.call('HGET', KEYS[4], issuer) == ARGV[1] then redis.call('HDEL', KEYS[4], issuer) end
end
redis.call('DEL', KEYS[5])
for i = 9, #ARGV do
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[1])
  redis.call('SADD', KEYS[5], ARGV[i])
end
redis.call('SADD', KEYS[6], ARGV[1])
redis.call('HSET', KEYS[1], 'document', ARGV[8])
`

/**
 * A tenant that was lost, and is created anew or restored from a backup, goes on after its history, which takes no
 * revision twice: XADD would end the script half way.
 */
const write = `
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local passed = last and tonumber(string.match(last[1], '^%d+')) or 0
revision = string.format('%.0f', math.max(revision, passed, tonumber(ARGV[4])) + 1)
redis.call('HSET', KEYS[1], 'revision', revision, 'token', ARGV[3], 'state', ARGV[7])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${limits.historyEntriesMax}, revision .. '-0', 'entry', ARGV[6])
redis.call('SET', KEYS[2], revision .. ' ' .. ARGV[3])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return {'changed', revision}
`

const configurationScript = compare + claim + write
const stateScript = compare + write

/**
 * Counts on from the last number given, or from the highest that is known to be in use: a counter that was lost must
 * not give a live generation's number again, or the next publish would write over what is served.
 *
 * KEYS: counters of the tenant. ARGV: model, highest number in use
 */
const nextGenerationScript = `
local last = math.max(tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0'), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], ARGV[1], last + 1)
return last + 1
`

/** `newToken` gives a fresh random text at each call. */
export function createCatalogStore(client: RedisClient, newToken: () => string): CatalogStore {
  return {
    async index() {
      const tenantIds = await client.smembers(catalogKeys.tenants)
      if (tenantIds.length === 0) return new Map()
      const entries = await client.mget(tenantIds.map(catalogKeys.index))
      return new Map(tenantIds.flatMap((tenantId, at) => indexEntryOf(tenantId, entries[at] ?? null)))
    },

    async read(tenantId) {
      const key = catalogKeys.tenant(tenantId)
      const fields = await client
        .hmget(key, 'revision', 'token', 'document', 'state')
        .catch((error: Error) => {
          // Its publisher's ACL lets it put anything there; other tenants must be read all the same.
          if (!error.message.startsWith('WRONGTYPE')) throw error
          throw new FaultsError(`catalog, tenant ${tenantId}`, [
            { path: key, problem: 'is no hash in Redis' },
          ])
        })
      const [revision, token, document, state] = fields
      if (!revision || !token || !document || !state) return null
      return { tenantId, revision: Number(revision), token, document, state }
    },

    async issuerOwners(issuers) {
      return issuers.length === 0 ? [] : client.hmget(catalogKeys.issuers, ...issuers)
    },

    async change(change) {
      const { tenantId, expectedRevision, state, configuration, history, revisionAbove = 0 } = change
      const token = newToken()
      const keys = [catalogKeys.tenant(tenantId), catalogKeys.index(tenantId), catalogKeys.history(tenantId)]
      const values = [tenantId, `${expectedRevision}`, token, `${revisionAbove}`, catalogKeys.changes]
      values.push(JSON.stringify({ ...history, document: configuration?.document ?? null }), state)
      if (configuration !== null) {
        keys.push(catalogKeys.issuers, catalogKeys.issuersOf(tenantId), catalogKeys.tenants)
        values.push(configuration.document, ...configuration.issuers)
      }
      const script = configuration === null ? stateScript : configurationScript
      return outcomeOf(
        (await client.eval(script, keys.length, ...keys, ...values)) as [string, string],
        token,
      )
    },

    async history(tenantId, entriesMax) {
      const key = catalogKeys.history(tenantId)
      const entries = await client.xrevrange(key, '+', '-', 'COUNT', entriesMax)
      return entries.map(([id, fields]) => ({
        ...(JSON.parse(fields[1] ?? '{}') as Omit<HistoryEntry, 'revision'>),
        revision: Number(id.split('-')[0]),
      }))
    },

    async nextGeneration(tenantId, modelId, highestInUse) {
      const counters = catalogKeys.generations(tenantId)
      return (await client.eval(nextGenerationScript, 1, counters, modelId, highestInUse)) as number
    },
  }
}

function indexEntryOf(tenantId: string, text: string | null): [string, IndexEntry][] {
  if (text === null) return []
  const [revision = '', token = ''] = text.split(' ')
  return [[tenantId, { revision: Number(revision), token }]]
}

function outcomeOf([outcome, detail]: [string, string], token: string): ChangeOutcome {
  switch (outcome) {
    case 'changed':
      return { outcome, revision: Number(detail), token }
    case 'outdated':
      return { outcome, revision: Number(detail) }
    case 'issuer-taken':
      return { outcome, issuer: detail }
    default:
      throw new Error(`the catalog script answered ${outcome}`)
  }
}
