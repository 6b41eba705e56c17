import { exportSPKI, importJWK } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Refusal } from '../../../src/domain/errors.ts'
import { limits } from '../../../src/domain/limits.ts'
import type { Snapshot, TrustedIssuer } from '../../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import { createIssuers } from '../../../src/jwt/issuer-keys.ts'
import { createTokenVerifier } from '../../../src/jwt/token-verifier.ts'
import type { VerifiedToken } from '../../../src/serving/ports.ts'
import {
  base64url,
  goodClaims,
  makeKey,
  makeSecret,
  rsaKeyAs,
  signText,
  signToken,
  snapshotWith,
  type TestKey,
  type TestSecret,
} from '../../support/tokens.ts'

const iss = 'https://auth.one.example'
const otherIss = 'https://auth.two.example'

let es256: TestKey
let rs256: TestKey
let otherKey: TestKey
let secret: TestSecret
let issuer: TrustedIssuer
let otherIssuer: TrustedIssuer
let catalog: Snapshot

function trust(document: Partial<IssuerDocument>, secretBytes: Uint8Array | null = null, tenant = 'one') {
  const issuers = createIssuers({ resolveSecret: () => secretBytes })
  return issuers.issuerFor(tenant, { issuer: iss, audience: 'recgate', ...document })
}

beforeAll(async () => {
  es256 = await makeKey('ES256', 'k1')
  rs256 = await makeKey('RS256', 'k2')
  otherKey = await makeKey('ES256', 'k1')
  secret = makeSecret()
  issuer = await trust({ jwks: { keys: [es256.publicJwk, rs256.publicJwk] } })
  otherIssuer = await trust({ issuer: otherIss, jwks: { keys: [otherKey.publicJwk] } }, null, 'two')
  catalog = snapshotWith(issuer, otherIssuer)
})

async function verify(token: string, snapshot = catalog): Promise<VerifiedToken | Refusal> {
  return createTokenVerifier().verify(`Bearer ${token}`, snapshot)
}

const invalid = { refused: 'token-invalid', detail: 'a valid bearer token is needed', tenantId: null }

async function expectInvalid(token: string, snapshot = catalog): Promise<void> {
  expect(await verify(token, snapshot)).toStrictEqual(invalid)
}

/** Proves that the token is refused for its header alone. */
async function expectHeaderInvalid(header: Record<string, unknown>): Promise<void> {
  expect(await verify(await signToken(es256, goodClaims(iss)))).toHaveProperty('claims')
  await expectInvalid(await signToken(es256, goodClaims(iss), header))
}

describe('accepted', () => {
  test.each(['ES256', 'RS256', 'PS256', 'EdDSA'] as const)('%s', async (algorithm) => {
    const key = await makeKey(algorithm, 'k')
    const trusted = await trust({ jwks: { keys: [key.publicJwk] } })
    const claims = goodClaims(iss, { model: ['games'] })
    expect(await verify(await signToken(key, claims), snapshotWith(trusted))).toStrictEqual({
      issuer: trusted,
      claims,
    })
  })

  test('HS256', async () => {
    const trusted = await trust({ hs256: { secretRef: 'one' } }, secret.secret)
    const claims = goodClaims(iss)
    expect(await verify(await signToken(secret, claims), snapshotWith(trusted))).toStrictEqual({
      issuer: trusted,
      claims,
    })
  })

  test.each([undefined, 'JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/jwt', 'Application/at+JWT'])(
    'typ %s',
    async (typ) => {
      expect(await verify(await signToken(es256, goodClaims(iss), { typ }))).toHaveProperty('claims')
    },
  )

  test.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('scheme %s', async (scheme) => {
    const token = await signToken(es256, goodClaims(iss))
    expect(await createTokenVerifier().verify(`${scheme} ${token}`, catalog)).toHaveProperty('claims')
  })

  test('header parameters that mean nothing here', async () => {
    expect(
      await verify(await signToken(es256, goodClaims(iss), { cty: 'x', tenant: 'y', x5t: 'a' })),
    ).toHaveProperty('claims')
  })
})

describe('the header Authorization', () => {
  test.each([
    ['absent', () => undefined],
    ['empty', () => ''],
    ['the scheme alone', () => 'Bearer'],
    ['no token', () => 'Bearer '],
    ['no scheme', (token: string) => token],
    ['another scheme', (token: string) => `Basic ${token}`],
    ['a longer scheme', (token: string) => `Bearers ${token}`],
    ['two tokens', (token: string) => `Bearer ${token} ${token}`],
    ['a list', (token: string) => `Bearer ${token}, Bearer ${token}`],
    ['a trailing space', (token: string) => `Bearer ${token} `],
    ['quotes', (token: string) => `Bearer "${token}"`],
  ])('%s is refused', async (_what, header) => {
    const token = await signToken(es256, goodClaims(iss))
    expect(await createTokenVerifier().verify(header(token), catalog)).toStrictEqual(invalid)
  })
})

describe('the form of the token', () => {
  let good: string[]
  beforeAll(async () => {
    good = (await signToken(es256, goodClaims(iss))).split('.')
  })

  test('two, four or five parts', async () => {
    await expectInvalid(good.slice(0, 2).join('.'))
    await expectInvalid([...good, good[2]].join('.'))
    await expectInvalid([...good, ''].join('.'))
    await expectInvalid([...good, good[1], good[2]].join('.'))
  })

  test('longer than the limit, though signed', async () => {
    const claims = goodClaims(iss)
    const fits = await signToken(es256, { ...claims, pad: 'x'.repeat(5_500) })
    expect(fits.length).toBeLessThanOrEqual(limits.tokenBytesMax)
    expect(await verify(fits)).toHaveProperty('claims')
    await expectInvalid(await signToken(es256, { ...claims, pad: 'x'.repeat(6_500) }))
    await expectInvalid(await signToken(es256, { ...claims, pad: 'x'.repeat(48_000) }))
  })

  test('an empty header, payload or signature', async () => {
    await expectInvalid(['', good[1], good[2]].join('.'))
    await expectInvalid([good[0], '', good[2]].join('.'))
    await expectInvalid([good[0], good[1], ''].join('.'))
    await expectInvalid(await signText(es256, '{}', JSON.stringify(goodClaims(iss))))
  })

  test('header or payload that is no JSON object', async () => {
    const header = JSON.stringify({ alg: 'ES256', kid: 'k1' })
    for (const payload of ['', 'hello', '[]', JSON.stringify([goodClaims(iss)]), 'null', '"text"', '1', '{'])
      await expectInvalid(await signText(es256, header, payload))
    for (const text of ['hello', `[${header}]`, 'null', '"ES256"'])
      await expectInvalid(await signText(es256, text, JSON.stringify(goodClaims(iss))))
  })

  test('a payload that is not UTF-8', async () => {
    const [header] = good
    const payload = Buffer.concat([Buffer.from('{"iss":"'), Buffer.from([0xff]), Buffer.from('"}')])
    await expectInvalid(`${header}.${base64url(payload)}.${good[2]}`)
  })

  test('another spelling of the same signature', async () => {
    // 64 bytes leave four spare bits in the last of 86 characters.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const signature = good[2]!
    const last = alphabet.indexOf(signature.at(-1)!)
    const respelled = signature.slice(0, -1) + alphabet[last + 1]
    expect(Buffer.from(respelled, 'base64url')).toStrictEqual(Buffer.from(signature, 'base64url'))
    await expectInvalid(`${good[0]}.${good[1]}.${respelled}`)
    await expectInvalid(`${good[0]}.${good[1]}.${signature}==`)
  })

  test('a tampered payload, header or signature', async () => {
    const payload = base64url(JSON.stringify(goodClaims(iss, { sub: 'somebody-else' })))
    await expectInvalid(`${good[0]}.${payload}.${good[2]}`)
    const header = base64url(JSON.stringify({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' }))
    await expectInvalid(`${header}.${good[1]}.${good[2]}`)
    const signature = Buffer.from(good[2]!, 'base64url')
    signature[10]! ^= 1
    await expectInvalid(`${good[0]}.${good[1]}.${base64url(signature)}`)
    await expectInvalid(`${good[0]}.${good[1]}.${base64url(Buffer.alloc(64))}`)
  })
})

describe('the header of the token', () => {
  test('alg none, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      await expectHeaderInvalid({ alg })
      const header = base64url(JSON.stringify({ alg, kid: 'k1' }))
      await expectInvalid(`${header}.${base64url(JSON.stringify(goodClaims(iss)))}.`)
    }
  })

  test('an alg that is absent or no text', async () => {
    for (const alg of [undefined, null, 256, ['ES256'], { alg: 'ES256' }]) await expectHeaderInvalid({ alg })
  })

  test('an alg that is not the one of the key', async () => {
    for (const alg of ['RS256', 'PS256', 'ES384', 'es256', 'EdDSA', 'HS256'])
      await expectHeaderInvalid({ alg })
    const ps256 = await rsaKeyAs(rs256, 'PS256')
    expect(await verify(await signToken(rs256, goodClaims(iss)))).toHaveProperty('claims')
    await expectInvalid(await signToken(ps256, goodClaims(iss)))
    await expectInvalid(await signToken(ps256, goodClaims(iss), { kid: undefined }))
  })

  test('a public RSA key used as an HMAC secret', async () => {
    const publicKey = (await importJWK(rs256.publicJwk, 'RS256', { extractable: true })) as InstanceType<
      typeof CryptoKey
    >
    const pem = await exportSPKI(publicKey)
    for (const text of [pem, pem.trimEnd(), JSON.stringify(rs256.publicJwk)]) {
      const forger: TestSecret = { algorithm: 'HS256', kid: 'k2', secret: new TextEncoder().encode(text) }
      await expectInvalid(await signToken(forger, goodClaims(iss)))
      await expectInvalid(await signToken(forger, goodClaims(iss), { kid: undefined }))
      await expectInvalid(await signToken(forger, goodClaims(iss), { alg: 'RS256' }))
    }
  })

  test('HS256 at an issuer with public keys, and the reverse', async () => {
    await expectInvalid(await signToken(secret, goodClaims(iss)))
    const shared = snapshotWith(await trust({ hs256: { secretRef: 'one' } }, secret.secret))
    await expectInvalid(await signToken(es256, goodClaims(iss)), shared)
    await expectInvalid(await signToken(makeSecret(), goodClaims(iss)), shared)
  })

  test.each([
    ['crit', ['exp']],
    ['crit', []],
    ['crit', ['b64']],
    ['b64', true],
    ['b64', false],
    ['zip', 'DEF'],
    ['jku', 'https://evil.example/keys'],
    ['x5u', 'https://evil.example/cert'],
    ['x5c', ['MIIB']],
    ['jwk', null],
  ])('%s: %j', async (name, value) => {
    await expectHeaderInvalid({ [name]: value })
  })

  test('b64: false with crit, as RFC 7797 has it', async () => {
    await expectHeaderInvalid({ b64: false, crit: ['b64'] })
  })

  test("a key of the sender's own in jwk", async () => {
    const mine = await makeKey('ES256', 'k1')
    await expectInvalid(await signToken(mine, goodClaims(iss), { jwk: mine.publicJwk }))
    await expectHeaderInvalid({ jwk: es256.publicJwk })
  })

  test.each([
    'JWS',
    'dpop+jwt',
    'id_token',
    'application/json',
    'text/jwt',
    'application/application/jwt',
    '',
    5,
    null,
  ])('typ %j', async (typ) => {
    await expectHeaderInvalid({ typ })
  })

  test.each(['', 'k2', 'k3', 'K1', 1, null, ['k1']])('kid %j, which is none of this key', async (kid) => {
    await expectHeaderInvalid({ kid })
  })

  test('a kid where the key has none', async () => {
    const key = await makeKey('ES256')
    const shared = snapshotWith(await trust({ jwks: { keys: [key.publicJwk] } }))
    expect(await verify(await signToken(key, goodClaims(iss)), shared)).toHaveProperty('claims')
    await expectInvalid(await signToken(key, goodClaims(iss), { kid: 'k' }), shared)
  })

  test('no kid: the fourth fitting key is tried, the fifth is not, and keys of other algorithms do not count', async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, (_, index) => makeKey('ES256', `e${index}`)))
    const document = [rs256.publicJwk, ...keys.map((key) => key.publicJwk)]
    const shared = snapshotWith(await trust({ jwks: { keys: document } }))
    const [fourth, fifth] = [keys[3]!, keys[4]!]
    expect(await verify(await signToken(fourth, goodClaims(iss), { kid: undefined }), shared)).toHaveProperty(
      'claims',
    )
    expect(await verify(await signToken(fifth, goodClaims(iss)), shared)).toHaveProperty('claims')
    await expectInvalid(await signToken(fifth, goodClaims(iss), { kid: undefined }), shared)
  })
})

describe('the issuer', () => {
  test('iss that is unknown, absent, no text, or differs in a byte', async () => {
    const wrong = [
      undefined,
      null,
      1,
      [iss],
      '',
      'https://unknown.example',
      `${iss}/`,
      iss.toUpperCase(),
      ` ${iss}`,
    ]
    for (const value of wrong) await expectInvalid(await signToken(es256, { ...goodClaims(iss), iss: value }))
  })

  test("another tenant's key under the same kid", async () => {
    await expectInvalid(await signToken(otherKey, goodClaims(iss)))
    await expectInvalid(await signToken(es256, goodClaims(otherIss)))
    await expectInvalid(await signToken(otherKey, goodClaims(iss), { kid: undefined }))
  })

  test("another issuer's key of the same tenant", async () => {
    const sibling = await trust({ issuer: otherIss, jwks: { keys: [otherKey.publicJwk] } })
    await expectInvalid(await signToken(otherKey, goodClaims(iss)), snapshotWith(issuer, sibling))
  })

  test('two iss in one payload', async () => {
    const claims = JSON.stringify(goodClaims(iss))
    const doubled = claims.replace('{', `{"iss":${JSON.stringify(otherIss)},`)
    await expectInvalid(await signText(es256, '{"alg":"ES256","kid":"k1"}', doubled))
  })
})

describe('claims, once the signature has verified', () => {
  const now = 1_800_000_000
  const tolerance = limits.clockToleranceSeconds

  async function verifyClaims(claims: Record<string, unknown>, trusted = issuer) {
    const verifier = createTokenVerifier({ clock: () => now * 1000 })
    const token = await signToken(es256, { iss, aud: 'recgate', exp: now + 60, ...claims })
    return verifier.verify(`Bearer ${token}`, snapshotWith(trusted))
  }

  test.each(['exp', 'nbf', 'iat'])('%s that is no time', async (name) => {
    for (const value of [`${now + 60}`, '', null, true, [now], {}, -1, -0.5])
      expect(await verifyClaims({ [name]: value })).toMatchObject({
        refused: 'claim-invalid',
        detail: expect.stringContaining(`"${name}"`),
      })
  })

  test.each(['exp', 'nbf', 'iat'])('%s beyond what a number holds', async (name) => {
    const verifier = createTokenVerifier({ clock: () => now * 1000 })
    const payload = JSON.stringify({ iss, aud: 'recgate', exp: now + 60, [name]: 0 }).replace(
      new RegExp(`"${name}":0`),
      `"${name}":1e999`,
    )
    const token = await signText(es256, '{"alg":"ES256","kid":"k1"}', payload)
    expect(await verifier.verify(`Bearer ${token}`, catalog)).toMatchObject({
      refused: 'claim-invalid',
      detail: expect.stringContaining(`"${name}"`),
    })
  })

  test('exp: missing, expired, and the last moment of tolerance', async () => {
    expect(await verifyClaims({ exp: undefined })).toStrictEqual({
      refused: 'claim-invalid',
      detail: 'the claim "exp" is missing; it must be a number of seconds since 1970-01-01T00:00:00Z',
      tenantId: expect.any(String),
    })
    expect(await verifyClaims({ exp: now - tolerance + 0.5 })).toHaveProperty('claims')
    expect(await verifyClaims({ exp: now - tolerance })).toMatchObject({ refused: 'token-expired' })
    expect(await verifyClaims({ exp: 0 })).toMatchObject({ refused: 'token-expired' })
    expect(await verifyClaims({ exp: 1e300 })).toMatchObject({ refused: 'claim-invalid' })
    expect(await verifyClaims({ exp: now + 0.25 })).toHaveProperty('claims')
  })

  test.each(['nbf', 'iat'])('%s in the future', async (name) => {
    expect(await verifyClaims({ [name]: now + tolerance })).toHaveProperty('claims')
    expect(await verifyClaims({ [name]: 0 })).toHaveProperty('claims')
    for (const value of [now + tolerance + 0.5, now + 3600, now * 1000, 1e300])
      expect(await verifyClaims({ [name]: value })).toMatchObject({
        refused: 'claim-invalid',
        detail: expect.stringContaining(`"${name}"`),
      })
  })

  test('aud: text or a list of texts that holds the audience', async () => {
    expect(await verifyClaims({ aud: ['x', 'recgate'] })).toHaveProperty('claims')
    const wrong = [
      undefined,
      'other',
      'Recgate',
      'recgate ',
      '',
      [],
      ['other'],
      null,
      1,
      true,
      { recgate: 1 },
    ]
    for (const aud of [...wrong, ['recgate', 1], [['recgate']], [null]])
      expect(await verifyClaims({ aud })).toMatchObject({ refused: 'audience-mismatch' })
  })

  test('maxLifetimeSeconds needs iat and bounds exp - iat', async () => {
    const strict = await trust({ jwks: { keys: [es256.publicJwk] }, maxLifetimeSeconds: 300 })
    expect(await verifyClaims({ iat: now, exp: now + 300 }, strict)).toHaveProperty('claims')
    expect(await verifyClaims({ iat: now, exp: now + 300.5 }, strict)).toMatchObject({
      refused: 'claim-invalid',
      detail: expect.stringContaining('"exp"'),
    })
    expect(await verifyClaims({ exp: now + 60 }, strict)).toMatchObject({
      refused: 'claim-invalid',
      detail: expect.stringContaining('"iat" is missing'),
    })
    expect(await verifyClaims({ iat: now, exp: now + 301 })).toHaveProperty('claims')
  })

  test('nobody without a genuine token learns about its claims', async () => {
    for (const claims of [
      goodClaims(iss, { exp: 0 }),
      goodClaims(iss, { aud: 'x' }),
      goodClaims(iss, { nbf: 'x' }),
    ])
      await expectInvalid(await signToken(otherKey, claims))
  })

  test('claims are shared between requests, so nobody can change them', async () => {
    const result = (await verifyClaims({})) as { claims: Record<string, unknown> }
    expect(() => {
      result.claims['sub'] = 'somebody-else'
    }).toThrow(TypeError)
  })
})
