import { createHmac, createPublicKey, sign as signBytes, webcrypto } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { CompactEncrypt, importJWK, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { limits } from '../../src/domain/limits.ts'
import { createAuthority } from '../support/certificates.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { testRedis } from '../support/redis.ts'
import {
  applyDocument,
  type RunningGateway,
  startGateway,
  testSettings,
  testTools,
} from '../support/studio.ts'
import {
  base64url,
  goodClaims,
  type KeyAlgorithm,
  makeKey,
  makeSecret,
  rsaKeyAs,
  signText,
  signToken,
  type TestKey,
  type TestSecret,
} from '../support/tokens.ts'
import { ask, askRaw, exchange, rawReplies, requestText } from './client.ts'
import { parseExposition } from './exposition.ts'

/**
 * Attacks on tokens, over HTTP, with real signatures wherever one can be made. All are refused in the same bytes as a
 * request without any token. `refusals.test.ts` holds the plain cases.
 */

const model = {
  key: [{ claim: 'sub' }],
  record: { offer: { type: 'string', maxBytes: 24 } },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['v1'],
  control: 'v1',
  weights: { v1: 100 },
}
const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const satisfies readonly KeyAlgorithm[]

const iss = 'https://auth.attacked.example'
const secondIss = 'https://second.attacked.example'
const secretIss = 'https://secret.attacked.example'
const neighbourIss = 'https://auth.neighbour.example'
const secretRef = 'attacked-secret'

let directory: string
let redis: LocalRedis
let tools: Tools
let gateway: RunningGateway
let reference: string
/** One of each algorithm, the kid being the algorithm, in each issuer that has public keys. */
let keys: Record<KeyAlgorithm, TestKey>
let secondKeys: Record<KeyAlgorithm, TestKey>
let neighbourKeys: Record<KeyAlgorithm, TestKey>
let attackerKeys: Record<KeyAlgorithm, TestKey>
let secret: TestSecret
let attackerServer: Server
let attackerRequests: string[]
let attackerUrl: string
/** The attacker's certificate, DER in base64, and the key that it certifies. */
let certificate: { readonly x5c: string; readonly key: TestKey }
const memory = createMemoryLog()
const sent = new Set<string>()

async function keyOfEach(): Promise<Record<KeyAlgorithm, TestKey>> {
  const made = await Promise.all(algorithms.map(async (alg) => [alg, await makeKey(alg, alg)] as const))
  return Object.fromEntries(made) as Record<KeyAlgorithm, TestKey>
}

function publicIssuer(issuer: string, own: Record<KeyAlgorithm, TestKey>) {
  return { issuer, audience: 'recgate', jwks: { keys: algorithms.map((alg) => own[alg].publicJwk) } }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-attacks-'))
  redis = await testRedis()
  tools = await testTools(redis.url)
  ;[keys, secondKeys, neighbourKeys, attackerKeys] = await Promise.all([
    keyOfEach(),
    keyOfEach(),
    keyOfEach(),
    keyOfEach(),
  ])
  secret = makeSecret('HS256')
  await applyDocument(tools, {
    format: 1,
    tenant: 'attacked',
    issuers: [
      publicIssuer(iss, keys),
      publicIssuer(secondIss, secondKeys),
      { issuer: secretIss, audience: 'recgate', hs256: { secretRef, kid: 'HS256' } },
    ],
    models: { games: model },
  })
  await applyDocument(tools, {
    format: 1,
    tenant: 'neighbour',
    issuers: [publicIssuer(neighbourIss, neighbourKeys)],
    models: { games: model },
  })
  await startAttackerServer()
  gateway = await startGateway(testSettings(redis.url), {
    resolveSecret: (tenantId, ref) => (tenantId === 'attacked' && ref === secretRef ? secret.secret : null),
    log: memory.log,
  })
  reference = (await askRaw(gateway.data, '/recommendations')).undated
  expect(reference).toMatch(/^HTTP\/1\.1 401 .*"code":"token-invalid"/s)
})

afterAll(async () => {
  await gateway?.gateway.stop()
  attackerServer?.close()
  tools?.close()
  await redis?.stop()
  await rm(directory, { recursive: true, force: true })
})

/** Serves whatever a gateway would look for, and notes that it did. */
async function startAttackerServer(): Promise<void> {
  const authority = await createAuthority(directory, 'attacker')
  const files = await authority.issue('attacker')
  const [certificatePem, keyPem] = await Promise.all([
    readFile(files.certificate, 'utf8'),
    readFile(files.key, 'utf8'),
  ])
  const x5c = certificatePem.split('-----')[2]!.replaceAll(/\s/g, '')
  const pkcs8 = Buffer.from(keyPem.split('-----')[2]!, 'base64')
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, curve, true, ['sign'])
  const publicJwk = createPublicKey(certificatePem).export({ format: 'jwk' }) as TestKey['publicJwk']
  certificate = { x5c, key: { algorithm: 'ES256', kid: 'ES256', publicJwk, privateKey } }
  attackerRequests = []
  const jwks = JSON.stringify({ keys: algorithms.map((alg) => attackerKeys[alg].publicJwk) })
  attackerServer = createServer((request, response) => {
    attackerRequests.push(`${request.method} ${request.url}`)
    response.end(request.url?.endsWith('.pem') ? certificatePem : jwks)
  })
  await new Promise<void>((resolve) => attackerServer.listen(0, '127.0.0.1', resolve))
  attackerUrl = `http://127.0.0.1:${(attackerServer.address() as AddressInfo).port}`
}

const claimsOf = (issuer = iss, more: Record<string, unknown> = {}) =>
  goodClaims(issuer, { model: 'games', ...more })

/** As HTTP sees it: status line, headers and body of the refusal without a token, byte for byte. */
async function expectInvalidHeader(authorization: string): Promise<void> {
  sent.add(authorization)
  const reply = await askRaw(gateway.data, '/recommendations', { headers: { Authorization: authorization } })
  expect(reply.undated).toBe(reference)
}

const expectInvalid = (token: string) => expectInvalidHeader(`Bearer ${token}`)

async function expectAnswered(token: string): Promise<void> {
  const { status } = await ask(`${gateway.data}/recommendations`, { token })
  expect(status).toBe(200)
}

/** A token with this header, really signed by the key; `signature` changes its bytes. */
async function withHeader(
  key: TestKey | TestSecret,
  header: Record<string, unknown>,
  claims: Record<string, unknown> = claimsOf(),
): Promise<string> {
  return signToken(key, claims, header)
}

/** The token with another signature. */
function resigned(token: string, signature: Uint8Array): string {
  return [...token.split('.').slice(0, 2), base64url(signature)].join('.')
}

function hmac(secretBytes: Uint8Array, header: object, claims: object, hash = 'sha256'): string {
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`
  return `${input}.${createHmac(hash, secretBytes).update(input).digest('base64url')}`
}

describe('what the attacks differ from by one thing', () => {
  test.each(algorithms)('%s is answered, at each issuer by its own key', async (alg) => {
    for (const [issuer, own] of [
      [iss, keys],
      [secondIss, secondKeys],
      [neighbourIss, neighbourKeys],
    ] as const)
      for (const header of [{}, { kid: undefined }, { typ: 'at+jwt' }, { typ: undefined }])
        await expectAnswered(await signToken(own[alg], claimsOf(issuer), header))
  })

  test('HS256 is answered', async () => {
    await expectAnswered(await signToken(secret, claimsOf(secretIss)))
    const header = { alg: 'HS256', kid: 'HS256' }
    await expectAnswered(hmac(secret.secret, header, claimsOf(secretIss)))
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
          await expectInvalid(`${header}.${payload}${rest}`)
      }
    }
    await expectInvalid(await withHeader(keys.ES256, { alg }))
    await expectInvalid(await withHeader(keys.ES256, { alg, kid: undefined }))
  })

  test('an HMAC without a secret', async () => {
    const none = new Uint8Array()
    for (const alg of ['none', 'HS256', 'ES256'])
      for (const issuer of [iss, secretIss])
        await expectInvalid(hmac(none, { alg, kid: alg }, claimsOf(issuer)))
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
          await expectInvalid(hmac(Buffer.from(text as string), { alg, kid }, claimsOf()))
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
      await expectInvalid(hmac(Buffer.from(guess), header, claimsOf(secretIss)))
    // Not its beginning: HMAC fills a short key up with zeros, and every 256th secret ends in one.
    for (const guess of [secret.secret.slice(1), Buffer.concat([secret.secret, secret.secret])])
      await expectInvalid(hmac(guess, header, claimsOf(secretIss)))
  })

  test('the right secret with another hash, or for another issuer', async () => {
    for (const [alg, hash] of [
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
      ['HS256', 'sha512'],
      ['HS512', 'sha256'],
      ['ES256', 'sha256'],
    ] as const)
      await expectInvalid(hmac(secret.secret, { alg, kid: 'HS256' }, claimsOf(secretIss), hash))
    for (const other of [iss, secondIss, neighbourIss])
      await expectInvalid(await signToken(secret, claimsOf(other)))
  })
})

describe('keys that the sender brings', () => {
  test.each(['jku', 'x5u', 'jwk', 'x5c'])('%s', async (name) => {
    const brought: Record<string, [value: unknown, signer: TestKey][]> = {
      jku: algorithms.map((alg) => [`${attackerUrl}/keys.json`, attackerKeys[alg]]),
      x5u: [[`${attackerUrl}/certificate.pem`, certificate.key]],
      jwk: algorithms.map((alg) => [attackerKeys[alg].publicJwk, attackerKeys[alg]]),
      x5c: [[[certificate.x5c], certificate.key]],
    }
    for (const [value, signer] of brought[name]!)
      for (const kid of [signer.algorithm, undefined, 'unheard-of', attackerUrl])
        for (const more of [{}, { crit: [name] }]) {
          await expectInvalid(await withHeader(signer, { [name]: value, kid, ...more }))
          // Nor may a token that is genuine otherwise carry it.
          await expectInvalid(await withHeader(keys[signer.algorithm], { [name]: value, kid, ...more }))
        }
    for (const value of [null, '', [], {}, false])
      await expectInvalid(await withHeader(keys.ES256, { [name]: value }))
    await expectInvalid(await withHeader(keys.ES256, { [name]: keys.ES256.publicJwk }))
  })

  test('all of them at once, and in the payload', async () => {
    const { key, x5c } = certificate
    const all = {
      jwk: key.publicJwk,
      jku: `${attackerUrl}/keys.json`,
      x5u: `${attackerUrl}/certificate.pem`,
      x5c: [x5c],
    }
    await expectInvalid(await withHeader(key, all))
    await expectInvalid(await signToken(key, claimsOf(iss, { ...all, cnf: { jwk: key.publicJwk } })))
  })

  test('a kid or an iss that is a URL', async () => {
    for (const kid of [`${attackerUrl}/keys.json`, 'file:///dev/null', '/dev/null', '../../../dev/null'])
      await expectInvalid(await withHeader(attackerKeys.ES256, { kid }))
    for (const issuer of [attackerUrl, `${attackerUrl}/`, `${iss}@${attackerUrl}`, `${iss}#${attackerUrl}`])
      await expectInvalid(await signToken(attackerKeys.ES256, claimsOf(issuer)))
  })

  test('nobody asked the attacker for anything', () => {
    expect(attackerRequests).toStrictEqual([])
  })
})

describe('header parameters that change how the token is checked', () => {
  test.each([[['exp']], [[]], [['b64']], [['alg']], [['unheard-of']], [null], ['exp'], [{}]])(
    'crit: %j',
    async (crit) => {
      for (const more of [{}, { b64: true }, { exp: 1 }, { 'unheard-of': 1 }])
        await expectInvalid(await withHeader(keys.ES256, { crit, ...more }))
    },
  )

  test('b64: false, with a payload as it is (RFC 7797)', async () => {
    const header = base64url(JSON.stringify({ alg: 'ES256', kid: 'ES256', b64: false, crit: ['b64'] }))
    for (const payload of [JSON.stringify(claimsOf()), base64url(JSON.stringify(claimsOf()))]) {
      const input = Buffer.from(`${header}.${payload}`)
      const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
      const signature = await webcrypto.subtle.sign(ecdsa, keys.ES256.privateKey, input)
      await expectInvalid(`${header}.${payload}.${base64url(new Uint8Array(signature))}`)
      await expectInvalid(`${header}..${base64url(new Uint8Array(signature))}`)
    }
    for (const b64 of [true, false, null, 0, '']) await expectInvalid(await withHeader(keys.ES256, { b64 }))
  })

  test('zip, with a payload that is compressed, and one that is not', async () => {
    const deflated = deflateRawSync(JSON.stringify(claimsOf()))
    const header = base64url(JSON.stringify({ alg: 'ES256', kid: 'ES256', zip: 'DEF' }))
    const input = Buffer.from(`${header}.${base64url(deflated)}`)
    const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
    const signature = await webcrypto.subtle.sign(ecdsa, keys.ES256.privateKey, input)
    await expectInvalid(`${input}.${base64url(new Uint8Array(signature))}`)
    for (const zip of ['DEF', 'GZ', null, '']) await expectInvalid(await withHeader(keys.ES256, { zip }))
  })
})

describe('names that stand twice', () => {
  const header = '{"alg":"ES256","kid":"ES256"}'
  const payload = () => JSON.stringify(claimsOf())

  test('is answered without', async () => {
    await expectAnswered(await signText(keys.ES256, header, payload()))
    await expectAnswered(
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
    await expectInvalid(await signText(keys.ES256, doubled, payload()))
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
      await expectInvalid(await signText(keys.ES256, header, whole.replace('{', `{${doubled},`)))
      await expectInvalid(await signText(keys.ES256, header, whole.replace(/\}$/, `,${doubled}}`)))
    }
  })

  test('deeper in the payload', async () => {
    for (const inner of ['{"a":1,"a":1}', '[{"a":{"b":1,"c":2,"b":3}}]', '{"a":{"b":1},"a":{"c":1}}'])
      await expectInvalid(await signText(keys.ES256, header, payload().replace('{', `{"pad":${inner},`)))
  })
})

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
      await expectInvalid(await sealed.encrypt(forKey))
      const shared = new CompactEncrypt(content).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      await expectInvalid(await shared.encrypt(secret.secret))
    }
    const parts = (await signToken(keys.ES256, claimsOf())).split('.')
    await expectInvalid([...parts, ...parts.slice(0, 2)].join('.'))
    await expectInvalid([...parts, '', ''].join('.'))
  })

  test('JSON serialisation, flattened and general (RFC 7515 section 7.2), as it is and in base64url', async () => {
    const [protectedHeader, payload, signature] = (await signToken(keys.ES256, claimsOf())).split('.')
    const flattened = { payload, protected: protectedHeader, signature }
    const general = { payload, signatures: [{ protected: protectedHeader, signature }] }
    for (const serialised of [flattened, general, { ...flattened, header: { kid: 'ES256' } }]) {
      const text = JSON.stringify(serialised)
      await expectInvalid(text)
      await expectInvalid(base64url(text))
      await expectInvalid(`${base64url(text)}.${payload}.${signature}`)
    }
  })

  test('a token within a token', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const payload of [token, JSON.stringify(token), JSON.stringify([token])])
      await expectInvalid(await signText(keys.ES256, '{"alg":"ES256","cty":"JWT"}', payload))
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
    await expectAnswered(whole)
    for (const token of spoilt) await expectInvalid(token)
  })

  test('base64 in its other alphabet', async () => {
    // Ten tokens hold "-" or "_" somewhere in 860 characters of signatures.
    for (let index = 0; index < 10; index++) {
      const [header, payload, signature = ''] = (await signToken(keys.ES256, claimsOf(iss, { index }))).split(
        '.',
      )
      const respelled = signature.replaceAll('-', '+').replaceAll('_', '/')
      if (respelled !== signature) await expectInvalid(`${header}.${payload}.${respelled}`)
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
      const [reply] = rawReplies(await exchange(gateway.data, requestText('/recommendations', { headers })), [
        'GET',
      ])
      expect(reply!.status).toBe(400)
    }
  })
})

describe('the header Authorization', () => {
  test.each(['Bearer', 'bearer', 'BEARER', 'bEARER'])('the scheme %s', async (scheme) => {
    const token = await signToken(keys.ES256, claimsOf())
    const headers = { authorization: `${scheme} ${token}` }
    expect((await ask(`${gateway.data}/recommendations`, { headers })).status).toBe(200)
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
    await expectInvalidHeader(`${scheme} ${await signToken(keys.ES256, claimsOf())}`)
  })

  test('a tab instead of the space', async () => {
    await expectInvalidHeader(`Bearer\t${await signToken(keys.ES256, claimsOf())}`)
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
      const [reply] = rawReplies(await exchange(gateway.data, text), ['GET'])
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
      expect((await askRaw(gateway.data, target, { headers })).undated).toBe(reference)
  })

  test('as long as allowed, longer, and 64 kB', async () => {
    const padded = (characters: number) =>
      signToken(keys.ES256, claimsOf(iss, { pad: 'x'.repeat(characters) }))
    const bare = (await padded(0)).length
    const longest = await padded(Math.floor(((limits.tokenBytesMax - bare) * 3) / 4) - 2)
    expect(longest.length).toBeGreaterThan(limits.tokenBytesMax - 8)
    expect(longest.length).toBeLessThanOrEqual(limits.tokenBytesMax)
    await expectAnswered(longest)
    await expectInvalid(await padded(Math.ceil(((limits.tokenBytesMax - bare) * 3) / 4) + 4))
    await expectInvalid(await padded(8_000))
    for (const characters of [14_000, 48_000]) {
      const text = requestText('/recommendations', { token: await padded(characters) })
      const [reply] = rawReplies(await exchange(gateway.data, text), ['GET'])
      expect(reply!.status).toBe(431)
      expect(JSON.parse(reply!.body.toString())).toMatchObject({ code: 'headers-too-large' })
    }
  })
})

describe('kid', () => {
  test.each<[name: string, kid: unknown]>([
    ['huge', 'k'.repeat(5_000)],
    ['of another algorithm’s key', 'RS256'],
    ['with a NUL', 'ES256\0'],
    ['with a space', 'ES256 '],
    ['in another case', 'es256'],
    ['half of a surrogate pair', '\ud800'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['a number', 256],
    ['a list', ['ES256']],
    ['null', null],
    ['an object', { kid: 'ES256' }],
    ['a place among the keys', '0'],
    ['empty', ''],
  ])('%s', async (_name, kid) => {
    await expectInvalid(await withHeader(keys.ES256, { kid }))
    await expectInvalid(await withHeader(attackerKeys.ES256, { kid }))
  })
})

describe('whose key for whose iss', () => {
  test.each(algorithms)('%s: every pair but the right ones, under the same kid and without', async (alg) => {
    const issuers = [
      [iss, keys],
      [secondIss, secondKeys],
      [neighbourIss, neighbourKeys],
      [secretIss, attackerKeys],
      ['https://nobody.example', attackerKeys],
    ] as const
    for (const [claimed, own] of issuers)
      for (const [, signers] of issuers)
        for (const header of [{}, { kid: undefined }])
          if (signers !== own || signers === attackerKeys)
            await expectInvalid(await signToken(signers[alg], claimsOf(claimed), header))
  })

  test('an iss that is nearly one, or no text', async () => {
    for (const issuer of [
      `${iss}/`,
      `${iss}\0`,
      `${iss} `,
      iss.toUpperCase(),
      iss.replace('https', 'http'),
      iss.replace('attacked', 'attаcked'),
      `${iss}\ud800`,
      '\ud800',
      '',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      5,
      null,
      true,
      [iss],
      { iss },
    ])
      await expectInvalid(await signToken(keys.ES256, { ...claimsOf(), iss: issuer }))
  })

  test('the development issuer, which nobody turned on', async () => {
    for (const issuer of ['https://dev.recgate.invalid/attacked', 'https://dev.recgate.invalid'])
      await expectInvalid(await signToken(keys.ES256, claimsOf(issuer)))
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
        for (const kid of [own, other, undefined]) await expectInvalid(await withHeader(signer, { alg, kid }))
    }
  })

  test('the same kid under another algorithm', async () => {
    for (const kid of algorithms)
      for (const signer of algorithms) {
        await expectInvalid(await withHeader(attackerKeys[signer], { kid }))
        if (kid !== signer) {
          await expectInvalid(await withHeader(keys[signer], { kid }))
          await expectInvalid(await withHeader(keys[signer], { kid, alg: kid }))
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
      await expectInvalid(await withHeader(keys[own], { alg }))
      await expectInvalid(await withHeader(keys[own], { alg, kid: undefined }))
    }
  })

  test('RSA with another hash or another salt length', async () => {
    const input = (await signToken(keys.RS256, claimsOf())).split('.').slice(0, 2).join('.')
    for (const hash of ['SHA1', 'SHA384', 'SHA512']) {
      const key = await nodeKey(keys.RS256)
      await expectInvalid(`${input}.${base64url(signBytes(hash, Buffer.from(input), key))}`)
    }
    const pss = (await signToken(keys.PS256, claimsOf())).split('.').slice(0, 2).join('.')
    for (const saltLength of [0, 20, 64]) {
      const salted = { name: 'RSA-PSS', saltLength }
      const signature = await webcrypto.subtle.sign(salted, keys.PS256.privateKey, Buffer.from(pss))
      await expectInvalid(`${pss}.${base64url(new Uint8Array(signature))}`)
    }
  })
})

async function nodeKey(key: TestKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key.privateKey))
  return `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

describe('signatures that are none', () => {
  /** The order of P-256's group. */
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const [zero, one] = [Buffer.alloc(32), Buffer.concat([Buffer.alloc(31), Buffer.of(1)])]

  test('ES256: r and s of 0, of 1 and of the order', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    for (const r of [zero, one, order])
      for (const s of [zero, one, order]) await expectInvalid(resigned(token, Buffer.concat([r, s])))
  })

  test('ES256: in DER, doubled, cut, swapped, padded and for another curve', async () => {
    const token = await signToken(keys.ES256, claimsOf())
    const [header, payload, encoded = ''] = token.split('.')
    const input = Buffer.from(`${header}.${payload}`)
    const key = await nodeKey(keys.ES256)
    const genuine = Buffer.from(encoded, 'base64url')
    await expectAnswered(resigned(token, signBytes('sha256', input, { key, dsaEncoding: 'ieee-p1363' })))
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
      await expectInvalid(resigned(token, signature))
  })

  test('EdDSA: nothing, and the neutral point', async () => {
    const token = await signToken(keys.EdDSA, claimsOf())
    const neutral = Buffer.concat([Buffer.of(1), Buffer.alloc(63)])
    for (const signature of [Buffer.alloc(64), neutral, Buffer.alloc(64, 0xff), Buffer.alloc(32)])
      await expectInvalid(resigned(token, signature))
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
      await expectInvalid(resigned(token, signature))
  })

  test.each([...algorithms, 'HS256'] as const)('%s: one bit of each part changed', async (alg) => {
    const signer = alg === 'HS256' ? secret : keys[alg]
    const token = await signToken(signer, claimsOf(alg === 'HS256' ? secretIss : iss))
    await expectAnswered(token)
    for (const part of [0, 1, 2]) {
      const parts = token.split('.').map((text) => Buffer.from(text, 'base64url'))
      for (const at of [0, Math.floor(parts[part]!.length / 2), parts[part]!.length - 1]) {
        const changed = parts.map((bytes) => Buffer.from(bytes))
        changed[part]![at]! ^= 1
        await expectInvalid(changed.map((bytes) => base64url(bytes)).join('.'))
      }
    }
  })
})

describe('payloads that are no object in UTF-8', () => {
  const header = { alg: 'ES256', kid: 'ES256' }

  /** Signed over these very bytes. */
  async function signedBytes(headerBytes: Uint8Array, payload: Uint8Array): Promise<string> {
    const input = `${base64url(headerBytes)}.${base64url(payload)}`
    const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
    const signature = await webcrypto.subtle.sign(ecdsa, keys.ES256.privateKey, Buffer.from(input))
    return `${input}.${base64url(new Uint8Array(signature))}`
  }

  test('a mark before it, another encoding, bytes that are not UTF-8', async () => {
    const [head, claims] = [Buffer.from(JSON.stringify(header)), JSON.stringify(claimsOf())]
    const mark = Buffer.of(0xef, 0xbb, 0xbf)
    const broken = (bytes: number[]) =>
      Buffer.concat([Buffer.from(`${claims.slice(0, -1)},"name":"`), Buffer.from(bytes), Buffer.from('"}')])
    await expectAnswered(await signedBytes(head, broken([0xc3, 0xa4])))
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
      await expectInvalid(await signedBytes(head, payload))
    for (const spoilt of [
      Buffer.concat([mark, head]),
      Buffer.from(JSON.stringify(header), 'utf16le'),
      Buffer.concat([Buffer.from('{"x":"'), Buffer.of(0xff), Buffer.from('","alg":"ES256","kid":"ES256"}')]),
    ])
      await expectInvalid(await signedBytes(spoilt, Buffer.from(claims)))
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
      await expectAnswered(await signText(keys.ES256, head, deep(levels, kind, 'pad')))
      await expectInvalid(await signText(keys.ES256, head, deep(levels, kind, 'iss')))
      for (const name of ['sub', 'exp', 'aud', 'model']) {
        const token = await signText(keys.ES256, head, deep(levels, kind, name))
        expect((await ask(`${gateway.data}/recommendations`, { token })).status).toBe(401)
      }
      const beyond = await signText(keys.ES256, head, deep(10_000, kind, 'pad'))
      const { status } = await ask(`${gateway.data}/recommendations`, { token: beyond })
      expect(status).toBe(431)
    }
    const deepHeader = `{"alg":"ES256","kid":"ES256","x":${'['.repeat(2_700)}${']'.repeat(2_700)}}`
    await expectAnswered(await signText(keys.ES256, deepHeader, JSON.stringify(claimsOf())))
    await expectInvalid(await signText(attackerKeys.ES256, deepHeader, JSON.stringify(claimsOf())))
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => {
    expect(sent.size).toBeGreaterThan(1_000)
    const log = memory.lines.join('\n')
    expect(log).not.toContain('unexpected error')
    for (const authorization of sent)
      for (const part of authorization.split('.'))
        if (part.length > 20) expect(log.includes(part)).toBe(false)
  })

  test('refusals before verification are counted for no tenant', async () => {
    const families = parseExposition((await ask(`${gateway.ops}/metrics`)).body.toString())
    const refused = families.get('recgate_refusals_total')!.samples
    const invalid = refused.filter(({ labels }) => labels['code'] === 'token-invalid')
    expect(invalid.map(({ labels }) => labels['tenant'])).toStrictEqual([''])
    expect(refused.some(({ labels }) => labels['code'] === 'internal')).toBe(false)
  })
})
