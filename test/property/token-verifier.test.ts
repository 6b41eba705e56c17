import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { isRefusal } from '../../src/domain/errors.ts'
import type { Snapshot } from '../../src/domain/snapshot.ts'
import { createIssuers } from '../../src/jwt/issuer-keys.ts'
import { createTokenVerifier } from '../../src/jwt/token-verifier.ts'
import type { TokenVerifier } from '../../src/serving/ports.ts'
import {
  base64url,
  goodClaims,
  makeKey,
  makeSecret,
  signText,
  signToken,
  snapshotWith,
} from '../support/tokens.ts'

const [publicIss, sharedIss] = ['https://public.example', 'https://shared.example']

let catalog: Snapshot
let verifier: TokenVerifier
let validTokens: readonly string[]

beforeAll(async () => {
  const secret = makeSecret('s')
  const keys = await Promise.all(
    (['ES256', 'RS256', 'PS256', 'EdDSA'] as const).map((alg) => makeKey(alg, alg)),
  )
  const { issuerFor } = createIssuers({ resolveSecret: () => secret.secret })
  const jwks = { keys: keys.map((key) => key.publicJwk) }
  catalog = snapshotWith(
    await issuerFor('one', { issuer: publicIss, audience: 'recgate', jwks }),
    await issuerFor('two', { issuer: sharedIss, audience: 'recgate', hs256: { secretRef: 's', kid: 's' } }),
  )
  validTokens = await Promise.all([
    ...keys.map((key) => signToken(key, goodClaims(publicIss))),
    ...keys.map((key) => signToken(key, goodClaims(publicIss), { kid: undefined })),
    signToken(secret, goodClaims(sharedIss)),
  ])
  // With the valid ones in its cache, a mutant that is taken for one of them would show.
  verifier = createTokenVerifier()
  for (const token of validTokens)
    expect(await verifier.verify(`Bearer ${token}`, catalog)).toHaveProperty('claims')
})

async function expectRefused(authorization: string): Promise<void> {
  const result = await verifier.verify(authorization, catalog)
  expect(isRefusal(result)).toBe(true)
  expect(result).toHaveProperty('refused', 'token-invalid')
}

describe('tokens from outside', () => {
  test('arbitrary text never verifies and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
        await expectRefused(text)
        await expectRefused(`Bearer ${text}`)
      }),
      { numRuns: 2_000 },
    )
  })

  test('three parts of arbitrary JSON never verify and never throw', async () => {
    const header = fc.oneof(
      fc.json(),
      fc
        .record(
          {
            alg: fc.constantFrom<unknown>('ES256', 'RS256', 'PS256', 'EdDSA', 'HS256', 'none', 1),
            kid: fc.constantFrom<unknown>('ES256', 'RS256', 's', 'x', 1, null),
            typ: fc.constantFrom<unknown>('JWT', 'at+jwt', 'x', 1),
            crit: fc.constantFrom<unknown>(['b64'], [], 1),
            b64: fc.boolean(),
          },
          { requiredKeys: ['alg'] },
        )
        .map((value) => JSON.stringify(value)),
    )
    const payload = fc.oneof(
      fc.json(),
      fc.constantFrom(publicIss, sharedIss, 'x').map((iss) => JSON.stringify(goodClaims(iss))),
      fc.string(),
    )
    const stranger = await makeKey('ES256')
    await fc.assert(
      fc.asyncProperty(header, payload, fc.uint8Array({ maxLength: 300 }), async (head, body, signature) => {
        await expectRefused(`Bearer ${base64url(head)}.${base64url(body)}.${base64url(signature)}`)
        await expectRefused(`Bearer ${await signText(stranger, head, body)}`)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a valid token with any change to its text never verifies and never throws', async () => {
    const character = fc.oneof(
      fc.constantFrom(...'ABCDwxyz0189-_.=+/ ~,"'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    )
    const change = fc.record({
      token: fc.nat({ max: 8 }),
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      removed: fc.nat({ max: 3 }),
      inserted: fc.array(character, { maxLength: 3 }).map((characters) => characters.join('')),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ token: index, at, removed, inserted }) => {
        const token = validTokens[index]!
        const position = Math.floor(at * (token.length + 1))
        const mutant = token.slice(0, position) + inserted + token.slice(position + removed)
        // Spaces between the scheme and the token are allowed (RFC 9110 section 11.4).
        fc.pre(mutant.replace(/^ +/, '') !== token)
        await expectRefused(`Bearer ${mutant}`)
      }),
      { numRuns: 5_000 },
    )
  })

  test('parts of different valid tokens never make another', async () => {
    const index = fc.nat({ max: 8 })
    await fc.assert(
      fc.asyncProperty(index, index, index, async (a, b, c) => {
        const parts = [a, b, c].map((token, part) => validTokens[token]!.split('.')[part])
        fc.pre(!validTokens.includes(parts.join('.')))
        await expectRefused(`Bearer ${parts.join('.')}`)
      }),
      { numRuns: 1_000 },
    )
  })
})
