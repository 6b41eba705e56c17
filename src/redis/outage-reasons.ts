import { limits } from '../domain/limits.ts'
import type { RedisConnection } from './client.ts'

/**
 * Reconnections fail several times a second with the same words, and those of all roles with one server's: each reason of
 * an outage is said once, until no role meets it any more. Answers what the role's connection is to be told.
 */
export function sayReasonsOnce<Role extends string>(
  say: (reason: string, role: Role) => void,
): (role: Role) => Required<Pick<RedisConnection, 'onError' | 'onReady'>> {
  /** Those that have met it, and not been ready since. */
  const rolesOf = new Map<string, Set<Role>>()
  return (role) => ({
    onError({ message }) {
      const roles = rolesOf.get(message)
      if (roles !== undefined) roles.add(role)
      else if (rolesOf.size < limits.outageReasonsSaidMax) {
        rolesOf.set(message, new Set([role]))
        say(message, role)
      }
    },
    onReady() {
      for (const [reason, roles] of rolesOf) {
        roles.delete(role)
        if (roles.size === 0) rolesOf.delete(reason)
      }
    },
  })
}
