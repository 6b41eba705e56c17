import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { TrustedIssuer } from '../../../src/domain/snapshot.ts'
import { documentKeySet } from '../../../src/jwt/document-key-set.ts'
import { checkClaims, expiresAtMs } from '../../../src/jwt/token-claims.ts'

const nowSeconds = 1_800_000_000
const issuer: TrustedIssuer = {
  issuer: 'https://auth.one.example',
  tenantId: 'one',
  audience: 'recgate',
  models: null,
  maxLifetimeSeconds: null,
  revokedKids: new Set(),
  keySet: documentKeySet([]),
}

/** The claims' JSON is parsed, as a token's is. */
function check(json: string, nowMs = nowSeconds * 1000, more: Partial<TrustedIssuer> = {}) {
  const claims = { aud: 'recgate', exp: nowSeconds + 60, ...(JSON.parse(json) as object) }
  return checkClaims(claims, { ...issuer, ...more }, nowMs)
}

describe.each(['exp', 'nbf', 'iat'])('%s', (name) => {
  test.each([
    `"${nowSeconds}"`,
    '"2030-01-01T00:00:00Z"',
    '""',
    'null',
    'true',
    '[]',
    `[${nowSeconds}]`,
    '{}',
    '-1',
    '-0.001',
    '-1e999',
  ])('%s is no time', (value) => {
    expect(check(`{"${name}":${value}}`)).toMatchObject({
      refused: 'claim-invalid',
      detail: `the claim "${name}" is no time; it must be a number of seconds since 1970-01-01T00:00:00Z`,
    })
  })

  test.each(['253402300800', '253402300799.999999', '1e12', `${nowSeconds + 60}000`, '1e300', '1e999'])(
    '%s lies beyond the year 9999',
    (value) => {
      expect(check(`{"${name}":${value}}`)).toMatchObject({
        refused: 'claim-invalid',
        detail: expect.stringMatching(
          new RegExp(`^the claim "${name}" lies beyond the year 9999; .* not of milliseconds$`),
        ),
      })
    },
  )
})

test('the year 9999 is the last one', () => {
  expect(new Date(limits.numericDateBelow * 1000).toISOString()).toBe('+010000-01-01T00:00:00.000Z')
  expect(check(`{"exp":${limits.numericDateBelow - 1}}`)).toBeNull()
})

describe('fractions of seconds', () => {
  /** Seconds with three decimals, as an issuer writes them. */
  const decimal = (ms: number) => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`
  const instant = fc.integer({ min: 1_700_000_000_000, max: 2_100_000_000_000 })

  test('exp: the token has expired at its millisecond, tolerance added, and not one earlier', () => {
    fc.assert(
      fc.property(instant, (ms) => {
        const claims = `{"exp":${decimal(ms)}}`
        const end = ms + limits.clockToleranceSeconds * 1000
        expect(check(claims, end - 1)).toBeNull()
        expect(check(claims, end)).toMatchObject({ refused: 'token-expired' })
        expect(expiresAtMs(JSON.parse(claims))).toBe(end)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each(['nbf', 'iat'])(
    '%s: reached at its millisecond, tolerance added, and not one earlier',
    (name) => {
      fc.assert(
        fc.property(instant, (ms) => {
          const claims = `{"exp":${decimal(ms + 60_000)},"${name}":${decimal(ms)}}`
          const begin = ms - limits.clockToleranceSeconds * 1000
          expect(check(claims, begin)).toBeNull()
          expect(check(claims, begin - 1)).toMatchObject({ refused: 'claim-invalid' })
        }),
        { numRuns: 2_000 },
      )
    },
  )

  test('maxLifetimeSeconds: a whole lifetime from any millisecond, and not one more', () => {
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: 86_400 }), (ms, lifetime) => {
        const claims = (exp: number) => `{"iat":${decimal(ms)},"exp":${decimal(exp)}}`
        const more = { maxLifetimeSeconds: lifetime }
        expect(check(claims(ms + lifetime * 1000), ms, more)).toBeNull()
        expect(check(claims(ms + lifetime * 1000 + 1), ms, more)).toMatchObject({ refused: 'claim-invalid' })
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('aud', () => {
  test.each([
    'null',
    'true',
    '5',
    '{}',
    '{"recgate":true}',
    '{"0":"recgate"}',
    '[]',
    '[[]]',
    '[["recgate"]]',
    '["recgate",null]',
    '["recgate",5]',
    '["recgate",{}]',
    '[null]',
    '""',
    '[""]',
    '" recgate"',
    '"recgate,other"',
    '"recgat\\u0435"',
    '"\\ud800"',
    '["recgat","e"]',
  ])('%s does not name the audience', (aud) => {
    expect(check(`{"aud":${aud}}`)).toMatchObject({ refused: 'audience-mismatch' })
  })

  test.each(['"recgate"', '"\\u0072ecgate"', '["recgate"]', '["","\\ud800","recgate","recgate"]'])(
    '%s names it',
    (aud) => {
      expect(check(`{"aud":${aud}}`)).toBeNull()
    },
  )
})
