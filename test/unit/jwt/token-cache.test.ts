import { beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { TrustedIssuer } from '../../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import { createIssuers } from '../../../src/jwt/issuer-keys.ts'
import { createTokenVerifier } from '../../../src/jwt/token-verifier.ts'
import { base64url, makeKey, signToken, snapshotWith, type TestKey } from '../../support/tokens.ts'

const iss = 'https://auth.one.example'
const startSeconds = 1_800_000_000

let key: TestKey
let document: IssuerDocument
let issuer: TrustedIssuer

beforeAll(async () => {
  key = await makeKey('ES256', 'k1')
  document = { issuer: iss, audience: 'recgate', jwks: { keys: [key.publicJwk] } }
  issuer = await createIssuers({ resolveSecret: () => null }).issuerFor('one', document)
})

/** A verifier whose clock stands until it is moved. */
function verifierAt(options: { entriesMax?: number } = {}) {
  const time = { seconds: startSeconds }
  return { time, verifier: createTokenVerifier({ ...options, clock: () => time.seconds * 1000 }) }
}

async function bearer(claims: Record<string, unknown> = {}): Promise<string> {
  return `Bearer ${await signToken(key, { iss, aud: 'recgate', sub: 'p', exp: startSeconds + 600, ...claims })}`
}

describe('kept tokens', () => {
  test('the first sight is a promise, the second the same value at once', async () => {
    const { verifier } = verifierAt()
    const catalog = snapshotWith(issuer)
    const header = await bearer()
    const first = verifier.verify(header, catalog)
    expect(first).toBeInstanceOf(Promise)
    const verified = await first
    expect(verified).toHaveProperty('claims')
    expect(verifier.verify(header, catalog)).toBe(verified)
    expect(verifier.verify(header.replace('Bearer', 'bearer'), catalog)).toBe(verified)
    expect(verifier.verify(header, snapshotWith(issuer))).toBe(verified)
  })

  test('a kept signature does not vouch for another header or payload', async () => {
    const { verifier } = verifierAt()
    const catalog = snapshotWith(issuer)
    const header = await bearer()
    const verified = await verifier.verify(header, catalog)
    const [head, , signature] = header.split('.')
    const payload = base64url(JSON.stringify({ iss, aud: 'recgate', sub: 'q', exp: startSeconds + 600 }))
    expect(await verifier.verify(`${head}.${payload}.${signature}`, catalog)).toMatchObject({
      refused: 'token-invalid',
    })
    expect(await verifier.verify(`Bearer ${signature}`, catalog)).toMatchObject({ refused: 'token-invalid' })
    expect(verifier.verify(header, catalog)).toBe(verified)
  })

  test.each([
    ['of others', 'audience-mismatch', { aud: 'other' }],
    ['that have expired', 'token-expired', { exp: startSeconds - 600 }],
  ])('tokens %s are refused again without a check, until the issuer changes', async (_, code, claims) => {
    const { verifier } = verifierAt()
    const header = await bearer(claims)
    const first = await verifier.verify(header, snapshotWith(issuer))
    expect(first).toMatchObject({ refused: code, tenantId: issuer.tenantId })
    expect(verifier.verify(header, snapshotWith(issuer))).toStrictEqual(first)
    expect(verifier.verify(header, snapshotWith({ ...issuer }))).toBeInstanceOf(Promise)
  })

  test('a token whose time is still to come is checked again', async () => {
    const { verifier, time } = verifierAt()
    const header = await bearer({ nbf: startSeconds + 120 })
    expect(await verifier.verify(header, snapshotWith(issuer))).toMatchObject({ refused: 'claim-invalid' })
    time.seconds += 120
    expect(await verifier.verify(header, snapshotWith(issuer))).toHaveProperty('claims')
  })

  test('an issuer with other keys, other settings or none at all voids them at once', async () => {
    const { verifier } = verifierAt()
    const issuers = createIssuers({ resolveSecret: () => null })
    const header = await bearer()
    const warm = async () => {
      await verifier.verify(header, snapshotWith(issuer))
      expect(verifier.verify(header, snapshotWith(issuer))).not.toBeInstanceOf(Promise)
    }

    await warm()
    const rotated = await makeKey('ES256', 'k1')
    const otherKeys = await issuers.issuerFor('one', { ...document, jwks: { keys: [rotated.publicJwk] } })
    expect(await verifier.verify(header, snapshotWith(otherKeys))).toMatchObject({ refused: 'token-invalid' })

    await warm()
    const otherAudience = await issuers.issuerFor('one', { ...document, audience: 'changed' })
    expect(await verifier.verify(header, snapshotWith(otherAudience))).toMatchObject({
      refused: 'audience-mismatch',
    })

    await warm()
    expect(await verifier.verify(header, snapshotWith())).toMatchObject({ refused: 'token-invalid' })

    await warm()
    const otherTenant = await issuers.issuerFor('two', document)
    expect(await verifier.verify(header, snapshotWith(otherTenant))).toMatchObject({
      issuer: { tenantId: 'two' },
    })
  })

  test('an expired token is refused at once, however lately it was verified', async () => {
    const { verifier, time } = verifierAt()
    const catalog = snapshotWith(issuer)
    const header = await bearer({ exp: startSeconds + 5 })
    const verified = await verifier.verify(header, catalog)
    time.seconds = startSeconds + 5 + limits.clockToleranceSeconds - 0.001
    expect(verifier.verify(header, catalog)).toBe(verified)
    time.seconds = startSeconds + 5 + limits.clockToleranceSeconds
    expect(verifier.verify(header, catalog)).toMatchObject({ refused: 'token-expired' })
    time.seconds += 3600
    expect(await verifier.verify(header, catalog)).toMatchObject({ refused: 'token-expired' })
  })

  test('after a minute the signature is verified again', async () => {
    const { verifier, time } = verifierAt()
    const catalog = snapshotWith(issuer)
    const header = await bearer()
    const verified = await verifier.verify(header, catalog)
    time.seconds += limits.tokenCacheMsMax / 1000 - 0.001
    expect(verifier.verify(header, catalog)).toBe(verified)
    time.seconds += 0.001
    const again = verifier.verify(header, catalog)
    expect(again).toBeInstanceOf(Promise)
    expect(await again).toStrictEqual(verified)
    expect(verifier.verify(header, catalog)).toBe(await again)
  })

  test('at most entriesMax are kept, the oldest go first', async () => {
    const { verifier } = verifierAt({ entriesMax: 2 })
    const catalog = snapshotWith(issuer)
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((sub) => bearer({ sub })))
    await verifier.verify(a, catalog)
    await verifier.verify(b, catalog)
    await verifier.verify(c, catalog)
    expect(verifier.verify(b, catalog)).not.toBeInstanceOf(Promise)
    expect(verifier.verify(c, catalog)).not.toBeInstanceOf(Promise)
    expect(verifier.verify(a, catalog)).toBeInstanceOf(Promise)
  })

  test('long tokens leave room for fewer', async () => {
    const { verifier } = verifierAt({ entriesMax: 10 })
    const catalog = snapshotWith(issuer)
    const headers = await Promise.all(['a', 'b', 'c'].map((sub) => bearer({ sub, pad: 'x'.repeat(4_000) })))
    for (const header of headers) await verifier.verify(header, catalog)
    expect(headers.map((header) => verifier.verify(header, catalog) instanceof Promise)).toStrictEqual([
      true,
      true,
      false,
    ])
  })
})

describe('first sights at the same time', () => {
  test('share one verification', async () => {
    const { verifier } = verifierAt()
    const catalog = snapshotWith(issuer)
    const header = await bearer()
    const [first, second] = [verifier.verify(header, catalog), verifier.verify(header, snapshotWith(issuer))]
    expect(first).toBeInstanceOf(Promise)
    expect(second).toBe(first)
    expect(await first).toHaveProperty('claims')
  })

  test('do not share it across a change of the issuer', async () => {
    const { verifier } = verifierAt()
    const issuers = createIssuers({ resolveSecret: () => null })
    const changed = await issuers.issuerFor('one', { ...document, audience: 'changed' })
    const header = await bearer()
    const before = verifier.verify(header, snapshotWith(issuer))
    const after = verifier.verify(header, snapshotWith(changed))
    expect(await before).toHaveProperty('claims')
    expect(await after).toMatchObject({ refused: 'audience-mismatch' })
    expect(await verifier.verify(header, snapshotWith(changed))).toMatchObject({
      refused: 'audience-mismatch',
    })
  })

  test('a refusal is forgotten when it has been given', async () => {
    const { verifier } = verifierAt()
    const forged = `${(await bearer()).slice(0, -4)}AAAA`
    const first = verifier.verify(forged, snapshotWith(issuer))
    expect(await first).toMatchObject({ refused: 'token-invalid' })
    expect(verifier.verify(forged, snapshotWith(issuer))).not.toBe(first)
  })
})

test('every refusal before the signature is one and the same', async () => {
  const { verifier } = verifierAt()
  const stranger = await makeKey('ES256', 'k1')
  const claims = { iss, aud: 'recgate', exp: startSeconds + 600 }
  const headers = [
    undefined,
    'Basic eA==',
    'Bearer x.y.z',
    `Bearer ${await signToken(key, { ...claims, iss: 'https://unknown.example' })}`,
    `Bearer ${await signToken(key, claims, { kid: 'unknown' })}`,
    `Bearer ${await signToken(key, claims, { alg: 'HS256' })}`,
    `Bearer ${await signToken(key, claims, { crit: ['exp'] })}`,
    `Bearer ${await signToken(stranger, claims)}`,
    `Bearer ${await signToken(stranger, { ...claims, exp: 0 })}`,
  ]
  const results = await Promise.all(headers.map((header) => verifier.verify(header, snapshotWith(issuer))))
  for (const result of results) expect(result).toStrictEqual(results[0])
  expect(results[0]).toMatchObject({ refused: 'token-invalid' })
})
