import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type Fault, FaultsError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { KeySet, TrustedIssuer } from '../domain/snapshot.ts'
import { type IssuerDocument, keyFormRule } from '../domain/tenant-document.ts'
import { documentKeySet } from './document-key-set.ts'
import type { KeySetPlace } from './fetched-key-set.ts'
import { type ImportedKeys, importKeySet, secretKey } from './key-import.ts'

/**
 * Turns issuers of documents into trusted ones, and keeps each for as long as nothing about it changes: compiling a
 * tenant again gives the identical object, so that cached tokens outlive a change of weights, but not one of keys.
 * Nothing is fetched here: a document can be checked without asking anybody.
 */

export interface IssuersOptions {
  /** The secret's bytes, or null where the settings don't know the reference or don't allow it for that tenant. */
  resolveSecret(tenantId: string, secretRef: string): Uint8Array | null
  /** The live keys of an issuer that names a URL; without it such an issuer has none. */
  keySetFor?(place: KeySetPlace): Promise<KeySet>
}

export interface Issuers {
  /** Imports an issuer's keys. Throws FaultsError with all faults, their paths relative to the issuer. */
  issuerFor(tenantId: string, document: IssuerDocument): Promise<TrustedIssuer>
}

interface Interned {
  readonly fingerprint: string
  readonly trusted: TrustedIssuer
}

export function createIssuers(options: IssuersOptions): Issuers {
  // The latest of each issuer, and of no more issuers than a tenant can have; tenants are as many as the catalog has.
  const byTenant = new Map<string, LRUCache<string, Interned>>()

  async function issuerFor(tenantId: string, document: IssuerDocument): Promise<TrustedIssuer> {
    const secret =
      document.hs256 === undefined ? null : options.resolveSecret(tenantId, document.hs256.secretRef)
    const fingerprint = fingerprintOf(tenantId, document, secret)
    const known = byTenant.get(tenantId)?.get(document.issuer)
    if (known?.fingerprint === fingerprint) return known.trusted

    const { keySet, faults } = await keySetOf(tenantId, document, secret)
    if (faults.length > 0) throw new FaultsError(`issuer ${document.issuer}`, faults)

    const interned = byTenant.get(tenantId) ?? new LRUCache({ max: limits.issuersPerTenantMax })
    byTenant.set(tenantId, interned)
    // Another compile of the same document may have been faster; its object is the one to share.
    const meanwhile = interned.get(document.issuer)
    if (meanwhile?.fingerprint === fingerprint) return meanwhile.trusted
    const trusted: TrustedIssuer = Object.freeze({
      issuer: document.issuer,
      tenantId,
      audience: document.audience,
      models: document.models ?? null,
      maxLifetimeSeconds: document.maxLifetimeSeconds ?? null,
      revokedKids: new Set(document.revokedKids),
      keySet,
    })
    interned.set(document.issuer, { fingerprint, trusted })
    return trusted
  }

  async function keySetOf(
    tenantId: string,
    document: IssuerDocument,
    secret: Uint8Array | null,
  ): Promise<{ readonly keySet: KeySet; readonly faults: readonly Fault[] }> {
    const { issuer, jwks, hs256 } = document
    if (jwks !== undefined && hs256 === undefined && 'url' in jwks) {
      const keySet = await options.keySetFor?.({ tenantId, issuer, url: jwks.url })
      return { keySet: keySet ?? neverFetched, faults: [] }
    }
    const { keys, faults } = await importKeys(document, secret)
    return { keySet: documentKeySet(keys), faults }
  }

  return { issuerFor }
}

const neverFetched: KeySet = Object.freeze({
  keys: [],
  goodUntilMs: Number.NEGATIVE_INFINITY,
  renew: () => 'resting' as const,
})

async function importKeys(document: IssuerDocument, secret: Uint8Array | null): Promise<ImportedKeys> {
  const { jwks, hs256 } = document
  if ((jwks === undefined) === (hs256 === undefined)) return faulty({ path: '', problem: keyFormRule })
  if (jwks !== undefined && 'keys' in jwks) return importKeySet(jwks.keys, 'jwks.keys')
  if (secret === null)
    return faulty({
      path: 'hs256.secretRef',
      problem: 'must be the name of a secret that the settings know and allow for this tenant',
    })
  const { key, faults } = await secretKey(secret, 'hs256', hs256?.kid ?? null)
  return { keys: key === null ? [] : [key], faults }
}

function faulty(fault: Fault): ImportedKeys {
  return { keys: [], faults: [fault] }
}

/** The same for two documents that differ only in the order of their members; never shown, since it covers the secret. */
function fingerprintOf(tenantId: string, document: IssuerDocument, secret: Uint8Array | null): string {
  // JSON holds no NUL byte, so the secret can't pass for a part of the document.
  const hash = createHash('sha256').update(`${tenantId}\0${canonicalJson(document)}\0`)
  return hash.update(secret ?? '').digest('base64')
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
