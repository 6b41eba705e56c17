import { resolveRedis } from '../settings/redis-endpoint.ts'
import type { Settings } from '../settings/schema.ts'

/** Redis' own words, of a command and of one inside a script. */
const forbidden = /NOPERM|No permissions|The user executing the script can't/i

/**
 * What a command says, in one line, where Redis' ACL stands against it; null where `message` is about something else.
 * Redis before 7.2 doesn't name the user itself.
 */
export function describeForbidden(message: string, settings: Settings | null): string | null {
  if (!forbidden.test(message)) return null
  const users = settings === null ? [] : usersOf(settings)
  const who = users.length === 0 ? 'this user of Redis' : `the Redis user ${users.join(' or ')}`
  return (
    `${who} may not do that (${message}). A publisher works on its own studio's --tenant, an administrator on all, a ` +
    'gateway only reads: docs/redis.md, "ACL", has which command takes which user'
  )
}

function usersOf({ redis, catalogRedis }: Settings): string[] {
  const users = [redis, catalogRedis ?? redis].map((settings) => resolveRedis(settings).username ?? 'default')
  return [...new Set(users)]
}
