import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { TrustedIssuer } from '../../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../../src/domain/tenant-document.ts'
import {
  createFetchedKeySet,
  type KeyPace,
  type SavedKeySet,
  usualPace,
} from '../../../src/jwt/fetched-key-set.ts'
import { createIssuers } from '../../../src/jwt/issuer-keys.ts'
import type { FetchKeys } from '../../../src/jwt/key-fetch.ts'
import { createKeySets } from '../../../src/jwt/key-sets.ts'
import { type KeyServer, sendJson, startKeyServer } from '../../support/key-server.ts'
import { type KeyScene, keyScene, savedJwk } from '../../support/key-sets.ts'
import { makeKey, snapshotWith, type TestKey } from '../../support/tokens.ts'
import { until } from '../../support/until.ts'

const iss = 'https://auth.one.example'
const hourMs = 3_600_000
const place = { tenantId: 'one', issuer: iss, url: 'https://keys.example/' }

let server: KeyServer
let key: TestKey
let nextKey: TestKey
let rsa: TestKey

beforeAll(async () => {
  ;[key, nextKey, rsa] = await Promise.all([
    makeKey('ES256', 'a'),
    makeKey('ES256', 'b'),
    makeKey('RS256', 'r'),
  ])
})
beforeEach(async () => {
  server = await startKeyServer()
  server.serve(key.publicJwk)
})
afterEach(() => server.stop())

const newScene = (pace: Partial<KeyPace> = {}, restored: readonly SavedKeySet[] = []) =>
  keyScene(server, { pace, restored })

function document(more: Partial<IssuerDocument> = {}): IssuerDocument {
  return { issuer: iss, audience: 'recgate', jwks: { url: server.url() }, ...more }
}

const kidsOf = ({ keySet }: TrustedIssuer) => keySet.keys.map(({ kid }) => kid)

/** Served from, with its first fetch over. */
async function followed({ issuerFor, swapTo, keySets }: KeyScene, more: Partial<IssuerDocument> = {}) {
  const before = totalFetches(keySets)
  const issuer = await issuerFor(document(more))
  swapTo(issuer)
  await until('the first fetch is over', () => totalFetches(keySets) > before)
  return issuer
}

function totalFetches(keySets: KeyScene['keySets']): number {
  return [...keySets.fetches().values()].reduce((sum, { ok, failed }) => sum + ok + failed, 0)
}

describe('a key set', () => {
  test('is not fetched for a document that is compiled or checked, only for a snapshot that is served', async () => {
    const scene = newScene()
    const issuer = await scene.issuerFor(document())
    await scene.issuerFor(document({ audience: 'other' }))
    expect(issuer.keySet.keys).toStrictEqual([])
    expect(issuer.keySet.goodUntilMs).toBeLessThan(0)
    expect(issuer.keySet.renew()).toBe('resting')
    scene.swapTo(issuer)
    await until('it is fetched', () => issuer.keySet.keys.length === 1)
    // Had anything asked before, its connection would have come first.
    expect(server.connections()).toBe(1)
    expect(kidsOf(issuer)).toStrictEqual(['a'])
    expect(issuer.keySet.goodUntilMs).toBe(scene.time.ms + 24 * hourMs)
  })

  test('stays the same through reloads and other settings of its issuer', async () => {
    const scene = newScene()
    const issuer = await followed(scene)
    const { keys } = issuer.keySet
    const changed = await scene.issuerFor(document({ audience: 'other', revokedKids: ['z'] }))
    expect(changed).not.toBe(issuer)
    scene.swapTo(changed)
    scene.swapTo(await scene.issuerFor(document({ audience: 'other', revokedKids: ['z'] })))
    expect(changed.keySet.keys).toBe(keys)
    expect(server.requests()).toBe(1)
  })

  test('is another one for another URL, issuer or tenant', async () => {
    const scene = newScene()
    const issuer = await followed(scene)
    const others = [
      await scene.issuerFor(document({ jwks: { url: `${server.url()}?2` } })),
      await scene.issuerFor(document({ issuer: 'https://other.example' })),
      await scene.issuerFor(document(), 'two'),
    ]
    for (const other of others) expect(other.keySet).not.toBe(issuer.keySet)
  })

  test('stops when no snapshot holds its issuer, and comes back with its keys', async () => {
    const scene = newScene({ refreshMs: 10 })
    const issuer = await followed(scene)
    await until('it is fetched again', () => server.requests() > 3)
    scene.swapTo()
    const fetched = totalFetches(scene.keySets)
    expect(scene.keySets.ages()).toStrictEqual([])
    expect(issuer.keySet.renew()).toBe('resting')
    const other = await followed(scene, { issuer: 'https://other.example' })
    await until('the other is fetched', () => totalFetches(scene.keySets) > fetched + 3)
    expect(scene.keySets.ages()).toHaveLength(1)
    expect(kidsOf(issuer)).toStrictEqual(['a'])
    scene.swapTo(issuer, other)
    expect(scene.keySets.ages()).toHaveLength(2)
  })

  test('that is taken away during a fetch takes nothing from it', async () => {
    const scene = newScene()
    server.hang()
    const issuer = await scene.issuerFor(document())
    scene.swapTo(issuer)
    await until('it asks', () => server.requests() === 1)
    scene.swapTo()
    server.serve(key.publicJwk)
    server.release()
    const other = await followed(scene, { issuer: 'https://other.example' })
    expect(kidsOf(other)).toStrictEqual(['a'])
    expect(kidsOf(issuer)).toStrictEqual([])
    expect(scene.events).toStrictEqual([])
    expect(scene.keySets.fetches()).toStrictEqual(new Map([['one', { ok: 1, failed: 0 }]]))
  })

  test('asks nobody any more after the end', async () => {
    const scene = newScene({ refreshMs: 5 })
    const issuer = await followed(scene)
    scene.keySets.close()
    const requests = server.requests()
    scene.swapTo(issuer)
    expect(issuer.keySet.renew()).toBe('resting')
    // Another's fetches are the time in which it would have asked.
    const other = newScene({ refreshMs: 5 })
    await followed(other)
    await until('the other asks often', () => server.requests() >= requests + 20)
    const counts = [...other.keySets.fetches().values()][0]!
    // One of each may have been under way.
    expect(server.requests() - requests - counts.ok).toBeLessThanOrEqual(2)
  })
})

test('only so many are fetched at one time; the others follow', async () => {
  server.hang()
  const scene = newScene()
  const count = limits.keyFetchesAtOnceMax
  const many = await Promise.all(
    Array.from({ length: count + 20 }, (_, index) =>
      scene.issuerFor(document({ issuer: `https://${index}.example` })),
    ),
  )
  const other = await scene.issuerFor(document({ issuer: 'https://other.example' }), 'two')
  scene.swapTo(...many, other)
  await until('as many ask as may', () => server.requests() === count)
  server.serve(key.publicJwk)
  server.release()
  await until('all have their keys', () => [...many, other].every(({ keySet }) => keySet.keys.length === 1))
  expect(server.connections()).toBe(count + 21)
})

test('tenants take turns, so that many key servers of one keep no other waiting', async () => {
  const started: string[] = []
  const ends: (() => void)[] = []
  const fetchKeys: FetchKeys = (url) => {
    started.push(new URL(url).hostname)
    return new Promise((resolve) => ends.push(() => resolve({ failure: 'over' })))
  }
  const keySets = createKeySets({ fetchKeys, report: () => undefined })
  const { issuerFor } = createIssuers({ resolveSecret: () => null, keySetFor: keySets.keySetFor })
  const trust = (tenantId: string, name: string) =>
    issuerFor(tenantId, { issuer: name, audience: 'a', jwks: { url: `https://${tenantId}.example/` } })
  const many = await Promise.all(Array.from({ length: 84 }, (_, index) => trust('one', `${index}`)))
  keySets.follow(snapshotWith(...many, await trust('two', 'other')))
  await until('as many as may have begun', () => started.length >= 64)
  await new Promise((resolve) => setImmediate(resolve))
  expect(started).toStrictEqual(Array.from({ length: 64 }, () => 'one.example'))
  for (const end of ends.splice(0, 2)) end()
  await until('two more have begun', () => started.length === 66)
  expect(started.slice(64)).toStrictEqual(['one.example', 'two.example'])
  keySets.close()
  for (const end of ends) end()
})

describe('the pause after a fetch', () => {
  // Told apart from the pauses by its length.
  const patienceMs = 777
  const pace: KeyPace = { ...usualPace, patienceMsMin: patienceMs, patienceMsMax: patienceMs }
  type Answer = Awaited<ReturnType<FetchKeys>>

  /** How long the set pauses after each of its fetches, `asked` of which a token has caused. */
  async function pauses(random: number, answers: readonly Answer[], asked: number): Promise<number[]> {
    const planned: number[] = []
    const neverRun = setTimeout(() => undefined)
    clearTimeout(neverRun)
    const timers = vi.spyOn(globalThis, 'setTimeout').mockImplementation((_run, ms = 0) => {
      if (ms !== patienceMs) planned.push(ms)
      return neverRun
    })
    const chance = vi.spyOn(Math, 'random').mockReturnValue(random)
    const left = [...answers]
    let nowMs = 1_800_000_000_000
    try {
      const set = createFetchedKeySet({
        place,
        fetchKeys: async () => left.shift()!,
        pace,
        clock: () => nowMs,
        report: () => undefined,
        onFetched: () => undefined,
      })
      set.start()
      await set.renew()
      for (let count = 0; count < asked; count++) {
        nowMs += pace.askedMs
        await set.renew()
      }
      set.stop()
    } finally {
      timers.mockRestore()
      chance.mockRestore()
    }
    return planned
  }

  const failed: Answer = { failure: 'refused' }

  test('is up to a quarter shorter than the longest, so that a fleet does not ask together', async () => {
    const good: Answer = { jwks: [key.publicJwk] }
    expect(await pauses(0, [good], 0)).toStrictEqual([180_000])
    expect(await pauses(0.5, [good], 0)).toStrictEqual([210_000])
    expect(await pauses(1, [good], 0)).toStrictEqual([240_000])
    expect(await pauses(0, [failed], 0)).toStrictEqual([750])
    expect(await pauses(1, [failed], 0)).toStrictEqual([1_000])
  })

  test('stays as it is where a token came before its end in vain, and begins anew where that brought keys', async () => {
    const good: Answer = { jwks: [key.publicJwk] }
    expect(await pauses(1, [good, failed, failed], 2)).toStrictEqual([240_000])
    expect(await pauses(1, [failed, failed], 1)).toStrictEqual([1_000])
    expect(await pauses(1, [good, failed, good], 2)).toStrictEqual([240_000, 240_000])
  })
})

describe('by the clock', () => {
  /** A set as a gateway has it, of a server that a test stands in for, with a clock and timers that a test moves. */
  function timedSet(fetchKeys: FetchKeys) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    // The longest pauses.
    vi.spyOn(Math, 'random').mockReturnValue(1)
    const set = createFetchedKeySet({
      place,
      fetchKeys,
      pace: usualPace,
      clock: Date.now,
      report: () => undefined,
      onFetched: () => undefined,
    })
    onTestFinished(() => {
      set.stop()
      vi.useRealTimers()
      vi.restoreAllMocks()
    })
    return { set, kids: () => set.keys.map(({ kid }) => kid) }
  }

  const forMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

  /** Keys are imported in turns of the event loop that no timer shows. */
  async function pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms)
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  const both = () => [key.publicJwk, nextKey.publicJwk]

  test.each([
    ['answers', 0, false],
    ['hangs five times before it answers', 5, false],
    ['answers, and tokens ask', 0, true],
    ['hangs when tokens ask and when it is due', 5, true],
  ])('a key that a server removed is gone within 300 s where it %s', async (_what, hangs, isAsked) => {
    const removedAt = 1_000
    let hungSince: number | null = null
    let left = hangs
    const { set, kids } = timedSet(async () => {
      const askedAt = Date.now() - beganAt
      // Hung ones begin shortly before the set asks by itself.
      if (askedAt > 200_000 && left > 0) {
        left--
        hungSince ??= askedAt
        await forMs(limits.keyFetchMsMax)
        return { failure: 'no answer within 2000 ms' }
      }
      const jwks = askedAt < removedAt ? both() : [nextKey.publicJwk]
      // What it says is as old as it can be when it arrives.
      await forMs(limits.keyFetchMsMax - 1)
      return { jwks }
    })
    const beganAt = Date.now()
    set.start()
    await pass(limits.keyFetchMsMax)
    expect(kids()).toStrictEqual(['a', 'b'])
    let waitedMs = limits.keyFetchMsMax
    while (kids().length > 1 && waitedMs < removedAt + 400_000) {
      if (isAsked && waitedMs > 201_000) void set.renew()
      await pass(500)
      waitedMs += 500
    }
    expect(kids()).toStrictEqual(['b'])
    expect(waitedMs - removedAt).toBeLessThanOrEqual(300_000)
    expect(hungSince !== null).toBe(hangs > 0)
  })

  test('an hour without a server changes no key; what it then lacks is gone within 300 s', async () => {
    let isDown = false
    let [fetches, jwks] = [0, both()]
    const { set, kids } = timedSet(async () => {
      fetches++
      return isDown ? { failure: 'refused' } : { jwks }
    })
    set.start()
    await pass(10)
    isDown = true
    const { keys } = set
    for (let minute = 0; minute < 60; minute++) {
      await pass(60_000)
      expect(set.keys).toBe(keys)
      expect(set.goodUntilMs).toBeGreaterThan(Date.now())
    }
    // Eight by ever longer pauses, and then one in four minutes.
    expect(fetches).toBeGreaterThan(15)
    expect(fetches).toBeLessThan(30)
    isDown = false
    jwks = [nextKey.publicJwk]
    await pass(300_000)
    expect(kids()).toStrictEqual(['b'])
  })

  test.each([
    [10, 250],
    [300, 600],
    [900, 1_000],
  ])(
    'a server that last took %i ms is waited for %i ms, and after them by nobody',
    async (tookMs, patienceMs) => {
      let answerMs = tookMs
      const { set } = timedSet(async () => {
        await forMs(answerMs)
        return { jwks: both() }
      })
      set.start()
      await pass(tookMs)
      answerMs = 1_900
      let ended = 0
      const wait = () => {
        const renewal = set.renew()
        if (!(renewal instanceof Promise)) return renewal
        void renewal.then(() => ended++)
        return 'waits'
      }
      expect(wait()).toBe('waits')
      await pass(patienceMs - 1)
      expect([wait(), ended]).toStrictEqual(['waits', 0])
      await pass(1)
      expect([ended, wait()]).toStrictEqual([2, 'resting'])
      // It was worth waiting for 1,000 ms at most, and goes on.
      await pass(1_900)
      expect(wait()).toBe('resting')
      await pass(usualPace.askedMs)
      expect(wait()).toBe('waits')
      await pass(999)
      expect(ended).toBe(2)
      await pass(1)
      expect(ended).toBe(3)
    },
  )
})

describe('a refresh', () => {
  test('that brings the same keys, in whatever order and with other extras, keeps the array', async () => {
    const scene = newScene({ askedMs: 0 })
    server.serve(key.publicJwk, rsa.publicJwk)
    const issuer = await followed(scene)
    const { keys } = issuer.keySet
    server.serve(
      { ...rsa.publicJwk, alg: undefined, x5t: 'new' },
      { ...key.publicJwk, use: 'sig' },
      { kty: 'oct' },
    )
    scene.time.ms += 1000
    await issuer.keySet.renew()
    expect(issuer.keySet.keys).toBe(keys)
    expect(issuer.keySet.goodUntilMs).toBe(scene.time.ms + 24 * hourMs)
    server.serve(key.publicJwk, rsa.publicJwk, nextKey.publicJwk)
    await issuer.keySet.renew()
    expect(issuer.keySet.keys).not.toBe(keys)
    expect(kidsOf(issuer)).toStrictEqual(['a', 'r', 'b'])
  })

  test('happens by itself, and a rotation arrives with it', async () => {
    const scene = newScene({ refreshMs: 10 })
    const issuer = await followed(scene)
    server.serve(nextKey.publicJwk)
    await until('the new key is there', () => kidsOf(issuer)[0] === 'b')
  })

  test.each<[string, (server: KeyServer) => void, RegExp]>([
    ['500', (s) => s.answerWith((_q, r) => r.writeHead(500).end()), /answers 500/],
    ['a well-formed empty set, which withdraws nothing', (s) => s.serve(), /no key that can be used/],
    ['secrets only', (s) => s.serve({ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }), /no key that can be used/],
    ['33 keys', (s) => s.serve(...Array.from({ length: 33 }, () => key.publicJwk)), /33 keys/],
    ['HTML', (s) => s.answerWith((_q, r) => r.end('<html>')), /not a JSON object/],
  ])('that gets %s keeps the known keys, and says so once', async (_what, breakIt, reason) => {
    const scene = newScene({ refreshMs: 10, retryMs: 10 })
    const issuer = await followed(scene)
    const { keys, goodUntilMs } = issuer.keySet
    breakIt(server)
    await until('it has failed often', () => scene.keySets.fetches().get('one')!.failed >= 4)
    expect(issuer.keySet).toMatchObject({ keys, goodUntilMs })
    expect(issuer.keySet.keys).toBe(keys)
    const told = () => scene.events.filter(({ event }) => event !== 'left-out')
    const place = { tenantId: 'one', issuer: iss, url: server.url() }
    expect(told()).toStrictEqual([{ event: 'failing', place, reason: expect.stringMatching(reason) }])
    server.serve(nextKey.publicJwk)
    await until('it works again', () => kidsOf(issuer)[0] === 'b')
    expect(told().slice(1)).toStrictEqual([{ event: 'recovered', place }])
  })

  test('that fails is tried again later and later', async () => {
    const asked: number[] = []
    server.answerWith((_request, response) => {
      asked.push(performance.now())
      response.writeHead(500).end()
    })
    const scene = newScene({ retryMs: 40 })
    scene.swapTo(await scene.issuerFor(document()))
    await until('it was tried five times', () => asked.length === 5)
    const gaps = asked.slice(1).map((at, index) => at - asked[index]!)
    // A pause is at least three quarters of its step; the machine may make it longer, never shorter.
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThan(0.74 * 40 * 2 ** index - 2)
  })
})

describe('keys that can not be used', () => {
  test('are left out and reported once each, without their material; the others serve', async () => {
    const scene = newScene({ askedMs: 0 })
    const secret = 'c2VjcmV0LW9mLXRoZS1zdHVkaW8'
    server.serve(
      { ...rsa.publicJwk, alg: undefined },
      { kty: 'oct', k: secret, alg: 'HS256', kid: 'shared' },
      { ...key.publicJwk, d: secret, kid: 'private' },
      { ...key.publicJwk, use: 'enc', kid: 'enc' },
      { ...rsa.publicJwk, alg: 'RS512', kid: 'rs512' },
      { ...rsa.publicJwk, e: 'AQAAAAE', kid: 'slow' },
      { ...key.publicJwk, crv: 'P-384', kid: 'p384' },
      { kty: 'AKP', kid: 'post-quantum' },
      'text',
      key.publicJwk,
      { ...nextKey.publicJwk, kid: 'a' },
    )
    const issuer = await followed(scene)
    await issuer.keySet.renew()
    expect(issuer.keySet.keys).toMatchObject([
      { kid: 'r', algorithm: 'RS256' },
      { kid: 'a', algorithm: 'ES256' },
    ])
    const leftOut = scene.events.map((event) => (event.event === 'left-out' ? event.key : null))
    expect(leftOut.map((one) => [one?.kid, one?.reason.split(':')[0]])).toStrictEqual([
      ['shared', 'kty'],
      ['private', 'd'],
      ['enc', 'use'],
      ['rs512', 'alg'],
      ['slow', 'e'],
      ['p384', 'crv'],
      ['post-quantum', 'kty'],
      [null, 'must be a public key as a JWK, with kty EC, RSA or OKP'],
      ['a', 'kid'],
    ])
    expect(JSON.stringify(scene.events)).not.toContain(secret)
    expect(JSON.stringify(scene.keySets.savedKeys())).not.toContain(secret)
  })

  test('are reported again when they come back', async () => {
    const scene = newScene({ askedMs: 0 })
    const bad = { kty: 'oct', kid: 'o' }
    const issuer = await followed(scene)
    for (const keys of [[bad], [bad], [], [bad]]) {
      server.serve(key.publicJwk, ...keys)
      await issuer.keySet.renew()
    }
    expect(scene.events.map(({ event }) => event)).toStrictEqual(['left-out', 'left-out'])
  })
})

describe('what is counted', () => {
  test('ages since the last success, or since the start', async () => {
    const scene = newScene({ askedMs: 0 })
    const issuer = await followed(scene)
    scene.time.ms += 5_000
    expect(scene.keySets.ages()).toStrictEqual([{ tenantId: 'one', issuer: iss, ageMs: 5_000 }])
    server.answerWith((_request, response) => response.writeHead(500).end())
    await issuer.keySet.renew()
    expect(scene.keySets.ages()).toMatchObject([{ ageMs: 5_000 }])
    const never = await scene.issuerFor(document({ issuer: 'https://never.example' }), 'two')
    scene.swapTo(issuer, never)
    scene.time.ms += 1_000
    expect(scene.keySets.ages().map(({ ageMs }) => ageMs)).toStrictEqual([6_000, 1_000])
    await until('it has failed', () => scene.keySets.fetches().get('two')?.failed === 1)
    expect(scene.keySets.fetches()).toStrictEqual(
      new Map([
        ['one', { ok: 1, failed: 1 }],
        ['two', { ok: 0, failed: 1 }],
      ]),
    )
    server.serve(key.publicJwk)
    await issuer.keySet.renew()
    expect(scene.keySets.ages()).toMatchObject([{ ageMs: 0 }, { ageMs: 1_000 }])
  })
})

describe('what outlives the process', () => {
  test('serves at once in the next one, while the key server is down, until 24 hours after its fetch', async () => {
    const first = newScene()
    server.serve(key.publicJwk, { ...rsa.publicJwk, alg: undefined, x5c: ['MIIB'] })
    await followed(first)
    expect(first.changes()).toBe(1)
    const saved = JSON.parse(JSON.stringify(first.keySets.savedKeys())) as SavedKeySet[]
    expect(saved).toMatchObject([
      {
        tenantId: 'one',
        issuer: iss,
        url: server.url(),
        fetchedAt: first.time.ms,
        keys: [{ kid: 'a' }, { kid: 'r' }],
      },
    ])
    expect(saved[0]!.keys[1]).not.toHaveProperty('x5c')
    first.keySets.close()
    expect(first.keySets.savedKeys()).toStrictEqual(saved)

    server.hang()
    const next = newScene({}, saved)
    next.time.ms += hourMs
    const issuer = await next.issuerFor(document())
    expect(issuer.keySet.keys).toMatchObject([
      { kid: 'a', algorithm: 'ES256' },
      { kid: 'r', algorithm: 'RS256' },
    ])
    expect(issuer.keySet.goodUntilMs).toBe(first.time.ms + 24 * hourMs)
    next.swapTo(issuer)
    expect(next.keySets.ages()).toMatchObject([{ ageMs: hourMs }])
    expect(next.keySets.savedKeys()).toStrictEqual(saved)
    next.time.ms = first.time.ms + 24 * hourMs
    expect(next.keySets.savedKeys()).toStrictEqual([])
  })

  test('is kept for tenants that are not loaded yet, and is nobody else’s', async () => {
    const fetchedAt = 1_800_000_000_000
    const saved = { tenantId: 'one', issuer: iss, url: server.url(), fetchedAt, keys: [] }
    const other = { ...saved, tenantId: 'two', keys: [savedJwk(key)] }
    const scene = newScene({}, [saved, other])
    const issuer = await followed(scene)
    expect(scene.keySets.savedKeys()).toMatchObject([
      { tenantId: 'two' },
      { tenantId: 'one', keys: [{ kid: 'a' }] },
    ])
    expect(kidsOf(await scene.issuerFor(document(), 'two'))).toStrictEqual(['a'])
    expect(
      kidsOf(await scene.issuerFor(document({ jwks: { url: `${server.url()}?2` } }), 'two')),
    ).toStrictEqual([])
    expect(kidsOf(issuer)).toStrictEqual(['a'])
  })

  test('with a time in the future counts from now, and unusable keys are none', async () => {
    const future = 1_800_000_000_000 + 48 * hourMs
    const keys = [savedJwk(key)]
    const place = { tenantId: 'one', issuer: iss, url: server.url(), fetchedAt: future }
    const scene = newScene({}, [{ ...place, keys }])
    expect((await scene.issuerFor(document())).keySet.goodUntilMs).toBe(scene.time.ms + 24 * hourMs)
    const broken = newScene({}, [{ ...place, keys: [{ kty: 'oct', k: 'x' }] }])
    expect((await broken.issuerFor(document())).keySet).toMatchObject({ keys: [] })
  })

  test('changes with every success, and with nothing else', async () => {
    const scene = newScene({ askedMs: 0 })
    const issuer = await followed(scene)
    await issuer.keySet.renew()
    server.answerWith((_request, response) => sendJson(response, {}))
    await issuer.keySet.renew()
    expect(scene.changes()).toBe(2)
  })
})
