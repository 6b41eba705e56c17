import { compactVerify, errors } from 'jose'
import { LRUCache } from 'lru-cache'
import { type Refusal, refuse, refuseTo } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { Snapshot, TrustedIssuer, VerificationKey } from '../domain/snapshot.ts'
import type { TokenVerifier, VerifiedToken } from '../serving/ports.ts'
import { bearerToken, readToken, type UnverifiedToken } from './compact-token.ts'
import { createFairQueue, type QueueBounds } from './fair-queue.ts'
import { checkClaims, expiresAtMs, tokenExpired } from './token-claims.ts'

/**
 * Proves bearer tokens (RFC 7519, with the advice of RFC 8725). The token's `iss` chooses one issuer, whose keys
 * alone may verify it, each with its one algorithm. Until then every refusal is the same, so that nobody learns
 * which issuers or keys exist.
 *
 * A signature costs 50 to 200 µs, a look into the cache well under one: a verified token is kept by its whole text,
 * together with the issuer object and the keys that vouched for it. When the issuer's settings or keys change, so does
 * one of the two, and what they vouched for is void. Only first sights wait: for their turn, and for keys that are
 * being fetched.
 */

export interface TokenVerifierOptions {
  /** Verified tokens kept; default `limits.tokenCacheEntriesMax`. */
  readonly entriesMax?: number
  /** Tokens kept that can't become good; default `limits.refusedTokensMax`. */
  readonly refusedMax?: number
  /** Default `signatureBounds`. */
  readonly bounds?: QueueBounds
  /** Unix time in milliseconds; default `Date.now`. */
  readonly clock?: () => number
}

/**
 * Anybody can send tokens that claim an issuer, each costing a check in libuv's pool, which looks up names and reads
 * files, too. Lines are claimed issuers: junk for one makes its newcomers wait, and nobody else's. Tokens that were
 * genuine before have a line of their own beside it, which nobody can fill who has none.
 */
const signatureBounds: QueueBounds = {
  atOnceMax: limits.verificationsAtOnceMax,
  waitingPerLineMax: limits.verificationsWaitingPerIssuerMax,
  waitingMax: limits.verificationsWaitingMax,
}

/** Who vouched for a token's signature, or found it wrong. */
interface Vouching {
  readonly issuer: TrustedIssuer
  readonly keys: readonly VerificationKey[]
}

interface KeptToken extends Vouching {
  /** The one of `keys` that verified it. */
  readonly key: VerificationKey
  /** The whole of it, and compared as a whole: two tokens with one index can't be taken for each other. */
  readonly token: string
  readonly verified: VerifiedToken
  /** From here on it has expired, tolerance included. Unix milliseconds, as the next one. */
  readonly expiresAtMs: number
  /** From here on it must be proven again. */
  readonly keptUntilMs: number
}

interface RefusedToken extends Vouching {
  readonly token: string
  readonly refusal: Refusal
}

interface Verification extends Vouching {
  readonly result: Promise<VerifiedToken | Refusal>
}

/** Enough of a signature, 192 bits, to tell tokens apart. */
const indexCharacters = 32

const tokenInvalid = refuse('token-invalid', 'a valid bearer token is needed')
/** Its issuer may be that of a tenant that could never be loaded: its players must come back, not give up. */
const unknownYet = refuse('busy', 'the gateway does not know all issuers yet')
const tooMany = refuse('busy', 'too many new tokens are being verified; come back in a moment')
/** Genuine tokens can't be told from others now; 401 would log players out. */
const noKeys = refuse('busy', 'tokens can not be verified at the moment; come back in a moment')

export function createTokenVerifier(options: TokenVerifierOptions = {}): TokenVerifier {
  const { entriesMax = limits.tokenCacheEntriesMax, refusedMax = limits.refusedTokensMax } = options
  const { bounds = signatureBounds, clock = Date.now } = options
  const queue = createFairQueue(bounds)
  const cache = boundedCache<KeptToken>(entriesMax)
  const refused = boundedCache<RefusedToken>(refusedMax)
  // First sights that are being verified. Each has a request that waits for it, so open requests bound their number.
  const underway = new Map<string, Verification>()

  function verify(authorization: string | undefined, catalog: Snapshot) {
    const token = bearerToken(authorization)
    if (token === null) return tokenInvalid
    // Not "get": an entry lives for a minute, and keeping the order of use would cost more than it saves.
    const kept = cache.peek(indexOf(token))
    if (kept !== undefined && kept.token === token) {
      const nowMs = clock()
      if (isCurrent(kept, catalog)) {
        if (nowMs < kept.keptUntilMs) return kept.verified
        if (nowMs >= kept.expiresAtMs) return refuseTo(kept.issuer.tenantId, tokenExpired)
      }
      const renewed = withUnchangedKey(kept, catalog, nowMs)
      if (renewed !== null) return renewed
      // It stays, as a token that was genuine, until a proof says otherwise.
      return firstSight(token, catalog, nowMs < kept.expiresAtMs)
    }
    return firstSight(token, catalog, false)
  }

  /** A rotation that leaves the token's own key where it was asks for no new proof: a fetched key that stays is the same object. */
  function withUnchangedKey(kept: KeptToken, catalog: Snapshot, nowMs: number): VerifiedToken | null {
    const { issuer, token } = kept
    const { keys } = issuer.keySet
    if (nowMs >= kept.keptUntilMs || catalog.issuers.get(issuer.issuer) !== issuer) return null
    if (kept.keys === keys || !keys.includes(kept.key)) return null
    cache.set(indexOf(token), { ...kept, keys }, { size: token.length })
    return kept.verified
  }

  function firstSight(token: string, catalog: Snapshot, wasGenuine: boolean) {
    const already = underway.get(token)
    if (already !== undefined && isCurrent(already, catalog)) return already.result
    const known = knownRefusal(token, catalog)
    if (known !== null) return known
    const unverified = readToken(token)
    if (unverified === null) return tokenInvalid
    const issuer = catalog.issuers.get(unverified.issuer)
    if (issuer === undefined) return catalog.incomplete ? unknownYet : tokenInvalid
    if (isRevoked(issuer, unverified.kid)) return tokenInvalid
    if (hasKeysFor(issuer, unverified.kid))
      return share(token, issuer, prove(token, unverified, issuer, wasGenuine))
    const renewal = issuer.keySet.renew()
    if (renewal === 'busy') return tooMany
    if (renewal === 'resting') return hasKeys(issuer) ? tokenInvalid : noKeys
    const proven = renewal.then(() =>
      hasKeys(issuer) ? prove(token, unverified, issuer, wasGenuine) : noKeys,
    )
    return share(token, issuer, proven)
  }

  /** Lets requests with the same token wait for the same verification. */
  function share(token: string, issuer: TrustedIssuer, result: Promise<VerifiedToken | Refusal>) {
    const verification = { issuer, keys: issuer.keySet.keys, result }
    underway.set(token, verification)
    const finish = () => {
      if (underway.get(token) === verification) underway.delete(token)
    }
    result.then(finish, finish)
    return result
  }

  async function prove(
    token: string,
    unverified: UnverifiedToken,
    issuer: TrustedIssuer,
    wasGenuine: boolean,
  ): Promise<VerifiedToken | Refusal> {
    const { keys, goodUntilMs } = issuer.keySet
    const fitting = fittingKeys(keys, issuer.revokedKids, unverified)
    if (fitting.length === 0) return tokenInvalid
    const key = await signerOf(token, fitting, lineOf(issuer, wasGenuine))
    if (key === 'busy') return tooMany
    if (key === null) {
      if (cache.peek(indexOf(token))?.token === token) cache.delete(indexOf(token))
      return keepRefused({ token, issuer, keys, refusal: tokenInvalid })
    }
    // The claims were decoded from this very text, so the signature covers them.
    const { claims } = unverified
    const nowMs = clock()
    const refusal = checkClaims(claims, issuer, nowMs)
    if (refusal !== null) {
      const refusalHere = refuseTo(issuer.tenantId, refusal)
      return lasts(refusal) ? keepRefused({ token, issuer, keys, refusal: refusalHere }) : refusalHere
    }
    // Frozen, because all requests with this token share it.
    const verified = Object.freeze({ issuer, claims: Object.freeze(claims) })
    const expires = expiresAtMs(claims)
    const keptUntilMs = Math.min(expires, nowMs + limits.tokenCacheMsMax, goodUntilMs)
    const kept = { token, verified, issuer, keys, key, expiresAtMs: expires, keptUntilMs }
    cache.set(indexOf(token), kept, { size: token.length })
    return verified
  }

  /** A turn for each key, so that a token without `kid` takes no more of them at one time than any other. */
  async function signerOf(
    token: string,
    fitting: readonly VerificationKey[],
    line: string,
  ): Promise<VerificationKey | 'busy' | null> {
    for (const key of fitting) {
      const isSigned = await queue.run(line, () => isSignedBy(key, token))
      if (isSigned === null) return 'busy'
      if (isSigned) return key
    }
    return null
  }

  /** What is sent again costs no second check: junk, and the tokens of clients that never get a new one. */
  function keepRefused(entry: RefusedToken): Refusal {
    refused.set(indexOf(entry.token), entry, { size: entry.token.length })
    return entry.refusal
  }

  function knownRefusal(token: string, catalog: Snapshot): Refusal | null {
    const known = refused.peek(indexOf(token))
    return known !== undefined && known.token === token && isCurrent(known, catalog) ? known.refusal : null
  }

  function hasKeys({ keySet }: TrustedIssuer): boolean {
    return clock() < keySet.goodUntilMs
  }

  /** Whether fetching could bring no other answer; a token without `kid` is one for the keys that there are. */
  function hasKeysFor(issuer: TrustedIssuer, kid: string | null): boolean {
    return hasKeys(issuer) && (kid === null || issuer.keySet.keys.some((key) => key.kid === kid))
  }

  return { verify }
}

/** Bounded in characters too, so that long tokens leave room for fewer: 50,000 of the longest kind would be 400 MB. */
function boundedCache<Entry extends object>(entriesMax: number) {
  const maxSize = entriesMax * limits.tokenCacheCharactersPerEntry
  return new LRUCache<string, Entry>({ max: entriesMax, maxSize })
}

/**
 * Where a kept token stands: the end of its signature. A map hashes every character of its key, and does so for each
 * request, since each brings a string of its own. Among 5,000 tokens of 942 characters a look under the whole token
 * took 3 to 4 µs, one under its end and the comparison of the whole 0.5 to 1.6 (Node 24, lru-cache 11, a busy machine).
 */
function indexOf(token: string): string {
  return token.slice(-indexCharacters)
}

/** The catalog's object stays the same for as long as the issuer's settings do, and the array as long as its keys. */
function isCurrent({ issuer, keys }: Vouching, catalog: Snapshot): boolean {
  return catalog.issuers.get(issuer.issuer) === issuer && issuer.keySet.keys === keys
}

function isRevoked({ revokedKids }: TrustedIssuer, kid: string | null): boolean {
  return kid !== null && revokedKids.has(kid)
}

/** Without a `kid` only so many keys are tried, because each costs a signature check that anybody may ask for. */
function fittingKeys(
  keys: readonly VerificationKey[],
  revokedKids: ReadonlySet<string>,
  { algorithm, kid }: UnverifiedToken,
): readonly VerificationKey[] {
  const fitting = keys.filter(
    (key) => key.algorithm === algorithm && (key.kid === null || !revokedKids.has(key.kid)),
  )
  if (kid === null) return fitting.slice(0, limits.keysTriedWithoutKidMax)
  return fitting.filter((key) => key.kid === kid)
}

/** Time makes no expired token good, nor one for others; a claim that lies in the future may be good in a moment. */
function lasts({ refused }: Refusal): boolean {
  return refused === 'token-expired' || refused === 'audience-mismatch'
}

async function isSignedBy(key: VerificationKey, token: string): Promise<boolean> {
  try {
    await compactVerify(token, key.material, { algorithms: [key.algorithm] })
    return true
  } catch (error) {
    // Anything else is a fault of ours, such as a key that was imported for another algorithm.
    if (!(error instanceof errors.JOSEError)) throw error
    return false
  }
}

function lineOf({ issuer }: TrustedIssuer, wasGenuine: boolean): string {
  return `${wasGenuine ? 'known' : 'new'} ${issuer}`
}
