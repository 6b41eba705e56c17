import { limits } from '../domain/limits.ts'
import type { RedisConnection } from './client.ts'

/**
 * Reconnections fail several times a second with the same words: each reason of an outage is said once, until it is
 * over.
 */
export function sayReasonsOnce(
  say: (reason: string) => void,
): Required<Pick<RedisConnection, 'onError' | 'onReady'>> {
  const said = new Set<string>()
  return {
    onError({ message }) {
      if (said.has(message) || said.size === limits.outageReasonsSaidMax) return
      said.add(message)
      say(message)
    },
    onReady: () => said.clear(),
  }
}
