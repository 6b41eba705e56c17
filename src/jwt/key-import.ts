import type { webcrypto } from 'node:crypto'
import { importJWK } from 'jose'
import type { Fault } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { Algorithm, VerificationKey } from '../domain/snapshot.ts'
import { joinPath } from '../domain/zod-faults.ts'

/**
 * Keys of a tenant's document (JWK, RFC 7517 and 7518; Ed25519: RFC 8037) and secrets of the settings, as keys that
 * verify with exactly one algorithm each. Everything wrong with a key is found at once.
 */

export type ImportedKey =
  | { readonly key: VerificationKey; readonly faults: readonly [] }
  | { readonly key: null; readonly faults: readonly Fault[] }

export interface ImportedKeys {
  /** Complete only where there are no faults. */
  readonly keys: readonly VerificationKey[]
  readonly faults: readonly Fault[]
}

interface KeyKind {
  readonly curve: string | null
  /** The public members, all of them text (RFC 7518 section 6, RFC 8037 section 2). */
  readonly members: readonly string[]
  readonly algorithms: readonly Algorithm[]
}

const kinds: ReadonlyMap<unknown, KeyKind> = new Map([
  ['EC', { curve: 'P-256', members: ['crv', 'x', 'y'], algorithms: ['ES256'] }],
  ['RSA', { curve: null, members: ['n', 'e'], algorithms: ['RS256', 'PS256'] }],
  ['OKP', { curve: 'Ed25519', members: ['crv', 'x'], algorithms: ['EdDSA'] }],
] as const satisfies [string, KeyKind][])

/** Members that no public key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4; `priv`: RFC 9964). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/** The public keys of one issuer. `path` is where the list stands. */
export async function importKeySet(jwks: readonly unknown[], path: string): Promise<ImportedKeys> {
  if (jwks.length === 0) return { keys: [], faults: [{ path, problem: 'must hold at least one public key' }] }
  if (jwks.length > limits.keysPerIssuerMax)
    return { keys: [], faults: [{ path, problem: `must hold at most ${limits.keysPerIssuerMax} keys` }] }
  const imported = await Promise.all(jwks.map((jwk, index) => importKey(jwk, joinPath(path, index))))
  const keys: VerificationKey[] = []
  const faults: Fault[] = []
  const firstWithKid = new Map<string, string>()
  for (const [index, result] of imported.entries()) {
    faults.push(...result.faults)
    if (result.key !== null) keys.push(result.key)
    const kid = (jwks[index] as { kid?: unknown } | null | undefined)?.kid
    if (typeof kid !== 'string') continue
    const first = firstWithKid.get(kid)
    if (first === undefined) firstWithKid.set(kid, joinPath(path, index))
    else
      faults.push({
        path: joinPath(path, index, 'kid'),
        problem: `is that of ${first}, too; each key needs its own`,
      })
  }
  return { keys, faults }
}

/** One public JWK. */
export async function importKey(jwk: unknown, path: string): Promise<ImportedKey> {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    return faulty({ path, problem: 'must be a public key as a JWK, with kty EC, RSA or OKP' })
  const members = jwk as Readonly<Record<string, unknown>>
  const kind = kinds.get(members['kty'])
  if (kind === undefined) return faulty(keyTypeFault(members['kty'], path))
  const faults = [
    ...memberFaults(members, kind, path),
    ...useFaults(members, path),
    ...kidFaults(members['kid'], path),
  ]
  const algorithm = algorithmOf(members['alg'], kind)
  if (algorithm === null) faults.push(algorithmFault(members['alg'], kind, path))
  if (faults.length > 0 || algorithm === null) return faulty(...faults)
  return importMembers(members, kind, algorithm, path)
}

/** A shared secret of the settings, for HS256. `kid` is what its tokens' headers must name, or null. */
export async function secretKey(
  secret: Uint8Array,
  path: string,
  kid: string | null = null,
): Promise<ImportedKey> {
  const faults = kid === null ? [] : kidFaults(kid, path)
  // RFC 7518 section 3.2 asks for at least the hash's length; a shorter one can be guessed from one token, offline.
  if (secret.byteLength < limits.secretBytesMin)
    faults.push({
      path,
      problem: `is a secret of ${secret.byteLength} bytes; HS256 needs at least ${limits.secretBytesMin} random ones`,
    })
  if (faults.length > 0) return faulty(...faults)
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const material = await crypto.subtle.importKey('raw', new Uint8Array(secret), algorithm, false, ['verify'])
  return { key: Object.freeze({ kid, algorithm: 'HS256', material }), faults: [] }
}

/** Only the public members reach the import, so that nothing else in the document can change what the key does. */
async function importMembers(
  members: Readonly<Record<string, unknown>>,
  kind: KeyKind,
  algorithm: Algorithm,
  path: string,
): Promise<ImportedKey> {
  const publicMembers = Object.fromEntries(['kty', ...kind.members].map((name) => [name, members[name]]))
  let material: Awaited<ReturnType<typeof importJWK>>
  try {
    material = await importJWK(publicMembers, algorithm)
  } catch {
    return faulty({
      path,
      problem: `is not a valid ${kind.curve ?? 'RSA'} public key; export it anew from its source`,
    })
  }
  if (material instanceof Uint8Array) return faulty({ path, problem: 'must be a public key, not a secret' })
  if (members['kty'] === 'RSA') {
    const { modulusLength, publicExponent } = material.algorithm as webcrypto.RsaHashedKeyAlgorithm
    if (modulusLength < limits.rsaBitsMin)
      return faulty({
        path: joinPath(path, 'n'),
        problem: `has ${modulusLength} bits; an RSA key needs at least ${limits.rsaBitsMin}`,
      })
    if (modulusLength > limits.rsaBitsMax)
      return faulty({
        path: joinPath(path, 'n'),
        problem: `has ${modulusLength} bits; an RSA key may have at most ${limits.rsaBitsMax}`,
      })
    // Big-endian.
    const exponent = BigInt(`0x${Buffer.from(publicExponent).toString('hex')}`)
    // With the exponent 1 everything is its own signature.
    if (exponent <= 1n)
      return faulty({ path: joinPath(path, 'e'), problem: 'must be greater than 1; AQAB (65537) is usual' })
    if (exponent >= 1n << BigInt(limits.rsaExponentBitsMax))
      return faulty({
        path: joinPath(path, 'e'),
        problem: `may have at most ${limits.rsaExponentBitsMax} bits; AQAB (65537) is usual`,
      })
  }
  return {
    key: Object.freeze({ kid: (members['kid'] as string | undefined) ?? null, algorithm, material }),
    faults: [],
  }
}

function faulty(...faults: Fault[]): ImportedKey {
  return { key: null, faults }
}

function keyTypeFault(kty: unknown, path: string): Fault {
  if (kty === 'oct')
    return {
      path: joinPath(path, 'kty'),
      problem:
        'must not be oct: a secret never stands in a document; keep it in the settings and name it in hs256.secretRef',
    }
  return { path: joinPath(path, 'kty'), problem: 'must be EC (curve P-256), RSA or OKP (curve Ed25519)' }
}

function memberFaults(members: Readonly<Record<string, unknown>>, kind: KeyKind, path: string): Fault[] {
  const faults: Fault[] = []
  for (const name of privateMembers)
    if (Object.hasOwn(members, name))
      faults.push({
        path: joinPath(path, name),
        problem:
          'belongs to the private key; publish only the public half, and replace this key if others may have seen it',
      })
  for (const name of kind.members) {
    if (name === 'crv' && members['crv'] !== kind.curve)
      faults.push({ path: joinPath(path, 'crv'), problem: `must be ${kind.curve}` })
    else if (typeof members[name] !== 'string')
      faults.push({ path: joinPath(path, name), problem: 'is missing; it must be text in base64url' })
  }
  return faults
}

function useFaults(members: Readonly<Record<string, unknown>>, path: string): Fault[] {
  const { use, key_ops: operations } = members
  const faults: Fault[] = []
  if (use !== undefined && use !== 'sig')
    faults.push({ path: joinPath(path, 'use'), problem: 'must be sig or absent' })
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    faults.push({ path: joinPath(path, 'key_ops'), problem: 'must be a list with verify in it, or absent' })
  return faults
}

function kidFaults(kid: unknown, path: string): Fault[] {
  if (kid === undefined) return []
  if (typeof kid === 'string' && kid.length > 0 && kid.length <= limits.kidCharactersMax) return []
  return [
    {
      path: joinPath(path, 'kid'),
      problem: `must be text of 1 to ${limits.kidCharactersMax} characters, or absent`,
    },
  ]
}

function algorithmOf(alg: unknown, kind: KeyKind): Algorithm | null {
  if (alg === undefined) return kind.algorithms.length === 1 ? kind.algorithms[0]! : null
  return kind.algorithms.find((algorithm) => algorithm === alg) ?? null
}

function algorithmFault(alg: unknown, kind: KeyKind, path: string): Fault {
  const right = kind.algorithms.join(' or ')
  const problem =
    alg === undefined
      ? `is missing; it must be ${right}, because a key has one algorithm`
      : `must be ${right}`
  return { path: joinPath(path, 'alg'), problem }
}
