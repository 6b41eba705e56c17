import { sign as signBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { base64url, signToken, type TestSecret } from '../../support/tokens.ts'
import {
  type AttackedStudio,
  algorithms,
  claimsOf,
  iss,
  type KeyOfEach,
  privatePem,
  secretIss,
  startAttackedStudio,
} from './attacked-studio.ts'

/** Signatures that nobody has made, made anew in another form, or changed. */

let studio: AttackedStudio
let keys: KeyOfEach
let secret: TestSecret

beforeAll(async () => {
  studio = await startAttackedStudio()
  ;({ keys, secret } = studio)
})
afterAll(() => studio?.stop())

/** The token with another signature. */
function resigned(token: string, signature: Uint8Array): string {
  return [...token.split('.').slice(0, 2), base64url(signature)].join('.')
}

describe('signatures that are none', () => {
  /** The order of P-256's group. */
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const [zero, one] = [Buffer.alloc(32), Buffer.concat([Buffer.alloc(31), Buffer.of(1)])]

  test('ES256: r and s of 0, of 1 and of the order', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const r of [zero, one, order])
      for (const s of [zero, one, order]) await studio.expectInvalid(resigned(token, Buffer.concat([r, s])))
  })

  test('ES256: in DER, doubled, cut, swapped, padded and for another curve', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    const [header, payload, encoded = ''] = token.split('.')
    const input = Buffer.from(`${header}.${payload}`)
    const key = await privatePem(keys.ES256)
    const genuine = Buffer.from(encoded, 'base64url')
    await studio.expectAnswered(
      resigned(token, signBytes('sha256', input, { key, dsaEncoding: 'ieee-p1363' })),
    )
    for (const signature of [
      signBytes('sha256', input, { key, dsaEncoding: 'der' }),
      signBytes('sha384', input, { key, dsaEncoding: 'ieee-p1363' }),
      Buffer.concat([genuine, genuine]),
      Buffer.concat([genuine, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), genuine]),
      Buffer.concat([Buffer.alloc(16), genuine.subarray(0, 32), Buffer.alloc(16), genuine.subarray(32)]),
      genuine.subarray(0, 63),
      genuine.subarray(1),
      Buffer.concat([genuine.subarray(32), genuine.subarray(0, 32)]),
      Buffer.from(genuine.toString('hex')),
      Buffer.of(0),
    ])
      await studio.expectInvalid(resigned(token, signature))
  })

  test('EdDSA: nothing, and the neutral point', async () => {
    const token = await signToken(keys.EdDSA, claimsOf())
    const neutral = Buffer.concat([Buffer.of(1), Buffer.alloc(63)])
    for (const signature of [Buffer.alloc(64), neutral, Buffer.alloc(64, 0xff), Buffer.alloc(32)])
      await studio.expectInvalid(resigned(token, signature))
  })

  test.each(['RS256', 'PS256'] as const)('%s: 0, 1, and a number beyond the modulus', async (alg) => {
    const token = await signToken(keys[alg], claimsOf())
    const modulusBytes = 256
    const small = Buffer.alloc(modulusBytes)
    small[modulusBytes - 1] = 1
    for (const signature of [
      Buffer.alloc(modulusBytes),
      small,
      Buffer.alloc(modulusBytes, 0xff),
      Buffer.of(1),
    ])
      await studio.expectInvalid(resigned(token, signature))
  })

  test.each([...algorithms, 'HS256'] as const)('%s: one bit of each part changed', async (alg) => {
    const signer = alg === 'HS256' ? secret : keys[alg]
    const token = await signToken(signer, claimsOf(alg === 'HS256' ? secretIss : iss))
    await studio.expectAnswered(token)
    for (const part of [0, 1, 2]) {
      const parts = token.split('.').map((text) => Buffer.from(text, 'base64url'))
      for (const at of [0, Math.floor(parts[part]!.length / 2), parts[part]!.length - 1]) {
        const changed = parts.map((bytes) => Buffer.from(bytes))
        changed[part]![at]! ^= 1
        await studio.expectInvalid(changed.map((bytes) => base64url(bytes)).join('.'))
      }
    }
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => studio.expectNothingLogged())

  test('refusals before verification are counted for no tenant', () => studio.expectCountedForNobody())
})
