import { createHmac, webcrypto } from 'node:crypto'
import { expect } from 'vitest'
import { createMemoryLog } from '../../support/memory-log.ts'
import { testRedis } from '../../support/redis.ts'
import { openSite } from '../../support/site.ts'
import { applyDocument, type RunningGateway, testSettings } from '../../support/studio.ts'
import {
  base64url,
  goodClaims,
  type KeyAlgorithm,
  makeKey,
  makeSecret,
  signToken,
  type TestKey,
  type TestSecret,
} from '../../support/tokens.ts'
import { ask, askRaw } from '../client.ts'
import { parseExposition } from '../exposition.ts'

/**
 * What attacks on tokens are aimed at, over HTTP, with real signatures wherever one can be made. All are refused in the
 * same bytes as a request without any token. `refusals.test.ts` holds the plain cases.
 */

export const algorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const satisfies readonly KeyAlgorithm[]

export const iss = 'https://auth.attacked.example'
export const secondIss = 'https://second.attacked.example'
export const secretIss = 'https://secret.attacked.example'
export const neighbourIss = 'https://auth.neighbour.example'
export const secretRef = 'attacked-secret'

/** One of each algorithm, the kid being the algorithm. */
export type KeyOfEach = Readonly<Record<KeyAlgorithm, TestKey>>

export interface AttackedStudio {
  readonly gateway: RunningGateway
  /** Of `iss`, of `secondIss`, and of another tenant's `neighbourIss`. */
  readonly keys: KeyOfEach
  readonly secondKeys: KeyOfEach
  readonly neighbourKeys: KeyOfEach
  /** Of nobody whom the gateway knows. */
  readonly attackerKeys: KeyOfEach
  /** Of `secretIss`. */
  readonly secret: TestSecret
  /** The answer to a request without any token, but for its date. */
  readonly reference: string
  /** As HTTP sees it: status line, headers and body of the refusal without a token, byte for byte. */
  expectInvalid(token: string): Promise<void>
  /** The same with a whole value of `Authorization`. */
  expectInvalidHeader(authorization: string): Promise<void>
  expectAnswered(token: string): Promise<void>
  /** Nothing of what was expected to be invalid stands in the log, nor any error. */
  expectNothingLogged(): void
  /** What was refused is counted for no tenant. */
  expectCountedForNobody(): Promise<void>
  stop(): Promise<void>
}

const model = {
  key: [{ claim: 'sub' }],
  record: { offer: { type: 'string', maxBytes: 24 } },
  default: { offer: 'welcome-pack' },
  deadlineMs: 10_000,
  versions: ['v1'],
  control: 'v1',
  weights: { v1: 100 },
}

export async function startAttackedStudio(): Promise<AttackedStudio> {
  const site = await openSite(await testRedis())
  const [keys, secondKeys, neighbourKeys, attackerKeys] = await Promise.all([
    keyOfEach(),
    keyOfEach(),
    keyOfEach(),
    keyOfEach(),
  ])
  const secret = makeSecret('HS256')
  await applyDocument(site.tools, {
    format: 1,
    tenant: 'attacked',
    issuers: [
      publicIssuer(iss, keys),
      publicIssuer(secondIss, secondKeys),
      { issuer: secretIss, audience: 'recgate', hs256: { secretRef, kid: 'HS256' } },
    ],
    models: { games: model },
  })
  await applyDocument(site.tools, {
    format: 1,
    tenant: 'neighbour',
    issuers: [publicIssuer(neighbourIss, neighbourKeys)],
    models: { games: model },
  })
  const memory = createMemoryLog()
  const gateway = await site.startGateway(testSettings(site.redis.url), {
    resolveSecret: (tenantId, ref) => (tenantId === 'attacked' && ref === secretRef ? secret.secret : null),
    log: memory.log,
  })
  const reference = (await askRaw(gateway.data, '/recommendations')).undated
  expect(reference).toMatch(/^HTTP\/1\.1 401 .*"code":"token-invalid"/s)

  const sent = new Set<string>()
  async function expectInvalidHeader(authorization: string): Promise<void> {
    sent.add(authorization)
    const headers = { Authorization: authorization }
    expect((await askRaw(gateway.data, '/recommendations', { headers })).undated).toBe(reference)
  }

  return {
    gateway,
    keys,
    secondKeys,
    neighbourKeys,
    attackerKeys,
    secret,
    reference,
    expectInvalid: (token) => expectInvalidHeader(`Bearer ${token}`),
    expectInvalidHeader,
    async expectAnswered(token) {
      const { status } = await ask(`${gateway.data}/recommendations`, { token })
      expect(status).toBe(200)
    },
    expectNothingLogged() {
      expect(sent.size).toBeGreaterThan(50)
      const log = memory.lines.join('\n')
      expect(log).not.toContain('unexpected error')
      for (const authorization of sent)
        for (const part of authorization.split('.'))
          if (part.length > 20) expect(log.includes(part)).toBe(false)
    },
    async expectCountedForNobody() {
      const families = parseExposition((await ask(`${gateway.ops}/metrics`)).body.toString())
      const refused = families.get('recgate_refusals_total')!.samples
      const invalid = refused.filter(({ labels }) => labels['code'] === 'token-invalid')
      expect(invalid.map(({ labels }) => labels['tenant'])).toStrictEqual([''])
      expect(refused.some(({ labels }) => labels['code'] === 'internal')).toBe(false)
    },
    stop: site.stop,
  }
}

async function keyOfEach(): Promise<KeyOfEach> {
  const made = await Promise.all(algorithms.map(async (alg) => [alg, await makeKey(alg, alg)] as const))
  return Object.fromEntries(made) as KeyOfEach
}

function publicIssuer(issuer: string, own: KeyOfEach) {
  return { issuer, audience: 'recgate', jwks: { keys: algorithms.map((alg) => own[alg].publicJwk) } }
}

export function claimsOf(issuer = iss, more: Record<string, unknown> = {}): Record<string, unknown> {
  return goodClaims(issuer, { model: 'games', ...more })
}

/** Good claims under this header, really signed by the key. */
export function withHeader(key: TestKey | TestSecret, header: Record<string, unknown>): Promise<string> {
  return signToken(key, claimsOf(), header)
}

/** A token of whatever header and claims, under an HMAC with whatever secret. */
export function hmac(secretBytes: Uint8Array, header: object, claims: object, hash = 'sha256'): string {
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`
  return `${input}.${createHmac(hash, secretBytes).update(input).digest('base64url')}`
}

/** The private key as Node's own functions take it, which sign in ways that Web Crypto doesn't. */
export async function privatePem({ privateKey }: TestKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey))
  return `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`
}
