import type { Fault } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { VerificationKey } from '../domain/snapshot.ts'
import { importKey } from './key-import.ts'

/**
 * Keys of a key server. Other than in a document, where one bad key is its writer's mistake, a served set may hold keys
 * that are for others: to encrypt, of curves that are not used here. Those are left out, and the good ones serve.
 */

export interface FetchedKeys {
  readonly keys: readonly VerificationKey[]
  /** What the keys were made from: public members only, so that they can be kept on disk. */
  readonly jwks: readonly PublicJwk[]
  /** The same text for the same keys, in whatever order. */
  readonly identity: string
  readonly leftOut: readonly LeftOutKey[]
}

export type PublicJwk = Readonly<Record<string, string>>

export interface LeftOutKey {
  /** Null where it has none that can be shown. */
  readonly kid: string | null
  /** What is wrong; names members and never their values. */
  readonly reason: string
}

const publicMembers = ['kty', 'kid', 'alg', 'crv', 'x', 'y', 'n', 'e'] as const

/** A key that is among `known` comes as the object that it is there. */
export async function importFetchedKeys(
  jwks: readonly unknown[],
  known: Pick<FetchedKeys, 'keys' | 'jwks'> = { keys: [], jwks: [] },
): Promise<FetchedKeys> {
  const imported = await Promise.all(jwks.map(importOne))
  const knownByText = new Map(known.jwks.map((jwk, index) => [JSON.stringify(jwk), known.keys[index]!]))
  const good = new Map<string, { key: VerificationKey; jwk: PublicJwk }>()
  const leftOut: LeftOutKey[] = []
  for (const [index, { key, jwk, faults }] of imported.entries()) {
    if (key === null) {
      leftOut.push({ kid: shownKid(jwks[index]), reason: faults.map(sentenceOf).join('; ') })
      continue
    }
    // Each would cost a check of its own for every token that names it; keys without a name are bounded elsewhere.
    const name = key.kid === null ? `${index}` : `${key.algorithm} ${key.kid}`
    if (good.has(name)) leftOut.push({ kid: key.kid, reason: 'kid: is that of another key, which serves' })
    else good.set(name, { key: knownByText.get(JSON.stringify(jwk)) ?? key, jwk })
  }
  const kept = [...good.values()]
  return {
    keys: Object.freeze(kept.map(({ key }) => key)),
    jwks: kept.map(({ jwk }) => jwk),
    identity: kept
      .map(({ jwk }) => JSON.stringify(jwk))
      .sort()
      .join('\n'),
    leftOut,
  }
}

async function importOne(value: unknown) {
  const given = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  // Big providers leave `alg` out (RFC 7517 section 4.4: it is optional), and sign with RS256.
  const isPlainRsa = given['kty'] === 'RSA' && given['alg'] === undefined
  const { key, faults } = await importKey(isPlainRsa ? { ...given, alg: 'RS256' } : value, '')
  return { key, faults, jwk: key === null ? {} : publicJwk(given, key) }
}

/** Members in one order and with the algorithm, so that equal keys make equal texts. */
function publicJwk(given: Readonly<Record<string, unknown>>, { algorithm }: VerificationKey): PublicJwk {
  const members = publicMembers.map((name) => [name, name === 'alg' ? algorithm : given[name]] as const)
  return Object.fromEntries(
    members.filter(
      (member): member is [(typeof publicMembers)[number], string] => typeof member[1] === 'string',
    ),
  )
}

function shownKid(value: unknown): string | null {
  const kid = (value as { kid?: unknown } | null | undefined)?.kid
  return typeof kid === 'string' ? kid.slice(0, limits.kidCharactersMax) : null
}

function sentenceOf({ path, problem }: Fault): string {
  return path === '' ? problem : `${path}: ${problem}`
}
