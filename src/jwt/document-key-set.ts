import type { KeySet, VerificationKey } from '../domain/snapshot.ts'

/** Keys that stand in a document, in the settings or on this machine: they are what they are until that changes. */
export function documentKeySet(keys: readonly VerificationKey[]): KeySet {
  return Object.freeze({ keys, goodUntilMs: Number.POSITIVE_INFINITY, renew: () => 'resting' as const })
}
