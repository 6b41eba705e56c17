import { beforeAll, describe, expect, test, vi } from 'vitest'
import { isRefusal, type Refusal } from '../../../src/domain/errors.ts'
import { limits } from '../../../src/domain/limits.ts'
import type { Snapshot, TrustedIssuer } from '../../../src/domain/snapshot.ts'
import { createIssuers } from '../../../src/jwt/issuer-keys.ts'
import { createTokenVerifier, type TokenVerifierOptions } from '../../../src/jwt/token-verifier.ts'
import type { VerifiedToken } from '../../../src/serving/ports.ts'
import { goodClaims, makeKey, signToken, snapshotWith, type TestKey } from '../../support/tokens.ts'

const [issA, issB] = ['https://a.example', 'https://b.example']

let keyA: TestKey
let keyB: TestKey
let wrongKey: TestKey
let issuerA: TrustedIssuer
let catalog: Snapshot
let junk: string[]

beforeAll(async () => {
  ;[keyA, keyB, wrongKey] = await Promise.all([
    makeKey('ES256', 'k'),
    makeKey('ES256', 'k'),
    makeKey('ES256', 'k'),
  ])
  issuerA = await trust(issA, 'one', keyA)
  catalog = snapshotWith(issuerA, await trust(issB, 'two', keyB))
  junk = await tokensOf(wrongKey, issA, 3_000)
})

function trust(issuer: string, tenantId: string, key: TestKey) {
  const { issuerFor } = createIssuers({ resolveSecret: () => null })
  return issuerFor(tenantId, { issuer, audience: 'recgate', jwks: { keys: [key.publicJwk] } })
}

function tokensOf(key: TestKey, iss: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, (_, sub) => signToken(key, goodClaims(iss, { sub: `${sub}` }))),
  )
}

function verifying(options: TokenVerifierOptions = {}) {
  const verifier = createTokenVerifier(options)
  return (token: string, snapshot = catalog) => verifier.verify(`Bearer ${token}`, snapshot)
}

/** Counts the signature checks while `use` runs. */
async function checksDuring(use: () => Promise<unknown>): Promise<number> {
  const check = vi.spyOn(crypto.subtle, 'verify')
  try {
    await use()
    return check.mock.calls.length
  } finally {
    check.mockRestore()
  }
}

const invalid = { refused: 'token-invalid', detail: 'a valid bearer token is needed', tenantId: null }
const busy = {
  refused: 'busy',
  detail: 'too many new tokens are being verified; come back in a moment',
  tenantId: null,
}

function count(results: readonly (VerifiedToken | Refusal)[], expected: object): number {
  return results.filter((result) => JSON.stringify(result) === JSON.stringify(expected)).length
}

describe('a flood of junk that claims one issuer', () => {
  test('leaves other issuers’ newcomers and all verified tokens alone', async () => {
    const verify = verifying()
    const known = await signToken(keyA, goodClaims(issA))
    const verified = await verify(known)
    const newcomers = await tokensOf(keyB, issB, 200)

    const flood = junk.map((token) => verify(token))
    const admitted = newcomers.map((token) => verify(token))
    expect(verify(known)).toBe(verified)
    let junkChecked = 0
    for (const result of flood)
      void Promise.resolve(result).then((one) => {
        if (isRefusal(one) && one.refused === 'token-invalid') junkChecked++
      })
    const results = await Promise.all(admitted)
    for (const result of results) expect(result).toHaveProperty('claims')
    // They took turns: in one line of all, everything of the flood that was let in would have come first.
    expect(junkChecked).toBeLessThan(2 * newcomers.length)

    const junkResults = await Promise.all(flood)
    const waited = limits.verificationsAtOnceMax + limits.verificationsWaitingPerIssuerMax
    expect(count(junkResults, invalid)).toBe(waited)
    expect(count(junkResults, busy)).toBe(junk.length - waited)
    // The players of A that were turned away come in when the flood is over.
    expect(await verify(await signToken(keyA, goodClaims(issA, { sub: 'late' })))).toHaveProperty('claims')
  })

  test.each<[string, number, () => Promise<Snapshot>]>([
    ['when its time is over', 61_000, async () => catalog],
    ['when the issuer has changed', 0, async () => snapshotWith(await trust(issA, 'one', keyA))],
  ])('does not make a player who was verified before busy %s', async (_when, laterMs, changed) => {
    let nowMs = Date.now()
    const bounds = { atOnceMax: 1, waitingPerLineMax: 10, waitingMax: 100 }
    const verify = verifying({ bounds, clock: () => nowMs })
    const known = await signToken(keyA, goodClaims(issA))
    const newcomer = await signToken(keyA, goodClaims(issA, { sub: 'new' }))
    expect(await verify(known)).toHaveProperty('claims')
    nowMs += laterMs
    const later = await changed()
    const flood = junk.slice(0, 20).map((token) => verify(token, later))
    const [again, first] = [verify(known, later), verify(newcomer, later)]
    expect(await first).toStrictEqual(busy)
    expect(await again).toHaveProperty('claims')
    await Promise.all(flood)
  })

  test('without kid takes a turn for each key that is tried', async () => {
    const { issuerFor } = createIssuers({ resolveSecret: () => null })
    const nameless = { ...keyA.publicJwk, kid: undefined }
    const jwks = { keys: [nameless, nameless, nameless, nameless] }
    const many = await issuerFor('one', { issuer: issA, audience: 'recgate', jwks })
    const both = snapshotWith(many, await trust(issB, 'two', keyB))
    const verify = verifying({ bounds: { atOnceMax: 1, waitingPerLineMax: 10, waitingMax: 100 } })
    const manyChecks = await signToken(wrongKey, goodClaims(issA), { kid: undefined })
    const newcomer = await signToken(keyB, goodClaims(issB))
    const order: string[] = []
    await Promise.all([
      Promise.resolve(verify(manyChecks, both)).then((result) => {
        expect(result).toStrictEqual(invalid)
        order.push('many checks')
      }),
      Promise.resolve(verify(newcomer, both)).then(() => order.push('newcomer')),
    ])
    expect(order).toStrictEqual(['newcomer', 'many checks'])
  })

  test('is checked by so many at one time', async () => {
    const verify = verifying()
    let [running, runningMax] = [0, 0]
    const original = crypto.subtle.verify.bind(crypto.subtle)
    const counting = vi.spyOn(crypto.subtle, 'verify').mockImplementation(async (...given) => {
      runningMax = Math.max(runningMax, ++running)
      try {
        return await original(...given)
      } finally {
        running--
      }
    })
    try {
      await Promise.all(junk.slice(0, 200).map((token) => verify(token)))
    } finally {
      counting.mockRestore()
    }
    expect(runningMax).toBe(limits.verificationsAtOnceMax)
  })

  test('of many issuers shuts no other one out', async () => {
    const bounds = { atOnceMax: 1, waitingPerLineMax: 10, waitingMax: 40 }
    const verify = verifying({ bounds })
    const claimed = Array.from({ length: 8 }, (_, index) => `https://claimed-${index}.example`)
    const issuers = await Promise.all(claimed.map((iss) => trust(iss, 'one', keyA)))
    const everybody = snapshotWith(...issuers, ...catalog.issuers.values())
    const floods = await Promise.all(claimed.map((iss) => tokensOf(wrongKey, iss, 12)))
    const flood = floods.flat().map((token) => verify(token, everybody))
    const newcomers = (await tokensOf(keyB, issB, 4)).map((token) => verify(token, everybody))
    for (const result of await Promise.all(newcomers)) expect(result).toHaveProperty('claims')
    for (const result of await Promise.all(flood)) expect([invalid, busy]).toContainEqual(result)
  })
})

describe('a token whose signature is wrong', () => {
  test('costs one check, however often it comes', async () => {
    const verify = verifying()
    const some = junk.slice(0, 50)
    const checks = await checksDuring(async () => {
      for (let round = 0; round < 3; round++)
        for (const token of some) expect(await verify(token)).toStrictEqual(invalid)
    })
    expect(checks).toBe(some.length)
  })

  test('is looked at again when the issuer’s keys or settings change', async () => {
    const verify = verifying()
    const [token] = junk
    expect(await verify(token!)).toStrictEqual(invalid)
    expect(verify(token!)).toStrictEqual(invalid)
    const right = snapshotWith(await trust(issA, 'one', wrongKey))
    expect(await verify(token!, right)).toHaveProperty('claims')
    expect(await verify(token!, catalog)).toStrictEqual(invalid)
  })

  test('is forgotten when more have come than are kept, or longer ones', async () => {
    const verify = verifying({ refusedMax: 10 })
    for (const token of junk.slice(0, 11)) await verify(token)
    expect(await checksDuring(async () => verify(junk[10]!))).toBe(0)
    expect(await checksDuring(async () => verify(junk[1]!))).toBe(0)
    expect(await checksDuring(async () => verify(junk[0]!))).toBe(1)
    const long = await Promise.all(
      ['1', '2', '3'].map((sub) => signToken(wrongKey, goodClaims(issA, { sub, pad: 'x'.repeat(4_000) }))),
    )
    for (const token of long) await verify(token)
    expect(await checksDuring(async () => verify(long[2]!))).toBe(0)
    expect(await checksDuring(async () => verify(long[0]!))).toBe(1)
  })

  test('does not stand for another with the same end', async () => {
    const verify = verifying()
    const good = await signToken(keyA, goodClaims(issA))
    const [head, , signature] = good.split('.')
    const other = (await signToken(keyA, goodClaims(issA, { sub: 'other' }))).split('.')[1]
    expect(await verify(`${head}.${other}.${signature}`)).toStrictEqual(invalid)
    expect(await verify(good)).toHaveProperty('claims')
  })

  test('with claims that would be refused is refused for its signature', async () => {
    const verify = verifying()
    expect(await verify(await signToken(wrongKey, goodClaims(issA, { exp: 0 })))).toStrictEqual(invalid)
    // One that is genuine and refused for its claims is no junk: its refusal says why each time.
    const expired = await signToken(keyA, goodClaims(issA, { exp: 0 }))
    for (let round = 0; round < 2; round++)
      expect(await verify(expired)).toMatchObject({ refused: 'token-expired', tenantId: 'one' })
  })
})
