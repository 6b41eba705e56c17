import { randomUUID } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose'
import { OperationError } from '../domain/errors.ts'
import type { TrustedIssuer } from '../domain/snapshot.ts'
import { documentKeySet } from './document-key-set.ts'

/**
 * The development key: made on a machine when it is first needed, so that `recgate token` and `recgate demo` can sign
 * tokens before a studio has its own issuer. `serve` trusts it only with `--development`. It is an ES256 private JWK
 * (RFC 7517) in a file that only its owner can read.
 */

export interface DevelopmentKey {
  /** The key's SHA-256 thumbprint (RFC 7638). */
  readonly kid: string
  readonly publicKey: CryptoKey
  readonly privateKey: CryptoKey
}

export interface DevelopmentToken {
  readonly key: DevelopmentKey
  readonly tenantId: string
  /** Everything but `iss`, `aud`, `iat` and `exp`, which are set here. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly lifetimeSeconds: number
}

const algorithm = 'ES256' as const
const audience = 'recgate'
/** `.invalid` belongs to nobody (RFC 2606), so no real issuer can have this name. */
const issuerBase = 'https://dev.recgate.invalid'

/** One a tenant, so that an `iss` belongs to exactly one tenant here too. */
export function developmentIssuer(tenantId: string): string {
  return `${issuerBase}/${tenantId}`
}

export function isDevelopmentIssuer(issuer: string): boolean {
  return issuer === issuerBase || issuer.startsWith(`${issuerBase}/`)
}

/**
 * `RECGATE_DEVELOPMENT_KEY_FILE`, or else `recgate/development-key.json` in `XDG_CONFIG_HOME` or `~/.config`
 * (a relative `XDG_CONFIG_HOME` is ignored, as the XDG base directory specification asks).
 */
export function defaultDevelopmentKeyPath(env: Readonly<Record<string, string | undefined>>): string {
  const chosen = env['RECGATE_DEVELOPMENT_KEY_FILE']
  if (chosen) return chosen
  const configured = env['XDG_CONFIG_HOME']
  const base = configured && isAbsolute(configured) ? configured : join(env['HOME'] || homedir(), '.config')
  return join(base, 'recgate', 'development-key.json')
}

/** Reads the key, or makes it where there is none. Throws OperationError where the file can't be used or made. */
export async function loadDevelopmentKey(path: string): Promise<DevelopmentKey> {
  const existing = await readKeyFile(path)
  if (existing !== null) return importKeyFile(existing, path)
  await makeKeyFile(path)
  // Read back instead of used: another process may have made it first.
  const made = await readKeyFile(path)
  if (made === null) throw new OperationError(`${path}: vanished just after it was made`)
  return importKeyFile(made, path)
}

/** A JWT that a gateway with the same key accepts for `tenantId`, from now on for `lifetimeSeconds`. */
export function signDevelopmentToken({
  key,
  tenantId,
  claims,
  lifetimeSeconds,
}: DevelopmentToken): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: algorithm, kid: key.kid, typ: 'JWT' })
    .setIssuer(developmentIssuer(tenantId))
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetimeSeconds)
    .sign(key.privateKey)
}

const trustedIssuers = new WeakMap<DevelopmentKey, Map<string, TrustedIssuer>>()

/** The identical object each time, since its identity vouches for cached tokens. */
export function developmentTrustedIssuer(key: DevelopmentKey, tenantId: string): TrustedIssuer {
  const ofKey = trustedIssuers.get(key) ?? new Map<string, TrustedIssuer>()
  trustedIssuers.set(key, ofKey)
  const known = ofKey.get(tenantId)
  if (known !== undefined) return known
  const trusted: TrustedIssuer = Object.freeze({
    issuer: developmentIssuer(tenantId),
    tenantId,
    audience,
    models: null,
    maxLifetimeSeconds: null,
    revokedKids: new Set<string>(),
    keySet: documentKeySet([{ kid: key.kid, algorithm, material: key.publicKey }]),
  })
  ofKey.set(tenantId, trusted)
  return trusted
}

/** The file's text, or null where there is none. */
async function readKeyFile(path: string): Promise<string | null> {
  let file: FileHandle | null = null
  try {
    file = await open(path, 'r')
    // Asked of the opened file, so that it can't be swapped in between.
    const { mode } = await file.stat()
    if (othersMayUse(mode))
      throw new OperationError(
        `${path}: others can use this development key; remove it, and a new one is made`,
      )
    return await file.readFile('utf8')
  } catch (error) {
    if (error instanceof OperationError) throw error
    if (codeOf(error) === 'ENOENT') return null
    throw new OperationError(`${path}: the development key can't be read (${codeOf(error)})`, {
      cause: error,
    })
  } finally {
    await file?.close()
  }
}

/** Windows has no such bits; there the profile's directory protects the file. */
function othersMayUse(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}

/** Written beside and then linked: whoever looks sees no key or a whole one, and the first of two makers wins. */
async function makeKeyFile(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(privateKey)
  const content = { ...jwk, alg: algorithm, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
  const draft = `${path}.${randomUUID()}`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    try {
      await writeAndSync(draft, `${JSON.stringify(content, null, 2)}\n`)
      await link(draft, path)
    } finally {
      await rm(draft, { force: true })
    }
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    throw new OperationError(
      `${path}: the development key can't be made (${codeOf(error)}); RECGATE_DEVELOPMENT_KEY_FILE names another place`,
      { cause: error },
    )
  }
}

async function writeAndSync(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function importKeyFile(text: string, path: string): Promise<DevelopmentKey> {
  try {
    const { kty, crv, x, y, d } = JSON.parse(text) as Record<string, string>
    const publicJwk = { kty, crv, x, y } as JWK
    const [publicKey, privateKey, kid] = await Promise.all([
      importJWK(publicJwk, algorithm),
      importJWK({ ...publicJwk, d } as JWK, algorithm),
      calculateJwkThumbprint(publicJwk),
    ])
    if (publicKey instanceof Uint8Array || privateKey instanceof Uint8Array || privateKey.type !== 'private')
      throw new TypeError('not a private key')
    return { kid, publicKey, privateKey }
  } catch (error) {
    throw new OperationError(
      `${path}: holds no ES256 private key as a JWK; remove it, and a new one is made`,
      {
        cause: error,
      },
    )
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string } | null)?.code ?? String(error)
}
