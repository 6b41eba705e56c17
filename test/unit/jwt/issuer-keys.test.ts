import { beforeAll, describe, expect, test } from 'vitest'
import { FaultsError } from '../../../src/domain/errors.ts'
import { limits } from '../../../src/domain/limits.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import { createIssuers } from '../../../src/jwt/issuer-keys.ts'
import { makeKey, type TestKey } from '../../support/tokens.ts'

let key: TestKey
let otherKey: TestKey
let document: IssuerDocument

beforeAll(async () => {
  ;[key, otherKey] = await Promise.all([makeKey('ES256', 'a'), makeKey('ES256', 'b')])
  document = { issuer: 'https://auth.example', audience: 'recgate', jwks: { keys: [key.publicJwk] } }
})

const noSecrets = { resolveSecret: () => null }
const shared: IssuerDocument = {
  issuer: 'https://auth.example',
  audience: 'recgate',
  hs256: { secretRef: 'one', kid: 's' },
}

async function faultsOf(issued: Promise<unknown>) {
  const error = await issued.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FaultsError)
  return (error as FaultsError).faults
}

describe('trusted issuers', () => {
  test('hold what the document says', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    expect(await issuerFor('one', document)).toMatchObject({
      issuer: 'https://auth.example',
      tenantId: 'one',
      audience: 'recgate',
      models: null,
      maxLifetimeSeconds: null,
      revokedKids: new Set(),
      keySet: { keys: [{ kid: 'a', algorithm: 'ES256' }], goodUntilMs: Number.POSITIVE_INFINITY },
    })
    expect(await issuerFor('one', { ...document, models: ['games'], maxLifetimeSeconds: 60 })).toMatchObject({
      models: ['games'],
      maxLifetimeSeconds: 60,
    })
  })

  test('stay the identical object while nothing changes', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const first = await issuerFor('one', document)
    expect(await issuerFor('one', document)).toBe(first)
    const jwk = Object.fromEntries(Object.entries(key.publicJwk).reverse())
    expect(
      await issuerFor('one', { jwks: { keys: [jwk] }, audience: 'recgate', issuer: document.issuer }),
    ).toBe(first)
  })

  test('are the same for compiles at the same time', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const [first, second] = await Promise.all([issuerFor('one', document), issuerFor('one', document)])
    expect(second).toBe(first)
  })

  test.each<[string, () => Partial<IssuerDocument>]>([
    ['audience', () => ({ audience: 'other' })],
    ['models', () => ({ models: ['games'] })],
    ['maxLifetimeSeconds', () => ({ maxLifetimeSeconds: 60 })],
    ['revokedKids', () => ({ revokedKids: ['b'] })],
    ['a key more', () => ({ jwks: { keys: [key.publicJwk, otherKey.publicJwk] } })],
    ['another key', () => ({ jwks: { keys: [otherKey.publicJwk] } })],
    ['a kid', () => ({ jwks: { keys: [{ ...key.publicJwk, kid: 'c' }] } })],
  ])('change with %s', async (_what, change) => {
    const { issuerFor } = createIssuers(noSecrets)
    const first = await issuerFor('one', document)
    const changed = await issuerFor('one', { ...document, ...change() })
    expect(changed).not.toBe(first)
    expect(await issuerFor('one', { ...document, ...change() })).toBe(changed)
  })

  test('belong to one tenant', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const [one, two] = [await issuerFor('one', document), await issuerFor('two', document)]
    expect(two).toMatchObject({ tenantId: 'two' })
    expect(await issuerFor('one', document)).toBe(one)
  })

  test('of a document with faults leave the good one as it was', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const good = await issuerFor('one', document)
    await faultsOf(issuerFor('one', { ...document, jwks: { keys: [{ kty: 'oct' }] } }))
    expect(await issuerFor('one', document)).toBe(good)
  })

  test('are kept for the latest settings only, and for no more issuers than a tenant can have', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const first = await issuerFor('one', document)
    await issuerFor('one', { ...document, audience: 'other' })
    const second = await issuerFor('one', document)
    expect(second).not.toBe(first)
    for (let index = 0; index < limits.issuersPerTenantMax; index++)
      await issuerFor('one', { ...document, issuer: `https://${index}.example` })
    expect(await issuerFor('one', document)).not.toBe(second)
  })
})

describe('shared secrets', () => {
  test('are asked for by tenant and reference, and a new secret is a new issuer', async () => {
    const asked: string[] = []
    let secret = new Uint8Array(32).fill(1)
    const { issuerFor } = createIssuers({
      resolveSecret: (tenantId, secretRef) => {
        asked.push(`${tenantId} ${secretRef}`)
        return secret
      },
    })
    const first = await issuerFor('one', shared)
    expect(first.keySet.keys).toMatchObject([{ kid: 's', algorithm: 'HS256' }])
    expect(asked).toStrictEqual(['one one'])
    expect(await issuerFor('one', shared)).toBe(first)
    secret = new Uint8Array(32).fill(2)
    expect(await issuerFor('one', shared)).not.toBe(first)
  })

  test('that the settings withhold are a fault, even when they were allowed before', async () => {
    let secret: Uint8Array | null = new Uint8Array(32).fill(1)
    const { issuerFor } = createIssuers({ resolveSecret: () => secret })
    await issuerFor('one', shared)
    secret = null
    expect(await faultsOf(issuerFor('one', shared))).toMatchObject([{ path: 'hs256.secretRef' }])
    secret = new Uint8Array(16)
    expect(await faultsOf(issuerFor('one', shared))).toMatchObject([{ path: 'hs256' }])
  })
})

describe('faults', () => {
  test('exactly one of jwks and hs256', async () => {
    const { issuerFor } = createIssuers({ resolveSecret: () => new Uint8Array(32) })
    expect(await faultsOf(issuerFor('one', { issuer: 'x', audience: 'y' }))).toHaveLength(1)
    expect(await faultsOf(issuerFor('one', { ...document, hs256: { secretRef: 'one' } }))).toHaveLength(1)
  })

  test('paths are relative to the issuer, and all come at once', async () => {
    const { issuerFor } = createIssuers(noSecrets)
    const keys = [
      { ...key.publicJwk, alg: 'none' },
      { kty: 'oct', k: 'x' },
    ]
    const faults = await faultsOf(issuerFor('one', { ...document, jwks: { keys } }))
    expect(faults.map((fault) => fault.path)).toStrictEqual(['jwks.keys[0].alg', 'jwks.keys[1].kty'])
  })
})
