import { exportSPKI, importJWK } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Refusal } from '../../../src/domain/errors.ts'
import { limits } from '../../../src/domain/limits.ts'
import type { Snapshot, TrustedIssuer } from '../../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import { createTokenVerifier } from '../../../src/jwt/token-verifier.ts'
import type { TokenVerifier, VerifiedToken } from '../../../src/serving/ports.ts'
import { type KeyServer, startKeyServer } from '../../support/key-server.ts'
import { type KeyScene, keyScene, savedJwk } from '../../support/key-sets.ts'
import { makeKey, signToken, type TestKey, type TestSecret } from '../../support/tokens.ts'
import { until } from '../../support/until.ts'

/** Tokens of an issuer whose keys come from a real key server. */

const iss = 'https://auth.one.example'
const hourMs = 3_600_000

let server: KeyServer
let key: TestKey
let nextKey: TestKey
let stranger: TestKey
let rsa: TestKey

beforeAll(async () => {
  ;[key, nextKey, stranger, rsa] = await Promise.all([
    makeKey('ES256', 'a'),
    makeKey('ES256', 'b'),
    makeKey('ES256', 'a'),
    makeKey('RS256', 'r'),
  ])
})
beforeEach(async () => {
  server = await startKeyServer()
  server.serve(key.publicJwk)
})
afterEach(() => server.stop())

interface Served extends KeyScene {
  readonly issuer: TrustedIssuer
  readonly verifier: TokenVerifier
  verify(token: string, catalog?: Snapshot): ReturnType<TokenVerifier['verify']>
  document(more?: Partial<IssuerDocument>): IssuerDocument
  token(by?: TestKey, more?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

/** Served from; `fetched` waits for the first fetch, whatever comes of it. */
async function serve(fetched = true, options: Parameters<typeof keyScene>[1] = {}): Promise<Served> {
  const scene = keyScene(server, options)
  const document = (more = {}) => ({ issuer: iss, audience: 'recgate', jwks: { url: server.url() }, ...more })
  const issuer = await scene.issuerFor(document())
  const snapshot = scene.swapTo(issuer)
  if (fetched) await until('the first fetch is over', () => outcomes(scene).some((count) => count > 0))
  const verifier = createTokenVerifier({ clock: () => scene.time.ms })
  return {
    ...scene,
    issuer,
    verifier,
    document,
    verify: (token, catalog = snapshot) => verifier.verify(`Bearer ${token}`, catalog),
    token(by = key, more = {}, header = {}) {
      const now = scene.time.ms / 1000
      return signToken(by, { iss, aud: 'recgate', sub: 'p', exp: now + 100 * 3600, ...more }, header)
    },
  }
}

function outcomes({ keySets }: KeyScene): number[] {
  return [...keySets.fetches().values()].flatMap(({ ok, failed }) => [ok, failed])
}

const invalid = { refused: 'token-invalid', detail: 'a valid bearer token is needed', tenantId: null }
const busy = expect.objectContaining({ refused: 'busy', tenantId: null })

async function expectVerified(result: VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>) {
  expect(await result).toHaveProperty('claims')
}

/** Whether it has been answered, without waiting for anything but what is ready. */
async function isAnswered(result: unknown): Promise<boolean> {
  const pending = {}
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([result, Promise.resolve(pending)])) !== pending
}

describe('a rotation', () => {
  test('is followed with the first token of the new key, and only once for many', async () => {
    const { verify, token } = await serve()
    await expectVerified(verify(await token()))
    server.serve(key.publicJwk, nextKey.publicJwk)
    const tokens = await Promise.all(['1', '2', '3', '4'].map((sub) => token(nextKey, { sub })))
    for (const result of tokens.map((one) => verify(one))) await expectVerified(result)
    expect(server.requests()).toBe(2)
    await expectVerified(verify(await token()))
  })

  test('that takes a key away voids the tokens that it verified', async () => {
    const { verify, token } = await serve()
    const old = await token()
    await expectVerified(verify(old))
    expect(verify(old)).not.toBeInstanceOf(Promise)
    server.serve(nextKey.publicJwk)
    await expectVerified(verify(await token(nextKey)))
    expect(await verify(old)).toStrictEqual(invalid)
  })

  test('that changes a key under the same kid voids them, too', async () => {
    const { verify, token, time } = await serve()
    const old = await token()
    await expectVerified(verify(old))
    server.serve(stranger.publicJwk)
    expect(await verify(await token(nextKey))).toStrictEqual(invalid)
    expect(await verify(old)).toStrictEqual(invalid)
    time.ms += 1
    await expectVerified(verify(await token(stranger)))
  })

  test('that adds a key voids nothing that another one verified', async () => {
    const { verify, token } = await serve()
    const known = await token()
    const verified = await verify(known)
    server.serve(nextKey.publicJwk, key.publicJwk)
    await expectVerified(verify(await token(nextKey)))
    expect(verify(known)).toBe(verified)
    expect(verify(known)).toBe(verified)
  })

  test('that brings the same keys voids nothing', async () => {
    const { verify, token } = await serve()
    const known = await token()
    const verified = await verify(known)
    server.serve({ ...key.publicJwk, use: 'sig' })
    expect(await verify(await token(nextKey))).toStrictEqual(invalid)
    expect(server.requests()).toBe(2)
    expect(verify(known)).toBe(verified)
  })
})

describe('an unknown kid', () => {
  test('costs one fetch in 30 seconds, successful or not', async () => {
    const { verify, token, time } = await serve()
    const unknown = async () => token(nextKey, { sub: `${time.ms} ${Math.random()}` })
    expect(await verify(await unknown())).toStrictEqual(invalid)
    expect(server.requests()).toBe(2)
    time.ms += 29_999
    const atOnce = verify(await unknown())
    expect(atOnce).toStrictEqual(invalid)
    expect(server.requests()).toBe(2)

    time.ms += 1
    server.answerWith((_request, response) => response.writeHead(500).end())
    expect(await verify(await unknown())).toStrictEqual(invalid)
    expect(server.requests()).toBe(3)
    time.ms += 29_999
    expect(verify(await unknown())).toStrictEqual(invalid)
    server.serve(nextKey.publicJwk)
    time.ms += 1
    await expectVerified(verify(await unknown()))
    expect(server.requests()).toBe(4)
  })

  test('does so after the clock was set back, too', async () => {
    const { verify, token, time } = await serve()
    expect(await verify(await token(nextKey))).toStrictEqual(invalid)
    time.ms -= hourMs
    server.serve(nextKey.publicJwk)
    await expectVerified(verify(await token(nextKey)))
  })

  test('at a server that hangs costs one connection, and known tokens wait for nothing', async () => {
    const { verify, token } = await serve(true, { timeoutMs: 60_000 })
    const known = await token()
    await expectVerified(verify(known))
    server.hang()
    const unknown = await Promise.all(
      Array.from({ length: 50 }, (_, sub) => token(nextKey, { sub: `${sub}` })),
    )
    const waiting = unknown.map((one) => verify(one))
    await until('the server has been asked', () => server.requests() === 2)
    expect(verify(known)).not.toBeInstanceOf(Promise)
    // Nor does a first sight with a known key.
    await expectVerified(verify(await token(key, { sub: 'new' })))
    expect(await isAnswered(Promise.race(waiting))).toBe(false)
    expect([server.connections(), server.requests()]).toStrictEqual([2, 2])
    server.serve(key.publicJwk, nextKey.publicJwk)
    server.release()
    for (const result of waiting) await expectVerified(result)
    expect(server.connections()).toBe(2)
  })

  test('at a server that hangs is refused while the fetch goes on, whose keys serve when they are there', async () => {
    const pace = { patienceMsMin: 20, patienceMsMax: 20 }
    const saved = { tenantId: 'one', issuer: iss, url: server.url(), fetchedAt: 1_800_000_000_000 }
    const { verify, token, time } = await serve(true, {
      pace,
      timeoutMs: 60_000,
      restored: [{ ...saved, keys: [savedJwk(key)] }],
    })
    server.hang()
    expect(await verify(await token(nextKey))).toStrictEqual(invalid)
    const later = await token(nextKey, { sub: 'later' })
    // Nobody waits any more, be it for long.
    for (const ms of [0, 10_000, 60_000]) {
      time.ms += ms
      expect(verify(later)).toStrictEqual(invalid)
    }
    await expectVerified(verify(await token()))
    server.serve(key.publicJwk, nextKey.publicJwk)
    server.release()
    await until('the new key serves', async () => 'claims' in (await verify(later)))
    expect([server.connections(), server.requests()]).toStrictEqual([2, 2])
  })

  test('at a server that hangs is refused when the time is over', async () => {
    // Known from before: within so short a time a busy machine may not fetch it.
    const saved = { tenantId: 'one', issuer: iss, url: server.url(), fetchedAt: 1_800_000_000_000 }
    server.hang()
    const { verify, token } = await serve(true, {
      timeoutMs: 300,
      restored: [{ ...saved, keys: [savedJwk(key)] }],
    })
    expect(await verify(await token(nextKey))).toStrictEqual(invalid)
    await expectVerified(verify(await token()))
  })

  test('is what the issuer lacks, not what it has for another algorithm, has revoked, or was not said', async () => {
    const { verify, token, document, issuerFor, swapTo } = await serve()
    const revoking = swapTo(await issuerFor(document({ revokedKids: ['b'] })))
    expect(await verify(await token(nextKey), revoking)).toStrictEqual(invalid)
    expect(await verify(await token(rsa, {}, { kid: 'a' }))).toStrictEqual(invalid)
    expect(await verify(await token(nextKey, {}, { kid: undefined }))).toStrictEqual(invalid)
    expect(await verify(await token(stranger))).toStrictEqual(invalid)
    expect(server.requests()).toBe(1)
  })

  test('waits with at most so many of its issuer; one more is told to come back', async () => {
    const { verify, token } = await serve(true, { timeoutMs: 60_000 })
    server.hang()
    const some = await token(nextKey)
    const head = some.slice(0, some.lastIndexOf('.') + 1)
    // Of one key, and differing in their signatures: what they are is looked at when the keys are there.
    const waiting = Array.from({ length: limits.tokensAwaitingKeysMax }, (_, index) =>
      verify(head + Buffer.from(`${index}`.padStart(64, '0')).toString('base64url')),
    )
    const one = `${head}${Buffer.from('one'.padStart(64, '0')).toString('base64url')}`
    expect(verify(one)).toStrictEqual(busy)
    // Those that wait already may be asked for again.
    expect(verify(`${head}${Buffer.from('0'.padStart(64, '0')).toString('base64url')}`)).toBe(waiting[0])
    await expectVerified(verify(await token()))
    server.serve(key.publicJwk)
    server.release()
    for (const result of waiting) expect(await result).toStrictEqual(invalid)
    expect(verify(one)).toStrictEqual(invalid)
  })
})

describe('an issuer without keys', () => {
  test('makes its tokens wait for the first fetch', async () => {
    server.hang()
    const { verify, token } = await serve(false, { timeoutMs: 60_000 })
    const waiting = [verify(await token()), verify(await token(key, { sub: 'q' }, { kid: undefined }))]
    const wrong = verify(await token(stranger))
    await until('the server has been asked', () => server.requests() === 1)
    expect(await isAnswered(Promise.race(waiting))).toBe(false)
    server.serve(key.publicJwk)
    server.release()
    for (const result of waiting) await expectVerified(result)
    expect(await wrong).toStrictEqual(invalid)
    expect(server.requests()).toBe(1)
  })

  test('makes them come back where the first fetch takes too long, and serves when it is over', async () => {
    server.hang()
    const pace = { patienceMsMin: 20, patienceMsMax: 20 }
    const { verify, token } = await serve(false, { pace, timeoutMs: 60_000 })
    const bearer = await token()
    expect(await verify(bearer)).toStrictEqual(busy)
    expect(verify(bearer)).toStrictEqual(busy)
    await until('the server has been asked', () => server.requests() === 1)
    server.serve(key.publicJwk)
    server.release()
    await until('its key serves', async () => 'claims' in (await verify(bearer)))
    expect(server.requests()).toBe(1)
  })

  test('makes them come back rather than log out, and heals with one of them', async () => {
    server.answerWith((_request, response) => response.writeHead(500).end())
    const { verify, token, time, issuer } = await serve()
    // A token may ask once in 30 seconds, since the next try of its own may be minutes away.
    for (const by of [key, stranger, nextKey]) expect(await verify(await token(by))).toStrictEqual(busy)
    expect(server.requests()).toBe(2)
    expect(issuer.keySet.keys).toStrictEqual([])
    server.serve(key.publicJwk)
    time.ms += 29_999
    expect(verify(await token())).toStrictEqual(busy)
    time.ms += 1
    await expectVerified(verify(await token()))
    expect(await verify(await token(stranger))).toStrictEqual(invalid)
  })

  test('is what one becomes 24 hours after the last successful fetch, for cached tokens, too', async () => {
    const { verify, token, time } = await serve()
    await server.stop()
    time.ms += 24 * hourMs - 30_000
    const known = await token()
    const verified = await verify(known)
    await expectVerified(Promise.resolve(verified))
    time.ms += 29_999
    expect(verify(known)).toBe(verified)
    await expectVerified(verify(await token(key, { sub: 'new' })))
    time.ms += 1
    expect(await verify(known)).toStrictEqual(busy)
    expect(verify(await token(key, { sub: 'newer' }))).toStrictEqual(busy)
    server = await startKeyServer()
  })

  test('knows the tokens that it must not know', async () => {
    server.answerWith((_request, response) => response.writeHead(500).end())
    const { verify, token, issuerFor, document, swapTo } = await serve()
    const revoking = swapTo(await issuerFor(document({ revokedKids: ['a'] })))
    expect(verify(await token(), revoking)).toStrictEqual(invalid)
    expect(verify(await token(key, { iss: 'https://unknown.example' }))).toStrictEqual(invalid)
    expect(verify('x.y.z')).toStrictEqual(invalid)
  })
})

test('a dead key server: known keys verify old and new tokens alike', async () => {
  const { verify, token, issuer } = await serve()
  await server.stop()
  await issuer.keySet.renew()
  await expectVerified(verify(await token()))
  await expectVerified(verify(await token(key, { sub: 'new' })))
  server = await startKeyServer()
})

describe('a served set can not make', () => {
  test('a secret verify: oct in it, or its public keys as one', async () => {
    const secret = new TextEncoder().encode('0123456789abcdef0123456789abcdef')
    const oct = { kty: 'oct', k: Buffer.from(secret).toString('base64url'), alg: 'HS256', kid: 'o' }
    server.serve(oct, rsa.publicJwk, key.publicJwk)
    const { verify, token, issuer } = await serve()
    expect(issuer.keySet.keys.map(({ kid }) => kid)).toStrictEqual(['r', 'a'])
    await expectVerified(verify(await token(rsa)))
    const publicKey = (await importJWK(rsa.publicJwk, 'RS256', { extractable: true })) as InstanceType<
      typeof CryptoKey
    >
    const claims = { iss, aud: 'recgate', sub: 'p', exp: 4_000_000_000 }
    const texts = [await exportSPKI(publicKey), JSON.stringify(rsa.publicJwk), String(rsa.publicJwk.n)]
    for (const bytes of [secret, ...texts.map((text) => new TextEncoder().encode(text))])
      for (const kid of ['o', 'r', 'a', null]) {
        const forger: TestSecret = { algorithm: 'HS256', kid, secret: bytes }
        expect(await verify(await signToken(forger, claims))).toStrictEqual(invalid)
      }
  })

  test('a private key verify, and RSA without alg verify anything but RS256', async () => {
    const { d } = { d: 'c2VjcmV0' }
    server.serve({ ...key.publicJwk, d }, { ...rsa.publicJwk, alg: undefined })
    const { verify, token } = await serve()
    await expectVerified(verify(await token(rsa)))
    expect(await verify(await token())).toStrictEqual(invalid)
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', rsa.privateKey)
    const pss = { name: 'RSA-PSS', hash: 'SHA-256' }
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, pss, true, ['sign'])
    expect(await verify(await token({ ...rsa, algorithm: 'PS256', privateKey }))).toStrictEqual(invalid)
  })
})

describe('revoked keys', () => {
  test('verify nothing more, by kid or without, new tokens and cached ones; the others do', async () => {
    server.serve(key.publicJwk, nextKey.publicJwk)
    const { verify, token, issuerFor, document, swapTo } = await serve()
    const [old, good] = [await token(), await token(nextKey)]
    await expectVerified(verify(old))
    const verified = await verify(good)
    const revoking = swapTo(await issuerFor(document({ revokedKids: ['a', 'unknown'] })))
    expect(await verify(old, revoking)).toStrictEqual(invalid)
    expect(await verify(await token(key, { sub: 'x' }, { kid: undefined }), revoking)).toStrictEqual(invalid)
    expect(await verify(good, revoking)).toMatchObject({ claims: (verified as VerifiedToken).claims })
    await expectVerified(verify(await token(nextKey, { sub: 'x' }, { kid: undefined }), revoking))
    expect(server.requests()).toBe(1)
    const restored = swapTo(await issuerFor(document()))
    await expectVerified(verify(old, restored))
  })

  test('that stand in the document do not either', async () => {
    const { verify, token, issuerFor, document, swapTo } = await serve()
    const jwks = { keys: [key.publicJwk, nextKey.publicJwk] }
    const before = swapTo(await issuerFor(document({ jwks })))
    const old = await token()
    await expectVerified(verify(old, before))
    const after = swapTo(await issuerFor(document({ jwks, revokedKids: ['a'] })))
    expect(await verify(old, after)).toStrictEqual(invalid)
    await expectVerified(verify(await token(nextKey), after))
  })
})
