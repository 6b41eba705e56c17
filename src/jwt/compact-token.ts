import { limits } from '../domain/limits.ts'
import { readJsonObject } from './json-object.ts'

/**
 * Reading a token without believing it: `Authorization: Bearer HEADER.PAYLOAD.SIGNATURE` (RFC 6750 section 2.1,
 * RFC 7515 section 7.1). What comes out here only chooses the key that may prove it.
 */

export interface UnverifiedToken {
  readonly issuer: string
  /** As the header says it: any text; a key has to agree. */
  readonly algorithm: string
  readonly kid: string | null
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Header parameters that let the sender choose how, or with which key, the token is checked. Thumbprints (`x5t`) name
 * a key and don't carry one; some issuers set them beside `kid`, and they are passed over.
 */
const refusedParameters = ['crit', 'b64', 'zip', 'jwk', 'jku', 'x5u', 'x5c']

/**
 * One part in base64url, not empty, with zero bits to its end. Lenient decoders, jose's among them, ignore the last
 * character's spare bits (RFC 4648 section 3.5), so that one signature had several spellings.
 */
const part = '(?:[\\w-]{4})*(?:[\\w-]{4}|[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])'
const tokenPattern = new RegExp(`^${part}\\.${part}\\.${part}$`)

/**
 * The text behind the scheme `Bearer`, in whatever case (RFC 9110 section 11.1), or null. Every request comes
 * through here: the token's own form is checked only where it isn't known yet.
 */
export function bearerToken(authorization: string | undefined): string | null {
  if (authorization === undefined) return null
  if (!authorization.startsWith('Bearer ') && authorization.slice(0, 7).toLowerCase() !== 'bearer ')
    return null
  let start = 7
  while (authorization.charCodeAt(start) === 0x20) start++
  const token = authorization.slice(start)
  return token.length > limits.tokenBytesMax ? null : token
}

/** Null where a token isn't one, or asks for something that no token may ask for. */
export function readToken(token: string): UnverifiedToken | null {
  if (!tokenPattern.test(token)) return null
  const [headerPart = '', payloadPart = ''] = token.split('.', 2)
  const header = readJsonObject(Buffer.from(headerPart, 'base64url'))
  const claims = readJsonObject(Buffer.from(payloadPart, 'base64url'))
  if (header === null || claims === null) return null
  const { alg, typ, kid } = header
  if (refusedParameters.some((name) => Object.hasOwn(header, name))) return null
  if (typeof alg !== 'string' || !isTokenType(typ)) return null
  if (kid !== undefined && typeof kid !== 'string') return null
  const issuer = claims['iss']
  if (typeof issuer !== 'string') return null
  return { issuer, algorithm: alg, kid: kid ?? null, claims }
}

/** A media type may leave out `application/` (RFC 7515 section 4.1.9); `at+jwt` is RFC 9068's access token. */
function isTokenType(typ: unknown): boolean {
  if (typ === undefined) return true
  if (typeof typ !== 'string') return false
  const type = typ.toLowerCase().replace(/^application\//, '')
  return type === 'jwt' || type === 'at+jwt'
}
