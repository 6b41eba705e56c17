import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { bearerToken, readToken } from '../../src/jwt/compact-token.ts'
import { base64url } from '../support/tokens.ts'

/** The token parser alone: whatever comes, it answers null or what the text really says. */

const text = fc.string({ unit: 'binary', maxLength: 40 })

/** A header's member that is as it should be more often than not. */
const members = {
  alg: fc.oneof({ weight: 4, arbitrary: fc.constant('ES256') }, text, fc.constantFrom<unknown>(null, 1, {})),
  kid: fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    text,
    fc.constantFrom<unknown>(null, 1, []),
  ),
  typ: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(undefined, 'JWT', 'at+JWT', 'application/jwt') },
    fc.constantFrom<unknown>('JOSE', '', null, 1),
  ),
  more: fc.dictionary(
    fc.oneof(text, fc.constantFrom('crit', 'jku', 'x5t', '__proto__', 'b64')),
    fc.jsonValue(),
    {
      maxKeys: 2,
    },
  ),
}
const refused = ['crit', 'b64', 'zip', 'jwk', 'jku', 'x5u', 'x5c']
const types = [undefined, 'JWT', 'at+JWT', 'application/jwt']

describe('readToken', () => {
  test('any text is null or a token, and never throws', () => {
    const part = fc.oneof(
      text,
      fc.base64String({ maxLength: 60 }),
      fc.json().map((json) => base64url(json)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => base64url(bytes)),
    )
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 6 }),
        fc.constantFrom('.', '..', ' ', ''),
        (parts, separator) => {
          const token = readToken(parts.join(separator))
          if (token === null) return
          expect(parts).toHaveLength(3)
          expect(token.claims['iss']).toBe(token.issuer)
        },
      ),
      { numRuns: 5_000 },
    )
  })

  test('headers and payloads of any kind are taken exactly where they are in order', () => {
    const header = fc.record(members)
    const payload = fc.record({
      iss: fc.oneof({ weight: 4, arbitrary: text }, fc.constantFrom<unknown>(undefined, null, 5, ['x'])),
      more: fc.dictionary(text, fc.jsonValue(), { maxKeys: 3 }),
    })
    fc.assert(
      fc.property(header, payload, ({ alg, kid, typ, more }, { iss, more: claims }) => {
        // JSON.stringify leaves out what is undefined; what stands last wins over `more`.
        const head = { ...more, alg, kid, typ }
        const body = { ...claims, iss }
        const encode = (value: object) => base64url(JSON.stringify(value))
        const token = readToken(`${encode(head)}.${encode(body)}.AAAA`)
        const isFit =
          typeof alg === 'string' &&
          (kid === undefined || typeof kid === 'string') &&
          types.includes(typ as string) &&
          !refused.some((name) => Object.hasOwn(head, name)) &&
          typeof iss === 'string'
        if (!isFit) expect(token).toBeNull()
        else
          expect(token).toStrictEqual({
            issuer: iss,
            algorithm: alg,
            kid: kid ?? null,
            claims: JSON.parse(JSON.stringify(body)),
          })
      }),
      { numRuns: 3_000 },
    )
  })

  test('no part has two spellings', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const padding = fc.string({ unit: fc.constantFrom(...'abcdef'), maxLength: 12 })
    fc.assert(
      fc.property(padding, padding, fc.uint8Array({ minLength: 1, maxLength: 70 }), (a, b, signature) => {
        const parts = [
          base64url(JSON.stringify({ alg: 'ES256', a })),
          base64url(JSON.stringify({ iss: 'x', b })),
          base64url(signature),
        ]
        expect(readToken(parts.join('.'))).not.toBeNull()
        for (const [index, part] of parts.entries())
          for (const last of alphabet) {
            const respelled = part.slice(0, -1) + last
            if (respelled === part) continue
            // Where a lenient decoder reads the same bytes, this one must read none.
            if (Buffer.from(respelled, 'base64url').equals(Buffer.from(part, 'base64url')))
              expect(readToken(parts.with(index, respelled).join('.'))).toBeNull()
          }
      }),
      { numRuns: 300 },
    )
  })
})

describe('bearerToken', () => {
  test('gives what stands behind the scheme, or null', () => {
    const scheme = fc.oneof(
      fc.constantFrom('Bearer', 'bearer', 'BEARER', 'bEaReR', 'Basic', 'Bearer:', '', 'Bearerx'),
      text,
    )
    fc.assert(
      fc.property(scheme, fc.nat({ max: 3 }), text, (name, spaces, token) => {
        const found = bearerToken(`${name}${' '.repeat(spaces)}${token}`)
        if (name.toLowerCase() === 'bearer' && spaces > 0) expect(found).toBe(token.replace(/^ +/, ''))
        else if (found !== null)
          // The text itself began with a space, or held the scheme.
          expect(`${name}${' '.repeat(spaces)}${token}`.slice(0, 7).toLowerCase()).toBe('bearer ')
      }),
      { numRuns: 3_000 },
    )
    expect(bearerToken(undefined)).toBeNull()
    expect(bearerToken(`Bearer ${'x'.repeat(limits.tokenBytesMax)}`)).toHaveLength(limits.tokenBytesMax)
    expect(bearerToken(`Bearer ${'x'.repeat(limits.tokenBytesMax + 1)}`)).toBeNull()
  })
})
