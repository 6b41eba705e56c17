import { exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Algorithm, Snapshot, TrustedIssuer } from '../../src/domain/snapshot.ts'

/**
 * Keys and signed tokens for tests. Signing is done here with Web Crypto and not with jose, because a test must be
 * able to sign what jose refuses to.
 */

export type KeyAlgorithm = Exclude<Algorithm, 'HS256'>

export interface TestKey {
  readonly algorithm: KeyAlgorithm
  readonly kid: string | null
  /** As a tenant's document holds it: with `alg`, and with `kid` where the key has one. */
  readonly publicJwk: JWK & Record<string, unknown>
  readonly privateKey: CryptoKeyOfNode
}

export interface TestSecret {
  readonly algorithm: 'HS256'
  readonly kid: string | null
  readonly secret: Uint8Array<ArrayBuffer>
}

type CryptoKeyOfNode = InstanceType<typeof CryptoKey>

const signing = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  EdDSA: { name: 'Ed25519' },
} satisfies Record<KeyAlgorithm, object>

export async function makeKey(algorithm: KeyAlgorithm, kid: string | null = null): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), alg: algorithm, ...(kid === null ? {} : { kid }) }
  return { algorithm, kid, publicJwk, privateKey }
}

/** The same RSA key, signing with the other of its two algorithms. */
export async function rsaKeyAs(key: TestKey, algorithm: 'RS256' | 'PS256'): Promise<TestKey> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key.privateKey)
  const { name } = signing[algorithm]
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, { name, hash: 'SHA-256' }, true, ['sign'])
  return { ...key, algorithm, privateKey, publicJwk: { ...key.publicJwk, alg: algorithm } }
}

export function makeSecret(kid: string | null = null, bytes = 32): TestSecret {
  return { algorithm: 'HS256', kid, secret: crypto.getRandomValues(new Uint8Array(bytes)) }
}

/**
 * A compact JWS over `claims` as JSON. `header` is laid over `{ alg, typ: 'JWT', kid }`; a member that is undefined
 * leaves it out.
 */
export function signToken(
  key: TestKey | TestSecret,
  claims: unknown,
  header: Record<string, unknown> = {},
): Promise<string> {
  const kid = key.kid === null ? {} : { kid: key.kid }
  return signText(
    key,
    JSON.stringify({ alg: key.algorithm, typ: 'JWT', ...kid, ...header }),
    JSON.stringify(claims),
  )
}

/** A compact JWS over whatever texts or bytes. */
export async function signText(
  key: TestKey | TestSecret,
  header: string | Uint8Array,
  payload: string | Uint8Array,
): Promise<string> {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${base64url(await signatureOf(key, Buffer.from(input)))}`
}

export function base64url(content: string | Uint8Array): string {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content)
  return bytes.toString('base64url')
}

async function signatureOf(key: TestKey | TestSecret, input: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (key.algorithm === 'HS256') {
    const hmac = { name: 'HMAC', hash: 'SHA-256' }
    const material = await crypto.subtle.importKey('raw', key.secret, hmac, false, ['sign'])
    return new Uint8Array(await crypto.subtle.sign(hmac, material, input))
  }
  return new Uint8Array(await crypto.subtle.sign(signing[key.algorithm], key.privateKey, input))
}

/** Claims of a token that is good for the next ten minutes. */
export function goodClaims(issuer: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, aud: 'recgate', sub: 'player-1', iat: now, exp: now + 600, ...more }
}

/** A snapshot that knows these issuers and nothing else. */
export function snapshotWith(...issuers: readonly TrustedIssuer[]): Snapshot {
  const byIss = new Map(issuers.map((issuer) => [issuer.issuer, issuer]))
  return { tenants: new Map(), issuers: byIss, incomplete: false }
}
