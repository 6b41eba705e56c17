import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { importKey, importKeySet, secretKey } from '../../../src/jwt/key-import.ts'
import { makeKey, type TestKey } from '../../support/tokens.ts'

let ec: TestKey
let rsa: TestKey
let okp: TestKey

beforeAll(async () => {
  ;[ec, rsa, okp] = await Promise.all([makeKey('ES256', 'e'), makeKey('RS256', 'r'), makeKey('EdDSA', 'o')])
})

async function faultPaths(jwk: unknown): Promise<string[]> {
  const { key, faults } = await importKey(jwk, 'k')
  if (faults.length > 0) expect(key).toBeNull()
  return faults.map((fault) => fault.path)
}

describe('public keys', () => {
  test('each has one algorithm', async () => {
    const algorithmOf = async (jwk: unknown) => (await importKey(jwk, 'k')).key?.algorithm
    expect(await algorithmOf(ec.publicJwk)).toBe('ES256')
    expect(await algorithmOf({ ...ec.publicJwk, alg: undefined })).toBe('ES256')
    expect(await algorithmOf(okp.publicJwk)).toBe('EdDSA')
    expect(await algorithmOf({ ...okp.publicJwk, alg: undefined })).toBe('EdDSA')
    expect(await algorithmOf(rsa.publicJwk)).toBe('RS256')
    expect(await algorithmOf({ ...rsa.publicJwk, alg: 'PS256' })).toBe('PS256')
  })

  test('kid, use and key_ops are kept or accepted', async () => {
    expect((await importKey(ec.publicJwk, 'k')).key?.kid).toBe('e')
    expect((await importKey({ ...ec.publicJwk, kid: undefined }, 'k')).key?.kid).toBeNull()
    expect(
      await faultPaths({ ...ec.publicJwk, use: 'sig', key_ops: ['verify'], x5t: 'x', extra: 1 }),
    ).toStrictEqual([])
  })

  test.each([
    ['null', () => null, ['k']],
    ['a list', () => [ec.publicJwk], ['k']],
    ['no kty', () => ({}), ['k.kty']],
    ['an unknown kty', () => ({ ...ec.publicJwk, kty: 'AKP' }), ['k.kty']],
    ['a secret', () => ({ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }), ['k.kty']],
    ['RSA without alg', () => ({ ...rsa.publicJwk, alg: undefined }), ['k.alg']],
    ['RSA with another alg', () => ({ ...rsa.publicJwk, alg: 'RS512' }), ['k.alg']],
    ['RSA for HS256', () => ({ ...rsa.publicJwk, alg: 'HS256' }), ['k.alg']],
    ['EC with an alg of RSA', () => ({ ...ec.publicJwk, alg: 'RS256' }), ['k.alg']],
    ['Ed25519 with alg Ed25519', () => ({ ...okp.publicJwk, alg: 'Ed25519' }), ['k.alg']],
    ['another curve', () => ({ ...ec.publicJwk, crv: 'P-384' }), ['k.crv']],
    ['X25519', () => ({ ...okp.publicJwk, crv: 'X25519' }), ['k.crv']],
    ['no y', () => ({ ...ec.publicJwk, y: undefined }), ['k.y']],
    ['n that is no text', () => ({ ...rsa.publicJwk, n: 5 }), ['k.n']],
    ['use enc', () => ({ ...ec.publicJwk, use: 'enc' }), ['k.use']],
    ['key_ops sign', () => ({ ...ec.publicJwk, key_ops: ['sign'] }), ['k.key_ops']],
    ['an empty kid', () => ({ ...ec.publicJwk, kid: '' }), ['k.kid']],
    ['a kid too long', () => ({ ...ec.publicJwk, kid: 'x'.repeat(129) }), ['k.kid']],
    ['a kid that is no text', () => ({ ...ec.publicJwk, kid: 7 }), ['k.kid']],
    ['a point off the curve', () => ({ ...ec.publicJwk, y: ec.publicJwk.x }), ['k']],
    ['an Ed25519 key too short', () => ({ ...okp.publicJwk, x: 'AAAA' }), ['k']],
    ['an exponent of 33 bits', () => ({ ...rsa.publicJwk, e: 'AQAAAAE' }), ['k.e']],
    ['the exponent 1', () => ({ ...rsa.publicJwk, e: 'AQ' }), ['k.e']],
    [
      'all faults at once',
      () => ({ kty: 'RSA', use: 'enc', kid: 7, d: 'x' }),
      ['k.d', 'k.n', 'k.e', 'k.use', 'k.kid', 'k.alg'],
    ],
  ])('%s is a fault', async (_what, jwk, paths) => {
    expect(await faultPaths(jwk())).toStrictEqual(paths)
  })

  test('a private key is refused, and the fault says what to publish', async () => {
    const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const { faults } = await importKey(privateJwk, 'k')
    expect(faults).toStrictEqual([
      { path: 'k.d', problem: expect.stringContaining('publish only the public half') },
    ])
  })

  test('RSA needs 2048 bits', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const { faults } = await importKey({ ...publicKey.export({ format: 'jwk' }), alg: 'RS256' }, 'k')
    expect(faults).toStrictEqual([{ path: 'k.n', problem: 'has 1024 bits; an RSA key needs at least 2048' }])
  })

  test('an RSA key may have at most 8192 bits, and an exponent of 32', async () => {
    const sized = (bits: number) => Buffer.alloc(bits / 8, 0xff).toString('base64url')
    expect((await importKey({ ...rsa.publicJwk, n: sized(8192), e: '_____w' }, 'k')).faults).toStrictEqual([])
    expect((await importKey({ ...rsa.publicJwk, n: sized(8200) }, 'k')).faults).toStrictEqual([
      { path: 'k.n', problem: 'has 8200 bits; an RSA key may have at most 8192' },
    ])
  })
})

describe('key sets', () => {
  test('need at least one key and at most 32', async () => {
    expect((await importKeySet([], 'jwks.keys')).faults).toMatchObject([{ path: 'jwks.keys' }])
    const many = Array.from({ length: 33 }, (_, index) => ({ ...ec.publicJwk, kid: `k${index}` }))
    expect((await importKeySet(many, 'jwks.keys')).faults).toMatchObject([{ path: 'jwks.keys' }])
    expect((await importKeySet(many.slice(1), 'jwks.keys')).keys).toHaveLength(32)
  })

  test('a kid stands once', async () => {
    const { faults } = await importKeySet(
      [ec.publicJwk, okp.publicJwk, { ...rsa.publicJwk, kid: 'e' }],
      'jwks.keys',
    )
    expect(faults).toStrictEqual([
      { path: 'jwks.keys[2].kid', problem: 'is that of jwks.keys[0], too; each key needs its own' },
    ])
  })

  test('the faults of all keys come together', async () => {
    const { faults } = await importKeySet(
      [{ ...ec.publicJwk, crv: 'P-384' }, null, ec.publicJwk],
      'jwks.keys',
    )
    expect(faults.map((fault) => fault.path)).toStrictEqual(
      ['jwks.keys[0].crv', 'jwks.keys[1]'].concat('jwks.keys[2].kid'),
    )
  })
})

describe('secrets', () => {
  test('need 32 bytes', async () => {
    expect((await secretKey(new Uint8Array(32).fill(7), 'hs256', 'k')).key).toMatchObject({
      algorithm: 'HS256',
      kid: 'k',
    })
    const { faults } = await secretKey(new Uint8Array(31).fill(7), 'hs256')
    expect(faults).toStrictEqual([
      { path: 'hs256', problem: 'is a secret of 31 bytes; HS256 needs at least 32 random ones' },
    ])
  })

  test('their kid has the same rule', async () => {
    expect((await secretKey(new Uint8Array(32), 'hs256', '')).faults).toMatchObject([{ path: 'hs256.kid' }])
  })
})
