import { createPublicKey, sign as signBytes, webcrypto } from 'node:crypto'
import type { JWK } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { base64url, rsaKeyAs, signToken, type TestSecret } from '../../support/tokens.ts'
import {
  type AttackedStudio,
  algorithms,
  claimsOf,
  hmac,
  iss,
  type KeyOfEach,
  neighbourIss,
  privatePem,
  secondIss,
  secretIss,
  secretRef,
  startAttackedStudio,
  withHeader,
} from './attacked-studio.ts'

/** The algorithm that a token names, and what was signed with which: only a key's own counts. */

let studio: AttackedStudio
let keys: KeyOfEach
let secondKeys: KeyOfEach
let neighbourKeys: KeyOfEach
let attackerKeys: KeyOfEach
let secret: TestSecret

beforeAll(async () => {
  studio = await startAttackedStudio()
  ;({ keys, secondKeys, neighbourKeys, attackerKeys, secret } = studio)
})
afterAll(() => studio?.stop())

describe('what the attacks differ from by one thing', () => {
  test.each(algorithms)('%s is answered, at each issuer by its own key', async (alg) => {
    for (const [issuer, own] of [
      [iss, keys],
      [secondIss, secondKeys],
      [neighbourIss, neighbourKeys],
    ] as const)
      for (const header of [{}, { kid: undefined }, { typ: 'at+jwt' }, { typ: undefined }])
        await studio.expectAnswered(await signToken(own[alg], claimsOf(issuer), header))
  })

  test('HS256 is answered', async () => {
    await studio.expectAnswered(await signToken(secret, claimsOf(secretIss)))
    const header = { alg: 'HS256', kid: 'HS256' }
    await studio.expectAnswered(hmac(secret.secret, header, claimsOf(secretIss)))
  })
})

describe('alg: none', () => {
  const spellings = [
    'none',
    'None',
    'NONE',
    'nOnE',
    'none ',
    ' none',
    'none\0',
    'ｎｏｎｅ',
    'nonе',
    '',
    'null',
    '0',
  ]

  test.each(spellings)('%j', async (alg) => {
    for (const issuer of [iss, secretIss]) {
      const payload = base64url(JSON.stringify(claimsOf(issuer)))
      for (const kid of ['ES256', 'HS256', undefined]) {
        const header = base64url(JSON.stringify({ alg, typ: 'JWT', kid }))
        for (const rest of ['', '.', '.AA', '.e30', `.${'A'.repeat(86)}`])
          await studio.expectInvalid(`${header}.${payload}${rest}`)
      }
    }
    await studio.expectInvalid(await withHeader(keys.ES256, { alg }))
    await studio.expectInvalid(await withHeader(keys.ES256, { alg, kid: undefined }))
  })

  test('an HMAC without a secret', async () => {
    const none = new Uint8Array()
    for (const alg of ['none', 'HS256', 'ES256'])
      for (const issuer of [iss, secretIss])
        await studio.expectInvalid(hmac(none, { alg, kid: alg }, claimsOf(issuer)))
  })
})

describe('an HMAC with what everybody knows', () => {
  test.each(algorithms)('the public key of %s', async (algorithm) => {
    const jwk = keys[algorithm].publicJwk
    const publicKey = createPublicKey({ key: jwk as JWK, format: 'jwk' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    const raw = ['x', 'y', 'n'].flatMap((name) => (jwk[name] === undefined ? [] : [jwk[name] as string]))
    const { alg: _alg, kid: _kid, ...members } = jwk
    const secrets: (string | Buffer)[] = [
      pem,
      pem.trimEnd(),
      pem.replaceAll('\n', '\r\n'),
      pem.split('-----')[2]!.trim(),
      pem.split('-----')[2]!.replaceAll('\n', ''),
      publicKey.export({ type: 'spki', format: 'der' }),
      ...raw,
      ...raw.map((text) => Buffer.from(text, 'base64url')),
      Buffer.concat([Buffer.of(4), ...raw.map((text) => Buffer.from(text, 'base64url'))]),
      JSON.stringify(jwk),
      JSON.stringify(members),
      JSON.stringify({ keys: [jwk] }),
      JSON.stringify(Object.fromEntries(Object.entries(members).sort())),
    ]
    if (jwk.kty === 'RSA') secrets.push(publicKey.export({ type: 'pkcs1', format: 'pem' }))
    for (const text of secrets)
      for (const alg of ['HS256', algorithm])
        for (const kid of [algorithm, 'HS256', undefined])
          await studio.expectInvalid(hmac(Buffer.from(text as string), { alg, kid }, claimsOf()))
  })

  test('at the issuer that has a secret', async () => {
    const header = { alg: 'HS256', kid: 'HS256' }
    for (const guess of [
      '',
      '\0'.repeat(32),
      '\0'.repeat(64),
      'secret',
      secretRef,
      'HS256',
      secretIss,
      'recgate',
    ])
      await studio.expectInvalid(hmac(Buffer.from(guess), header, claimsOf(secretIss)))
    // Not its beginning: HMAC fills a short key up with zeros, and every 256th secret ends in one.
    for (const guess of [secret.secret.slice(1), Buffer.concat([secret.secret, secret.secret])])
      await studio.expectInvalid(hmac(guess, header, claimsOf(secretIss)))
  })

  test('the right secret with another hash, or for another issuer', async () => {
    for (const [alg, hash] of [
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
      ['HS256', 'sha512'],
      ['HS512', 'sha256'],
      ['ES256', 'sha256'],
    ] as const)
      await studio.expectInvalid(hmac(secret.secret, { alg, kid: 'HS256' }, claimsOf(secretIss), hash))
    for (const other of [iss, secondIss, neighbourIss])
      await studio.expectInvalid(await signToken(secret, claimsOf(other)))
  })
})

describe('one key, another algorithm', () => {
  test('RS256 against a PS256 key, and the reverse', async () => {
    for (const [own, other] of [
      ['RS256', 'PS256'],
      ['PS256', 'RS256'],
    ] as const) {
      const signer = await rsaKeyAs(keys[own], other)
      for (const alg of [own, other])
        for (const kid of [own, other, undefined])
          await studio.expectInvalid(await withHeader(signer, { alg, kid }))
    }
  })

  test('the same kid under another algorithm', async () => {
    for (const kid of algorithms)
      for (const signer of algorithms) {
        await studio.expectInvalid(await withHeader(attackerKeys[signer], { kid }))
        if (kid !== signer) {
          await studio.expectInvalid(await withHeader(keys[signer], { kid }))
          await studio.expectInvalid(await withHeader(keys[signer], { kid, alg: kid }))
        }
      }
  })

  test.each([
    'ES384',
    'ES512',
    'ES256K',
    'RS384',
    'RS512',
    'PS384',
    'HS384',
    'Ed25519',
    'Ed448',
    'EdDSA ',
    'es256',
  ])('%s, which no key has here', async (alg) => {
    for (const own of algorithms) {
      await studio.expectInvalid(await withHeader(keys[own], { alg }))
      await studio.expectInvalid(await withHeader(keys[own], { alg, kid: undefined }))
    }
  })

  test('RSA with another hash or another salt length', async () => {
    const input = (await signToken(keys.RS256, claimsOf())).split('.').slice(0, 2).join('.')
    for (const hash of ['SHA1', 'SHA384', 'SHA512']) {
      const key = await privatePem(keys.RS256)
      await studio.expectInvalid(`${input}.${base64url(signBytes(hash, Buffer.from(input), key))}`)
    }
    const pss = (await signToken(keys.PS256, claimsOf())).split('.').slice(0, 2).join('.')
    for (const saltLength of [0, 20, 64]) {
      const salted = { name: 'RSA-PSS', saltLength }
      const signature = await webcrypto.subtle.sign(salted, keys.PS256.privateKey, Buffer.from(pss))
      await studio.expectInvalid(`${pss}.${base64url(new Uint8Array(signature))}`)
    }
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => studio.expectNothingLogged())

  test('refusals before verification are counted for no tenant', () => studio.expectCountedForNobody())
})
