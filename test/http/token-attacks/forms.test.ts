import { CompactEncrypt, importJWK, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { base64url, signText, signToken, type TestSecret } from '../../support/tokens.ts'
import { ask, askRaw, exchange, rawReplies, requestText } from '../client.ts'
import { type AttackedStudio, claimsOf, iss, type KeyOfEach, startAttackedStudio } from './attacked-studio.ts'

/** Tokens of another form or size, and other ways to send one. */

let studio: AttackedStudio
let keys: KeyOfEach
let attackerKeys: KeyOfEach
let secret: TestSecret

beforeAll(async () => {
  studio = await startAttackedStudio()
  ;({ keys, attackerKeys, secret } = studio)
})
afterAll(() => studio?.stop())

describe('tokens of another form', () => {
  test('five parts: a JWE, for the gateway’s public key and for a secret', async () => {
    const text = new TextEncoder().encode(JSON.stringify(claimsOf()))
    const signed = new TextEncoder().encode(await signToken(keys.ES256, claimsOf()))
    const forKey = await importJWK({ ...keys.ES256.publicJwk, alg: 'ECDH-ES' } as JWK)
    for (const content of [text, signed]) {
      const sealed = new CompactEncrypt(content).setProtectedHeader({
        alg: 'ECDH-ES',
        enc: 'A128GCM',
        kid: 'ES256',
        cty: 'JWT',
      })
      await studio.expectInvalid(await sealed.encrypt(forKey))
      const shared = new CompactEncrypt(content).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      await studio.expectInvalid(await shared.encrypt(secret.secret))
    }
    const parts = (await signToken(keys.ES256, claimsOf())).split('.')
    await studio.expectInvalid([...parts, ...parts.slice(0, 2)].join('.'))
    await studio.expectInvalid([...parts, '', ''].join('.'))
  })

  test('JSON serialisation, flattened and general (RFC 7515 section 7.2), as it is and in base64url', async () => {
    const [protectedHeader, payload, signature] = (await signToken(keys.ES256, claimsOf())).split('.')
    const flattened = { payload, protected: protectedHeader, signature }
    const general = { payload, signatures: [{ protected: protectedHeader, signature }] }
    for (const serialised of [flattened, general, { ...flattened, header: { kid: 'ES256' } }]) {
      const text = JSON.stringify(serialised)
      await studio.expectInvalid(text)
      await studio.expectInvalid(base64url(text))
      await studio.expectInvalid(`${base64url(text)}.${payload}.${signature}`)
    }
  })

  test('a token within a token', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const payload of [token, JSON.stringify(token), JSON.stringify([token])])
      await studio.expectInvalid(await signText(keys.ES256, '{"alg":"ES256","cty":"JWT"}', payload))
  })

  test('other characters within it or around it', async () => {
    const [header = '', payload = '', signature = ''] = (await signToken(keys.ES256, claimsOf())).split('.')
    const whole = `${header}.${payload}.${signature}`
    const spoilt = [
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}=.${signature}`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload}.${signature}%3D`,
      `${header} .${payload}.${signature}`,
      `${header}. ${payload}.${signature}`,
      `${header}.\t${payload}.${signature}`,
      `${header}.${payload}.${signature.slice(0, 9)} ${signature.slice(9)}`,
      `${header}.${payload}.é${signature}`,
      `${header}.${payload}.${signature}😀`,
      `${header}．${payload}．${signature}`,
      `${header}..${payload}.${signature}`,
      `.${whole}`,
      `${whole}.`,
      `"${whole}"`,
      `'${whole}'`,
      `<${whole}>`,
      `${whole},`,
      `${whole};x=1`,
      `${whole}, ${whole}`,
      `${whole} ${whole}`,
      `token="${whole}"`,
      `Bearer ${whole}`,
      encodeURIComponent(whole.replaceAll('.', '/')),
      Buffer.from(whole).toString('base64'),
      whole.toUpperCase(),
      whole.replaceAll('.', '%2E'),
    ]
    await studio.expectAnswered(whole)
    for (const token of spoilt) await studio.expectInvalid(token)
  })

  test('base64 in its other alphabet', async () => {
    // Ten tokens hold "-" or "_" somewhere in 860 characters of signatures.
    for (let index = 0; index < 10; index++) {
      const [header, payload, signature = ''] = (await signToken(keys.ES256, claimsOf(iss, { index }))).split(
        '.',
      )
      const respelled = signature.replaceAll('-', '+').replaceAll('_', '/')
      if (respelled !== signature) await studio.expectInvalid(`${header}.${payload}.${respelled}`)
    }
  })

  test('a line’s end or a fold is no HTTP', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const spoilt of [
      `${token}\n`,
      token.replace('.', '.\n'),
      token.replace('.', '.\r\n '),
      `\r\n ${token}`,
    ]) {
      const headers = { Authorization: `Bearer ${spoilt}`, Connection: 'close' }
      const [reply] = rawReplies(
        await exchange(studio.gateway.data, requestText('/recommendations', { headers })),
        ['GET'],
      )
      expect(reply!.status).toBe(400)
    }
  })
})

describe('the header Authorization', () => {
  test.each(['Bearer', 'bearer', 'BEARER', 'bEARER'])('the scheme %s', async (scheme) => {
    const token = await signToken(keys.ES256, claimsOf())
    const headers = { authorization: `${scheme} ${token}` }
    expect((await ask(`${studio.gateway.data}/recommendations`, { headers })).status).toBe(200)
  })

  test.each([
    'Basic',
    'Digest',
    'DPoP',
    'JWT',
    'Token',
    'Bearer:',
    'Bearer,',
    'Béarer',
    'Bearer\u00a0x',
    'BearerBearer',
  ])('the scheme %j', async (scheme) => {
    await studio.expectInvalidHeader(`${scheme} ${await signToken(keys.ES256, claimsOf())}`)
  })

  test('a tab instead of the space', async () => {
    await studio.expectInvalidHeader(`Bearer\t${await signToken(keys.ES256, claimsOf())}`)
  })

  test('two of them: a second one never helps the first', async () => {
    const [good, forged] = await Promise.all([
      signToken(keys.ES256, claimsOf()),
      signToken(attackerKeys.ES256, claimsOf()),
    ])
    for (const first of [forged, 'x.y.z', '']) {
      const text =
        'GET /recommendations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n' +
        `Authorization: Bearer ${first}\r\nauthorization: Bearer ${good}\r\n\r\n`
      const [reply] = rawReplies(await exchange(studio.gateway.data, text), ['GET'])
      expect([400, 401]).toContain(reply!.status)
    }
  })

  test('tokens elsewhere count for nothing', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const [target, headers] of [
      [`/recommendations?access_token=${token}`, {}],
      ['/recommendations', { Cookie: `access_token=${token}` }],
      ['/recommendations', { 'Proxy-Authorization': `Bearer ${token}` }],
      ['/recommendations', { 'X-Authorization': `Bearer ${token}` }],
    ] as const)
      expect((await askRaw(studio.gateway.data, target, { headers })).undated).toBe(studio.reference)
  })

  test('as long as allowed, longer, and 64 kB', async () => {
    const padded = (characters: number) =>
      signToken(keys.ES256, claimsOf(iss, { pad: 'x'.repeat(characters) }))
    const bare = (await padded(0)).length
    const longest = await padded(Math.floor(((limits.tokenBytesMax - bare) * 3) / 4) - 2)
    expect(longest.length).toBeGreaterThan(limits.tokenBytesMax - 8)
    expect(longest.length).toBeLessThanOrEqual(limits.tokenBytesMax)
    await studio.expectAnswered(longest)
    await studio.expectInvalid(await padded(Math.ceil(((limits.tokenBytesMax - bare) * 3) / 4) + 4))
    await studio.expectInvalid(await padded(8_000))
    for (const characters of [14_000, 48_000]) {
      const text = requestText('/recommendations', { token: await padded(characters) })
      const [reply] = rawReplies(await exchange(studio.gateway.data, text), ['GET'])
      expect(reply!.status).toBe(431)
      expect(JSON.parse(reply!.body.toString())).toMatchObject({ code: 'headers-too-large' })
    }
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => studio.expectNothingLogged())

  test('refusals before verification are counted for no tenant', () => studio.expectCountedForNobody())
})
