import { webcrypto } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { base64url, signText } from '../../support/tokens.ts'
import { ask } from '../client.ts'
import {
  type AttackedStudio,
  claimsOf,
  iss,
  type KeyOfEach,
  neighbourIss,
  startAttackedStudio,
  withHeader,
} from './attacked-studio.ts'

/** What genuine signatures stand for: headers that ask for another reading, and JSON that is none. */

let studio: AttackedStudio
let keys: KeyOfEach
let attackerKeys: KeyOfEach

beforeAll(async () => {
  studio = await startAttackedStudio()
  ;({ keys, attackerKeys } = studio)
})
afterAll(() => studio?.stop())

describe('header parameters that change how the token is checked', () => {
  test.each([[['exp']], [[]], [['b64']], [['alg']], [['unheard-of']], [null], ['exp'], [{}]])(
    'crit: %j',
    async (crit) => {
      for (const more of [{}, { b64: true }, { exp: 1 }, { 'unheard-of': 1 }])
        await studio.expectInvalid(await withHeader(keys.ES256, { crit, ...more }))
    },
  )

  test('b64: false, with a payload as it is (RFC 7797)', async () => {
    const header = base64url(JSON.stringify({ alg: 'ES256', kid: 'ES256', b64: false, crit: ['b64'] }))
    for (const payload of [JSON.stringify(claimsOf()), base64url(JSON.stringify(claimsOf()))]) {
      const input = Buffer.from(`${header}.${payload}`)
      const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
      const signature = await webcrypto.subtle.sign(ecdsa, keys.ES256.privateKey, input)
      await studio.expectInvalid(`${header}.${payload}.${base64url(new Uint8Array(signature))}`)
      await studio.expectInvalid(`${header}..${base64url(new Uint8Array(signature))}`)
    }
    for (const b64 of [true, false, null, 0, ''])
      await studio.expectInvalid(await withHeader(keys.ES256, { b64 }))
  })

  test('zip, with a payload that is compressed, and one that is not', async () => {
    const deflated = deflateRawSync(JSON.stringify(claimsOf()))
    const header = JSON.stringify({ alg: 'ES256', kid: 'ES256', zip: 'DEF' })
    await studio.expectInvalid(await signText(keys.ES256, header, deflated))
    for (const zip of ['DEF', 'GZ', null, ''])
      await studio.expectInvalid(await withHeader(keys.ES256, { zip }))
  })
})

describe('names that stand twice', () => {
  const header = '{"alg":"ES256","kid":"ES256"}'
  const payload = () => JSON.stringify(claimsOf())

  test('is answered without', async () => {
    await studio.expectAnswered(await signText(keys.ES256, header, payload()))
    await studio.expectAnswered(
      await signText(keys.ES256, header, JSON.stringify(claimsOf(iss, { a: { sub: 'x' } }))),
    )
  })

  test.each([
    '{"alg":"none","alg":"ES256","kid":"ES256"}',
    '{"alg":"ES256","kid":"ES256","alg":"ES256"}',
    '{"alg":"HS256","\\u0061lg":"ES256","kid":"ES256"}',
    '{"alg":"ES256","kid":"RS256","kid":"ES256"}',
    '{"alg":"ES256","kid":"ES256","typ":"dpop+jwt","typ":"JWT"}',
    '{"alg":"ES256","kid":"ES256","x":{"a":1,"a":2}}',
    '{"alg":"ES256","kid":"ES256","":1,"":1}',
    '{"alg":"ES256","kid":"ES256","__proto__":1,"__proto__":{}}',
  ])('in the header: %s', async (doubled) => {
    await studio.expectInvalid(await signText(keys.ES256, doubled, payload()))
  })

  test.each([
    ['iss', neighbourIss],
    ['iss', iss],
    ['sub', 'somebody-else'],
    ['exp', 1],
    ['exp', 9e9],
    ['aud', 'other'],
    ['model', 'offers'],
    ['pad', 1],
  ])('in the payload: %s %j, first or last', async (name, value) => {
    const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`
    const spelled = member.replace(
      /^"(.)/,
      (_, first: string) => `"\\u${first.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    const whole = JSON.stringify(claimsOf(iss, { pad: 0 }))
    for (const doubled of [member, spelled]) {
      await studio.expectInvalid(await signText(keys.ES256, header, whole.replace('{', `{${doubled},`)))
      await studio.expectInvalid(await signText(keys.ES256, header, whole.replace(/\}$/, `,${doubled}}`)))
    }
  })

  test('deeper in the payload', async () => {
    for (const inner of ['{"a":1,"a":1}', '[{"a":{"b":1,"c":2,"b":3}}]', '{"a":{"b":1},"a":{"c":1}}'])
      await studio.expectInvalid(
        await signText(keys.ES256, header, payload().replace('{', `{"pad":${inner},`)),
      )
  })
})

describe('payloads that are no object in UTF-8', () => {
  const header = { alg: 'ES256', kid: 'ES256' }

  test('a mark before it, another encoding, bytes that are not UTF-8', async () => {
    const [head, claims] = [Buffer.from(JSON.stringify(header)), JSON.stringify(claimsOf())]
    const mark = Buffer.of(0xef, 0xbb, 0xbf)
    const broken = (bytes: number[]) =>
      Buffer.concat([Buffer.from(`${claims.slice(0, -1)},"name":"`), Buffer.from(bytes), Buffer.from('"}')])
    await studio.expectAnswered(await signText(keys.ES256, head, broken([0xc3, 0xa4])))
    for (const payload of [
      Buffer.concat([mark, Buffer.from(claims)]),
      Buffer.from(claims, 'utf16le'),
      Buffer.from(`\ufeff${claims}`, 'utf16le'),
      broken([0xff]),
      broken([0xc0, 0xaf]),
      broken([0xed, 0xa0, 0x80]),
      broken([0xf5, 0x80, 0x80, 0x80]),
      broken([0x00]),
      Buffer.concat([Buffer.from(claims), Buffer.of(0)]),
      Buffer.from(`[${claims}]`),
      Buffer.from(JSON.stringify(claims)),
      Buffer.from(`${claims}${claims}`),
      Buffer.from('null'),
      Buffer.from(' '),
    ])
      await studio.expectInvalid(await signText(keys.ES256, head, payload))
    for (const spoilt of [
      Buffer.concat([mark, head]),
      Buffer.from(JSON.stringify(header), 'utf16le'),
      Buffer.concat([Buffer.from('{"x":"'), Buffer.of(0xff), Buffer.from('","alg":"ES256","kid":"ES256"}')]),
    ])
      await studio.expectInvalid(await signText(keys.ES256, spoilt, Buffer.from(claims)))
  })

  test('as deep as a token can be, and 10,000 levels', async () => {
    const deep = (levels: number, [open, close]: readonly [string, string], name: string) =>
      JSON.stringify(claimsOf(iss, { [name]: '@' })).replace(
        '"@"',
        `${open.repeat(levels)}1${close.repeat(levels)}`,
      )
    const head = JSON.stringify(header)
    for (const [kind, levels] of [
      [['[', ']'], 2_700],
      [['{"a":', '}'], 900],
    ] as const) {
      // Nobody reads this claim; a reader of it must not fall over either.
      await studio.expectAnswered(await signText(keys.ES256, head, deep(levels, kind, 'pad')))
      await studio.expectInvalid(await signText(keys.ES256, head, deep(levels, kind, 'iss')))
      for (const name of ['sub', 'exp', 'aud', 'model']) {
        const token = await signText(keys.ES256, head, deep(levels, kind, name))
        expect((await ask(`${studio.gateway.data}/recommendations`, { token })).status).toBe(401)
      }
      const beyond = await signText(keys.ES256, head, deep(10_000, kind, 'pad'))
      const { status } = await ask(`${studio.gateway.data}/recommendations`, { token: beyond })
      expect(status).toBe(431)
    }
    const deepHeader = `{"alg":"ES256","kid":"ES256","x":${'['.repeat(2_700)}${']'.repeat(2_700)}}`
    await studio.expectAnswered(await signText(keys.ES256, deepHeader, JSON.stringify(claimsOf())))
    await studio.expectInvalid(await signText(attackerKeys.ES256, deepHeader, JSON.stringify(claimsOf())))
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => studio.expectNothingLogged())

  test('refusals before verification are counted for no tenant', () => studio.expectCountedForNobody())
})
