import { refuse } from '../domain/errors.ts'
import type { VerifiedToken } from './ports.ts'

/**
 * What tells a game server's token from a player's: this word in the claim `scope`, whose words spaces separate
 * (RFC 8693 section 4.2, RFC 9068 section 2.2.3). One with it names any unit, and one without it its own alone.
 */
const batchScope = 'recommendations:batch'

export function mayAskForBatches({ claims }: VerifiedToken): boolean {
  const scope = Object.hasOwn(claims, 'scope') ? claims['scope'] : undefined
  return typeof scope === 'string' && scope.split(' ').includes(batchScope)
}

export const batchNotAllowed = refuse(
  'scope-mismatch',
  `batches need a token whose claim "scope" has the word ${batchScope}`,
)

/** A service's own name is nobody's player; and were it a player's token, that player could ask for all others. */
export const onlyBatchesAllowed = refuse(
  'scope-mismatch',
  `a token whose claim "scope" has the word ${batchScope} is for batches only; players' tokens must not have it`,
)
