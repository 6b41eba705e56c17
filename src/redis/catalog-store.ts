import type {
  CatalogChange,
  CatalogStore,
  ChangeOutcome,
  HistoryEntry,
  IndexEntry,
} from '../catalog/ports.ts'
import { FaultsError, OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { askRedis, type RedisClient } from './client.ts'
import { catalogKeys } from './keys.ts'

/** Beyond it a number doesn't tell two revisions apart. */
const revisionMax = Number.MAX_SAFE_INTEGER - 1

/**
 * Two scripts, of parts: look, compare, claim, write. Everything that can fail comes before the first write, since a
 * script that ends half way takes nothing back. Documents pass through as opaque text: parsing 200 kB of JSON in Lua
 * blocked Redis for 17.7 ms, this takes 0.9. The state's script is given no key that tenants share, so that an ACL can
 * allow it to the publisher of one tenant.
 *
 * KEYS: tenant, index of the tenant, history; the configuration's script also: issuers, issuers of the tenant, tenants
 * ARGV: tenant, expected revision, token, lowest revision to be passed, channel, history entry, state; the
 *       configuration's script also: document, then the claimed issuers
 */
const look = `
local kinds = {'hash', 'string', 'stream', 'hash', 'set', 'set'}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= kinds[i] then return {'unusable', key} end
end
local function sound(text)
  local number = tonumber(text)
  return number and number >= 0 and number <= ${revisionMax} and math.floor(number) == number and number
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local passed = 0
if last then
  passed = sound(string.match(last[1], '^%d+'))
  if not passed then return {'unusable', KEYS[3]} end
end
`

/** What is no number was put there by hand: it is passed, like a tenant that isn't there. */
const compare = `
local revision = sound(redis.call('HGET', KEYS[1], 'revision') or '0') or 0
if revision ~= tonumber(ARGV[2]) then return {'outdated', string.format('%.0f', revision)} end
`

const claim = `
for i = 9, #ARGV do
  local owner = redis.call('HGET', KEYS[4], ARGV[i])
  if owner and owner ~= ARGV[1] then return {'issuer-taken', ARGV[i]} end
end
`

/**
 * A tenant that was lost, and is created anew or restored from a backup, goes on after its history, which takes no
 * revision twice. The first write is one that a full Redis refuses.
 */
const write = `
revision = string.format('%.0f', math.max(revision, passed, tonumber(ARGV[4])) + 1)
redis.call('HSET', KEYS[1], 'revision', revision, 'token', ARGV[3], 'state', ARGV[7])
if ARGV[8] then redis.call('HSET', KEYS[1], 'document', ARGV[8]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${limits.historyEntriesMax}, revision .. '-0', 'entry', ARGV[6])
redis.call('SET', KEYS[2], revision .. ' ' .. ARGV[3])
`

/** An issuer goes back to nobody only where it was this tenant's: its set of claims is for its publisher to write, too. */
const own = `
for _, issuer in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  if redis.call('HGET', KEYS[4], issuer) == ARGV[1] then redis.call('HDEL', KEYS[4], issuer) end
end
redis.call('DEL', KEYS[5])
for i = 9, #ARGV do
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[1])
  redis.call('SADD', KEYS[5], ARGV[i])
end
redis.call('SADD', KEYS[6], ARGV[1])
`

const announce = `
redis.call('PUBLISH', ARGV[5], ARGV[1])
return {'changed', revision}
`

const configurationScript = look + compare + claim + write + own + announce
const stateScript = look + compare + write + announce

/**
 * Index entries of tenants, each cut to what one can be: a publisher may write its own, and must not make every gateway
 * read what it likes. KEYS: indexes of tenants
 */
const indexScript = `
local entries = {}
for i, key in ipairs(KEYS) do
  local entry = redis.pcall('GETRANGE', key, 0, ${limits.indexEntryBytesMax - 1})
  entries[i] = type(entry) == 'string' and entry or ''
end
return entries
`

/** A tenant's fields, '' for each that is larger than it may be or isn't there. KEYS: tenant. ARGV: field, bytes, … */
const readScript = `
local fields = {}
for i = 1, #ARGV, 2 do
  local bytes = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  fields[#fields + 1] = bytes <= tonumber(ARGV[i + 1]) and redis.call('HGET', KEYS[1], ARGV[i]) or ''
end
return fields
`

const fieldBytesMax = {
  revision: limits.revisionBytesMax,
  token: limits.changeTokenBytesMax,
  document: limits.documentBytesMax,
  state: limits.stateBytesMax,
} as const

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
  const ask = <T>(answer: Promise<T>) => askRedis(client, answer)
  /** EVAL_RO came with Redis 7.0: under it a gateway's user needs no right to write. */
  let readCommand: 'EVAL_RO' | 'EVAL' = 'EVAL_RO'

  async function readOnly(script: string, keys: readonly string[], values: readonly string[] = []) {
    const parameters = [script, keys.length, ...keys, ...values]
    try {
      return (await ask(client.call(readCommand, ...parameters))) as string[]
    } catch (error) {
      if (readCommand === 'EVAL' || !/^ERR unknown command/i.test((error as Error).message)) throw error
      readCommand = 'EVAL'
      return (await ask(client.call(readCommand, ...parameters))) as string[]
    }
  }

  return {
    async index() {
      const tenantIds = await ask(client.smembers(catalogKeys.tenants))
      const index = new Map<string, IndexEntry>()
      for (let first = 0; first < tenantIds.length; first += limits.indexEntriesPerTrip) {
        const some = tenantIds.slice(first, first + limits.indexEntriesPerTrip)
        const entries = await readOnly(indexScript, some.map(catalogKeys.index))
        for (const [at, text] of entries.entries()) if (text !== '') index.set(some[at]!, indexEntryOf(text))
      }
      return index
    },

    async read(tenantId) {
      const key = catalogKeys.tenant(tenantId)
      const bounds = Object.entries(fieldBytesMax).flatMap(([field, bytes]) => [field, String(bytes)])
      const fields = await readOnly(readScript, [key], bounds).catch((error: Error) => {
        // Its publisher's ACL lets it put anything there; other tenants must be read all the same.
        if (!error.message.includes('WRONGTYPE')) throw error
        const problem = `is no hash in Redis; remove it (DEL ${key}), and apply the tenant's document again`
        throw new FaultsError(`catalog, tenant ${tenantId}`, [{ path: key, problem }])
      })
      if (fields.every((field) => field === '')) return null
      const [revision = '', token = '', document = '', state = ''] = fields
      return { tenantId, revision: Number(revision || Number.NaN), token, document, state }
    },

    async issuerOwners(issuers) {
      return issuers.length === 0 ? [] : ask(client.hmget(catalogKeys.issuers, ...issuers))
    },

    async change(change) {
      const { tenantId, expectedRevision, state, configuration, history, revisionAbove = 0 } = change
      requireRoom(change)
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
        (await ask(client.eval(script, keys.length, ...keys, ...values))) as [string, string],
        token,
      )
    },

    async history(tenantId, entriesMax, belowRevision) {
      const key = catalogKeys.history(tenantId)
      // Without its second part an id stands for all of that number.
      const end = belowRevision === undefined ? '+' : `${belowRevision - 1}`
      const entries = await ask(client.xrevrange(key, end, '-', 'COUNT', entriesMax))
      return entries.map(([id, fields]) => ({
        ...(JSON.parse(fields[1] ?? '{}') as Omit<HistoryEntry, 'revision'>),
        revision: Number(id.split('-')[0]),
      }))
    },

    async nextGeneration(tenantId, modelId, highestInUse) {
      const counters = catalogKeys.generations(tenantId)
      return (await ask(client.eval(nextGenerationScript, 1, counters, modelId, highestInUse))) as number
    },
  }
}

function indexEntryOf(text: string): IndexEntry {
  const [revision = '', token = ''] = text.split(' ')
  return { revision: Number(revision), token }
}

/** What gateways would refuse to read isn't written. */
function requireRoom({ tenantId, configuration, state }: CatalogChange): void {
  const bytes = {
    document: Buffer.byteLength(configuration?.document ?? ''),
    state: Buffer.byteLength(state),
  }
  for (const field of ['document', 'state'] as const)
    if (bytes[field] > fieldBytesMax[field])
      throw new OperationError(
        `tenant ${tenantId}: the ${field} has ${bytes[field]} bytes; at most ${fieldBytesMax[field]} can be kept`,
      )
}

function outcomeOf([outcome, detail]: [string, string], token: string): ChangeOutcome {
  switch (outcome) {
    case 'changed':
      return { outcome, revision: Number(detail), token }
    case 'outdated':
      return { outcome, revision: Number(detail) }
    case 'issuer-taken':
      return { outcome, issuer: detail }
    case 'unusable':
      throw new OperationError(
        `the key ${detail} in Redis holds what recgate never writes there; nothing was changed. ` +
          `Look at it, remove it (DEL ${detail}), and try again`,
      )
    default:
      throw new Error(`the catalog script answered ${outcome}`)
  }
}
