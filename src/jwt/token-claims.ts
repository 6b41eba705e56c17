import { type Refusal, refuse } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { TrustedIssuer } from '../domain/snapshot.ts'

/**
 * The registered claims of a token whose signature has verified (RFC 7519 section 4.1). Only whoever holds a
 * genuine token reads these details, so they may say what is wrong; they still name nothing that the token didn't.
 */

type Claims = Readonly<Record<string, unknown>>

const toleranceMs = limits.clockToleranceSeconds * 1000
const numericDate = 'it must be a number of seconds since 1970-01-01T00:00:00Z'

export const tokenExpired = refuse('token-expired', 'the token has expired; get a new one')
const audienceMismatch = refuse(
  'audience-mismatch',
  'the claim "aud" must name the audience that is expected here',
)

/** Null where the claims are in order at `nowMs` (Unix time in milliseconds). */
export function checkClaims(claims: Claims, issuer: TrustedIssuer, nowMs: number): Refusal | null {
  if (claims['exp'] === undefined)
    return refuse('claim-invalid', `the claim "exp" is missing; ${numericDate}`)
  return (
    checkDates(claims) ??
    (nowMs >= expiresAtMs(claims) ? tokenExpired : null) ??
    checkAudience(claims['aud'], issuer.audience) ??
    checkNotFuture(claims, 'nbf', nowMs) ??
    checkNotFuture(claims, 'iat', nowMs) ??
    checkLifetime(claims, issuer.maxLifetimeSeconds)
  )
}

/** When checked claims stop being good, in Unix milliseconds, tolerance included. */
export function expiresAtMs(claims: Claims): number {
  return secondsOf(claims, 'exp') * 1000 + toleranceMs
}

/**
 * Fractions are allowed (RFC 7519 section 2). JSON has neither NaN nor Infinity, but `1e999` parses to the latter. The
 * bound is there for issuers that write milliseconds: their tokens would hold for thousands of years.
 */
function checkDates(claims: Claims): Refusal | null {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claims[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0))
      return refuse('claim-invalid', `the claim "${name}" is no time; ${numericDate}`)
    if (value >= limits.numericDateBelow)
      return refuse(
        'claim-invalid',
        `the claim "${name}" lies beyond the year 9999; ${numericDate}, not of milliseconds`,
      )
  }
  return null
}

function checkAudience(aud: unknown, expected: string): Refusal | null {
  if (aud === undefined) return audienceMismatch
  if (typeof aud === 'string') return aud === expected ? null : audienceMismatch
  if (!Array.isArray(aud) || !aud.every((entry) => typeof entry === 'string'))
    return refuse('audience-mismatch', 'the claim "aud" must be a text or a list of texts')
  return aud.includes(expected) ? null : audienceMismatch
}

function checkNotFuture(claims: Claims, name: 'nbf' | 'iat', nowMs: number): Refusal | null {
  if (claims[name] === undefined || secondsOf(claims, name) * 1000 <= nowMs + toleranceMs) return null
  return refuse(
    'claim-invalid',
    `the claim "${name}" lies in the future; ${numericDate} that has been reached`,
  )
}

function checkLifetime(claims: Claims, maxLifetimeSeconds: number | null): Refusal | null {
  if (maxLifetimeSeconds === null) return null
  if (claims['iat'] === undefined)
    return refuse(
      'claim-invalid',
      `the claim "iat" is missing, which this issuer's tokens need; ${numericDate}`,
    )
  if (secondsOf(claims, 'exp') - secondsOf(claims, 'iat') <= maxLifetimeSeconds) return null
  return refuse('claim-invalid', `the claim "exp" must lie at most ${maxLifetimeSeconds} seconds after "iat"`)
}

/** Of a claim that `checkDates` has let through. */
function secondsOf(claims: Claims, name: 'exp' | 'nbf' | 'iat'): number {
  return claims[name] as number
}
