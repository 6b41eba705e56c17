import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type StudioIssuer, studioIssuer } from '../../http/games.ts'
import { createGate } from '../../support/gate.ts'
import { testRedis } from '../../support/redis.ts'
import { openSite, type Site } from '../../support/site.ts'
import { applyDocument, testSettings } from '../../support/studio.ts'
import { until } from '../../support/until.ts'
import {
  elsewhere,
  here,
  offer,
  offersDocument,
  offersModel,
  publishOffer,
  standIn,
} from '../support/offers-studio.ts'
import { type WatchedGateway, watchGateway } from '../support/watched-gateway.ts'
import { buildFetching, type FetchingProcess, fetcherKinds, startFetching } from './fetching-process.ts'
import { missingMono } from './mono.ts'

/** A gateway, both fetchers on mono, and between them somebody who sees what is asked and may answer instead. */

const longMs = '60000'

const missing = await missingMono()
if (missing !== null) process.stderr.write(`skipped: the fetchers in C#, for want of ${missing}\n`)

let site: Site
let issuer: StudioIssuer
let base: string
let goodToken: string
let directory: string
let program: string

beforeAll(async () => {
  if (missing !== null) return
  site = await openSite(await testRedis())
  issuer = await studioIssuer('https://auth.offers.example', 'k1')
  await applyDocument(site.tools, offersDocument('offers-studio', issuer))
  await publishOffer(site, 'offers-studio')
  base = (await site.startGateway(testSettings(site.redis.url))).data
  goodToken = await tokenOf()
  directory = await mkdtemp(join(tmpdir(), 'recgate-fetching-'))
  const model = offersModel(offersDocument('offers-studio', issuer))
  program = await buildFetching(model, directory, ['UNITY_2019_4_OR_NEWER', 'UNITY_2020_2_OR_NEWER'])
})

afterAll(async () => {
  if (missing !== null) return
  await site.stop()
  await rm(directory, { recursive: true })
})

function tokenOf(more: Record<string, unknown> = {}, by = issuer): Promise<string> {
  return by.token({ model: 'offers', ...more })
}

const answered = {
  source: 'Gateway',
  version: 'fancy',
  reason: 'split',
  code: null,
  detail: null,
  record: offer,
}
const builtIn = { source: 'BuiltIn', version: null, reason: 'built-in', record: standIn }

test.skipIf(missing !== null)('the variant for Unity compiles for 2019.4, too', async () => {
  const older = await mkdtemp(join(tmpdir(), 'recgate-unity-'))
  const model = offersModel(offersDocument('offers-studio', issuer, { defaultRecord: 'none' }))
  await buildFetching(model, older, ['UNITY_2019_4_OR_NEWER'])
  await rm(older, { recursive: true })
})

describe.skipIf(missing !== null).each(fetcherKinds)('the fetcher by %s', (kind) => {
  let watched: WatchedGateway
  const running: FetchingProcess[] = []

  beforeEach(async () => {
    watched = await watchGateway(base)
  })

  afterEach(async () => {
    // An exception that nobody caught is how a program ends.
    for (const fetching of running.splice(0)) await fetching.close()
    await watched.stop()
  })

  /** @param tokens what the game gives each time; the last one again and again */
  function start(args: readonly string[] = [], tokens: readonly string[] = [goodToken], url = watched.url) {
    let asked = 0
    const [deadlineMs = longMs, ...options] = args
    const fetching = startFetching(
      program,
      [kind, url, deadlineMs, ...options],
      () => tokens[Math.min(asked++, tokens.length - 1)]!,
    )
    running.push(fetching)
    return fetching
  }

  test('gives the record, and the same again for a 304, for each set of parameters', async () => {
    const fetching = start()
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
    const other = await fetching.fetch(...elsewhere)
    expect(other).toMatchObject({ source: 'Gateway', reason: 'default', status: 200, record: standIn })
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 304 })
    expect(await fetching.fetch(...elsewhere)).toEqual({ ...other, status: 304 })
    expect(watched.seen.map(({ status }) => status)).toEqual([200, 200, 304, 304])
    const { url, headers } = watched.seen[0]!
    expect(headers).toMatchObject({ accept: 'application/vnd.recgate.packed' })
    expect(headers).not.toHaveProperty('recgate-deadline-ms')
    expect(headers).not.toHaveProperty('if-none-match')
    const [region, level, shop] = here
    const query = new URLSearchParams({ model: 'offers', region, level, shop })
    expect([...new URL(url, base).searchParams]).toEqual([...query])
    expect(fetching.refreshes).toEqual([false, false, false, false])
  })

  test('keeps version, reason and ETag for a 304 that says nothing (RFC 9110, 15.4.5)', async () => {
    const fetching = start()
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
    watched.meddle(({ status, body }) => ({ status, headers: {}, body }))
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 304 })
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 304 })
    await watched.stop()
    const kept = { source: 'Kept', version: 'fancy', reason: 'kept', code: 'network', record: offer }
    expect(await fetching.fetch(...here)).toMatchObject(kept)
  })

  test('says a deadline of the gateway’s and leaves the model out, where it is told to', async () => {
    for (const url of [`${watched.url}//`, `${watched.url}/recommendations`, ` ${watched.url}/ \t`]) {
      watched.forget()
      const fetching = start([longMs, 'no-model', '9000'], [goodToken], url)
      expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
      expect(watched.seen[0]!.headers).toMatchObject({ 'recgate-deadline-ms': '9000' })
      expect(watched.seen[0]!.url).toMatch(
        /^\/recommendations\?region=S%C3%A3o%20Paulo%20%26%20S%C3%B6hne%3F&/,
      )
    }
  })

  test('refuses a URL and options that can not be meant', async () => {
    const urls = [
      'recommendations.example',
      'ftp://a.example',
      'https://a.example/?x',
      'https://me@a.example',
    ]
    for (const url of urls) {
      const { refused } = (await start([], [], url).fetch(...here)) as { refused: string }
      expect(refused).toBe(
        `the gateway's URL is "${url}", but must be like https://recommendations.example.com, without ? and #`,
      )
    }
    expect(await start(['0']).fetch(...here)).toEqual({ refused: 'DeadlineMs is 0, but must be 1 or more' })
    expect(await start(['9', '4']).fetch(...here)).toEqual({
      refused: 'GatewayDeadlineMs is 4, but must be from 5 to 999999999, or null',
    })
  })

  test('refuses parameters that do not fit, and asks nobody', async () => {
    const fetching = start()
    const fits = '1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'
    const faults = [
      [['FR', '7', 'x'], `the parameter region is "FR", but must be one of DE, ${here[0]}`],
      [['DE', '100', 'x'], 'the parameter level is "100", but must be a whole number from 0 to 99'],
      [['DE', '-1', 'x'], 'the parameter level is "-1", but must be a whole number from 0 to 99'],
      [['DE', '7', ''], `the parameter shop is "", but must be ${fits}`],
      [['DE', '7', '123456789'], `the parameter shop is "123456789", but must be ${fits}`],
      [['DE', '7', 'a/b'], `the parameter shop is "a/b", but must be ${fits}`],
    ] as const
    for (const [values, refused] of faults) expect(await fetching.fetch(...values)).toEqual({ refused })
    expect(watched.seen).toEqual([])
    expect(fetching.refreshes).toEqual([])
  })

  test('asks for another token once, when the last one has expired', async () => {
    const now = Math.floor(Date.now() / 1000)
    const expired = await tokenOf({ iat: now - 1_000, exp: now - 500 })
    const fetching = start([], [expired, goodToken])
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
    expect(fetching.refreshes).toEqual([false, true])
    expect(watched.seen.map(({ status }) => status)).toEqual([401, 200])

    watched.forget()
    const never = start([], [expired])
    expect(await never.fetch(...here)).toMatchObject({ ...builtIn, status: 401, code: 'token-expired' })
    expect(never.refreshes).toEqual([false, true])
    expect(watched.seen.map(({ status }) => status)).toEqual([401, 401])
  })

  test('gives up where the game has no token, and never sends one that would break a header', async () => {
    const faults = [
      ['-', 'the token callback gave no token'],
      ['throw', 'the token callback failed: nobody is logged in'],
      ['a b', 'the token callback gave text that is no token: only printable ASCII without spaces is'],
      ['a\tb', 'the token callback gave text that is no token: only printable ASCII without spaces is'],
      ['Grüße', 'the token callback gave text that is no token: only printable ASCII without spaces is'],
    ] as const
    for (const [token, detail] of faults) {
      const fetched = await start([], [token]).fetch(...here)
      expect(fetched).toEqual({ ...builtIn, status: 0, code: 'token-callback', detail })
    }
    expect(watched.seen).toEqual([])
  })

  test('never repeats another 4xx', async () => {
    const refusals = [
      [await tokenOf({ model: 'others' }), 403, 'model-not-allowed'],
      [`${goodToken.slice(0, -8)}AAAAAAAA`, 401, 'token-invalid'],
      [await tokenOf({ aud: 'somebody' }), 401, 'audience-mismatch'],
    ] as const
    for (const [token, status, code] of refusals) {
      watched.forget()
      const fetching = start([], [token])
      const fetched = await fetching.fetch(...here)
      expect(fetched).toMatchObject({
        ...builtIn,
        status,
        code,
        detail: expect.stringMatching(/token|audience/),
      })
      expect(fetching.refreshes).toEqual([false])
      expect(watched.seen.length).toBe(1)
    }
  })

  test('comes back once after 429, when Retry-After is over', async () => {
    const metered = await studioIssuer(`https://auth.metered-${kind}.example`, 'k1')
    const tenant = `metered-${kind}`
    const quota = { requestsPerSecond: 1, burst: 1, concurrency: 10 }
    await applyDocument(site.tools, offersDocument(tenant, metered, { quota }))
    await publishOffer(site, tenant)
    const fetching = start([], [await tokenOf({}, metered)])
    await until('the gateway knows the tenant', async () => {
      const fetched = await fetching.fetch(...here)
      return 'source' in fetched && fetched.source === 'Gateway'
    })
    watched.forget()
    // One request a second comes back: a few at once meet the bound.
    await until('a request is refused at first', async () => {
      expect(await fetching.fetch(...here)).toMatchObject(answered)
      return watched.seen.some(({ status }) => status === 429)
    })
    expect(watched.seen.slice(-2).map(({ status }) => status)).toEqual([429, 304])
  })

  test('comes back once after 503, when Retry-After is over', async () => {
    const gate = await createGate(site.redis.url)
    await gate.open()
    const tenant = `strict-${kind}`
    const strict = await studioIssuer(`https://auth.${tenant}.example`, 'k1')
    await applyDocument(site.tools, offersDocument(tenant, strict, { defaultRecord: 'none' }))
    await publishOffer(site, tenant)
    const { data } = await site.startGateway(testSettings(gate.url))
    const behind = await watchGateway(data)
    const token = await tokenOf({}, strict)
    try {
      await gate.shut()
      behind.meddle(async (answer, count) => {
        if (count > 1) return answer
        await gate.open()
        await until('the gateway reads again', async () => {
          const headers = { Authorization: `Bearer ${token}` }
          return (await fetch(`${data}${behind.seen[0]!.url}`, { headers })).status === 200
        })
        return answer
      })
      expect(await start([], [token], behind.url).fetch(...here)).toEqual({ ...answered, status: 200 })
      expect(behind.seen.map(({ status }) => status)).toEqual([503, 200])
    } finally {
      await behind.stop()
      await gate.shut()
    }
  })

  test('comes back only once, only for seconds, and only where the deadline allows', async () => {
    const problem = {
      title: 'x "code": ',
      nested: { code: 'wrong' },
      code: 'busy',
      detail: 'too \\ "m\u00fcch"',
    }
    const fetching = start(['30000'])
    const cases = [
      ['0', 2],
      ['31', 1],
      ['999999999', 1],
      ['-1', 1],
      ['1.5', 1],
      ['Wed, 21 Oct 2026 07:28:00 GMT', 1],
      [undefined, 1],
    ] as const
    for (const [retryAfter, requests] of cases) {
      watched.forget()
      watched.meddle(() => ({
        status: 503,
        headers: {
          'content-type': 'application/problem+json; charset=utf-8',
          ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
        },
        body: Buffer.from(JSON.stringify(problem).replace('ü', '\\u00fC')),
      }))
      const fetched = await fetching.fetch(...here)
      expect(fetched).toEqual({ ...builtIn, status: 503, code: 'busy', detail: problem.detail })
      expect(watched.seen.length, `Retry-After: ${retryAfter}`).toBe(requests)
    }
  })

  test('is over at the deadline, whoever hangs', async () => {
    const hanging = start(['2000'])
    watched.meddle(() => new Promise(() => undefined))
    const over = { code: 'deadline', detail: 'no answer within 2000 ms', status: 0 }
    expect(await hanging.fetch(...here)).toEqual({ ...builtIn, ...over })
    expect(await start(['300'], ['never']).fetch(...here)).toMatchObject({ ...builtIn, code: 'deadline' })
    watched.meddle(null)
    await until('an answer comes in time', async () => {
      const fetched = await hanging.fetch(...here)
      return 'source' in fetched && fetched.source === 'Gateway'
    })
    watched.meddle(() => new Promise(() => undefined))
    const kept = { ...answered, source: 'Kept', reason: 'kept' }
    expect(await hanging.fetch(...here)).toEqual({ ...kept, ...over })
  })

  test('ends when its caller wants no more, and works on afterwards', async () => {
    const fetching = start()
    watched.meddle(() => new Promise(() => undefined))
    const fetched = fetching.fetch(...here)
    await until('the gateway was asked', () => watched.seen.length === 1)
    fetching.cancel()
    expect(await fetched).toEqual({ refused: 'cancelled' })
    watched.meddle(null)
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
  })

  // HttpClient's has nothing to dispose of.
  if (kind === 'unity') {
    test('disposes of a stopped coroutine’s request with the first fetch after its deadline', async () => {
      const [early, late] = [start(), start(['1000'])]
      for (const fetching of [early, late]) {
        watched.meddle(() => new Promise(() => undefined))
        const asked = watched.seen.length
        const stopped = fetching.fetch(...here)
        await until('the gateway was asked', () => watched.seen.length > asked)
        fetching.cancel()
        expect(await stopped).toEqual({ refused: 'cancelled' })
        expect(await fetching.held()).toBe(1)
      }
      watched.meddle(null)
      // For all that it knows, that one may still come back.
      await early.fetch(...here)
      expect(await early.held()).toBe(1)
      await until('its deadline is over', async () => {
        await late.fetch(...here)
        return (await late.held()) === 0
      })
    })

    test('says deadline where another fetch came between it and its end', async () => {
      const fetching = start(['2000'])
      watched.meddle((answer, count) => (count === 1 ? new Promise(() => undefined) : answer))
      const fetched = fetching.fetch(...here)
      await until('the gateway was asked', () => watched.seen.length === 1)
      fetching.beLate()
      expect(await fetched).toMatchObject({ ...builtIn, status: 0, code: 'deadline' })
      expect(watched.seen.length).toBe(2)
      expect(await fetching.held()).toBe(0)
    })

    test('asks nobody after it was disposed of, whatever it was at', async () => {
      const disposed = { ...builtIn, code: 'network', detail: 'no answer: the fetcher was disposed of' }
      const asking = start([], ['never'])
      const waitsForToken = asking.fetch(...here)
      await until('it asked for a token', () => asking.refreshes.length === 1)
      asking.dispose()
      expect(await waitsForToken).toEqual({ ...disposed, status: 0 })
      expect(await asking.fetch(...here)).toEqual({ ...disposed, status: 0 })
      expect(asking.refreshes.length).toBe(1)
      expect(watched.seen).toEqual([])

      const waiting = start()
      let isAnswered = false
      watched.meddle(() => {
        isAnswered = true
        return { status: 503, headers: { 'retry-after': '50' }, body: Buffer.from('') }
      })
      const waits = waiting.fetch(...here)
      await until('it was sent away', () => isAnswered)
      waiting.dispose()
      expect(await waits).toMatchObject(disposed)
      expect(watched.seen.length).toBe(1)

      watched.meddle(() => new Promise(() => undefined))
      const sending = start()
      const sent = sending.fetch(...here)
      await until('the gateway was asked', () => watched.seen.length === 2)
      sending.dispose()
      expect(await sent).toEqual({ ...disposed, status: 0 })
      expect(await sending.held()).toBe(0)
    })
  }

  test('falls back to what it has kept, or else to the built-in record, when the gateway is gone', async () => {
    const [fetching, forgetful] = [start(), start([longMs, 'no-kept'])]
    for (const each of [fetching, forgetful])
      expect(await each.fetch(...here)).toEqual({ ...answered, status: 200 })
    await watched.stop()
    expect(await fetching.fetch(...here)).toEqual({
      source: 'Kept',
      version: 'fancy',
      reason: 'kept',
      status: 0,
      code: 'network',
      detail: expect.stringMatching(/^no answer: ./),
      record: offer,
    })
    expect(await fetching.fetch(...elsewhere)).toMatchObject({ ...builtIn, code: 'network' })
    expect(await forgetful.fetch(...here)).toMatchObject({ ...builtIn, code: 'network' })
  })

  test('takes an address that nobody can be reached at for a failure of the network', async () => {
    const fetched = await start([], [goodToken], 'http://recommendations.invalid').fetch(...here)
    expect(fetched).toMatchObject({ ...builtIn, status: 0, code: 'network' })
    if (kind === 'unity')
      expect(fetched).toHaveProperty('detail', 'no answer: Insecure connection not allowed')
  })

  test('takes nothing for a record that is none', async () => {
    const fetching = start()
    const packed = { 'content-type': 'application/vnd.recgate.packed' }
    const problem = { 'content-type': 'application/problem+json' }
    const wrong = [
      [{ status: 200, headers: packed, body: '' }, 'packed-empty'],
      [{ status: 200, headers: packed, body: '\x01' }, 'packed-truncated'],
      [{ status: 200, headers: packed, body: '\x01'.repeat(70_000) }, 'answer-unexpected'],
      [{ status: 200, headers: { 'content-type': 'text/html' }, body: '<p>Welcome' }, 'answer-unexpected'],
      [{ status: 200, headers: {}, body: '' }, 'answer-unexpected'],
      [{ status: 304, headers: {}, body: '' }, 'answer-unexpected'],
      [{ status: 302, headers: { location: base }, body: '' }, 'answer-unexpected'],
      [{ status: 500, headers: problem, body: '{"code":1,"x":["code","y"]}' }, 'answer-unexpected'],
      [{ status: 502, headers: problem, body: '{"code":"new-one"' }, 'new-one'],
      [{ status: 418, headers: { 'content-type': 'text/html' }, body: '{"code":"x"}' }, 'answer-unexpected'],
    ] as const
    for (const [{ status, headers, body }, code] of wrong) {
      watched.forget()
      watched.meddle(() => ({ status, headers, body: Buffer.from(body) }))
      expect(await fetching.fetch(...here)).toMatchObject({ ...builtIn, status, code })
      expect(watched.seen.length).toBe(1)
    }
    watched.meddle(null)
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 200 })
  })

  test('takes headers in whatever form, and reasons to come', async () => {
    const fetching = start()
    watched.meddle((answer) => ({
      ...answer,
      headers: {
        ...answer.headers,
        'content-type': 'Application/Vnd.Recgate.Packed ; x=y',
        recgate: 'x=1;v=2,v=fancy;p, r=brand-new ,z',
      },
    }))
    expect(await fetching.fetch(...here)).toEqual({ ...answered, reason: 'brand-new', status: 200 })
    watched.meddle(null)
    expect(await fetching.fetch(...here)).toEqual({ ...answered, status: 304 })
  })
})
