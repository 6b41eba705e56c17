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
  offersDocument,
  offersModel,
  publishOffer,
  offer as record,
  region,
  standIn,
} from '../support/offers-studio.ts'
import { type WatchedGateway, watchGateway } from '../support/watched-gateway.ts'
import { buildProgram } from './client-program.ts'
import { compilers } from './compilers.ts'
import { type FetchingProcess, startFetching } from './fetching-program.ts'

/** A gateway, a fetcher by libcurl, and between them somebody who sees what is asked and may answer instead. */

const longMs = '60000'

let site: Site
let issuer: StudioIssuer
let base: string
let goodToken: string

beforeAll(async () => {
  site = await openSite(await testRedis())
  issuer = await studioIssuer('https://auth.offers.example', 'k1')
  await applyDocument(site.tools, offersDocument('offers-studio', issuer))
  await publishOffer(site, 'offers-studio')
  base = (await site.startGateway(testSettings(site.redis.url))).data
  goodToken = await tokenOf()
})

afterAll(() => site.stop())

function tokenOf(more: Record<string, unknown> = {}, by = issuer): Promise<string> {
  return by.token({ model: 'offers', ...more })
}

const answered = { source: 'gateway', version: 'fancy', reason: 'split', code: '', detail: '', record }
const builtIn = { source: 'built-in', version: '', reason: 'built-in', record: standIn }

for (const compiler of compilers) {
  const missing = await compiler.missing()
  if (missing !== null)
    process.stderr.write(`skipped: the fetcher by ${compiler.command}, for want of ${missing}\n`)

  describe.skipIf(missing !== null)(`the fetcher, compiled by ${compiler.command} under sanitizers`, () => {
    let directory: string
    let program: string
    let watched: WatchedGateway
    const running: FetchingProcess[] = []

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'recgate-fetching-'))
      const model = offersModel(offersDocument('offers-studio', issuer))
      program = await buildProgram(compiler, 'fetching.cpp', model, directory)
    }, 240_000)

    afterAll(() => rm(directory, { recursive: true }))

    beforeEach(async () => {
      watched = await watchGateway(base)
    })

    afterEach(async () => {
      // A sanitizer's complaint is how a program ends.
      for (const fetching of running.splice(0)) await fetching.close()
      await watched.stop()
    })

    /** @param tokens what the game gives each time; the last one again and again */
    function start(args: readonly string[] = [], tokens: readonly string[] = [goodToken], url = watched.url) {
      let asked = 0
      const [deadlineMs = longMs, ...options] = args
      const fetching = startFetching(
        program,
        [url, deadlineMs, ...options],
        () => tokens[Math.min(asked++, tokens.length - 1)]!,
      )
      running.push(fetching)
      return fetching
    }

    test('gives the record, and the same again for a 304, for each set of parameters', async () => {
      const fetching = start()
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 200 })
      const other = await fetching.recommend(...elsewhere)
      expect(other).toMatchObject({ source: 'gateway', reason: 'default', status: 200, record: standIn })
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 304 })
      expect(await fetching.recommend(...elsewhere)).toEqual({ ...other, status: 304 })
      expect(watched.seen.map(({ status }) => status)).toEqual([200, 200, 304, 304])
      const [first] = watched.seen
      expect(first!.headers).toMatchObject({ accept: 'application/vnd.recgate.packed' })
      expect(first!.headers).not.toHaveProperty('recgate-deadline-ms')
      expect(first!.headers).not.toHaveProperty('if-none-match')
      const query = new URLSearchParams({ model: 'offers', region, level: '7', shop: 'a_b.c-d' })
      expect([...new URL(first!.url, base).searchParams]).toEqual([...query])
      expect(fetching.refreshes).toEqual([false, false, false, false])
    })

    test('says a deadline of the gateway’s and leaves the model out, where it is told to', async () => {
      const fetching = start([longMs, 'no-model', '9000'], [goodToken], `${watched.url}//`)
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 200 })
      expect(watched.seen[0]!.headers).toMatchObject({ 'recgate-deadline-ms': '9000' })
      expect(watched.seen[0]!.url).toMatch(
        /^\/recommendations\?region=S%C3%A3o%20Paulo%20%26%20S%C3%B6hne%3F&/,
      )
    })

    test('refuses parameters that do not fit, and asks nobody', async () => {
      const fetching = start()
      const faults = [
        [['FR', '7', 'x'], `region: must be one of DE, ${region}`],
        [['', '7', 'x'], `region: must be one of DE, ${region}`],
        [['DE', '100', 'x'], 'level: must be 0 to 99'],
        [['DE', '-1', 'x'], 'level: must be 0 to 99'],
        [['DE', '7', ''], 'shop: must be 1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'],
        [['DE', '7', '123456789'], 'shop: must be 1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'],
        [['DE', '7', 'a/b'], 'shop: must be 1 to 8 of A-Z, a-z, 0-9, "_", "." and "-"'],
      ] as const
      for (const [values, detail] of faults)
        expect(await fetching.recommend(...values)).toEqual({
          ...builtIn,
          status: 0,
          code: 'parameter-invalid',
          detail,
        })
      expect(watched.seen).toEqual([])
      expect(fetching.refreshes).toEqual([])
    })

    test('asks for another token once, when the last one has expired', async () => {
      const now = Math.floor(Date.now() / 1000)
      const expired = await tokenOf({ iat: now - 1_000, exp: now - 500 })
      const fetching = start([], [expired, goodToken])
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 200 })
      expect(fetching.refreshes).toEqual([false, true])
      expect(watched.seen.map(({ status }) => status)).toEqual([401, 200])

      watched.forget()
      const never = start([], [expired])
      expect(await never.recommend(...here)).toMatchObject({ ...builtIn, status: 401, code: 'token-expired' })
      expect(never.refreshes).toEqual([false, true])
      expect(watched.seen.map(({ status }) => status)).toEqual([401, 401])
    })

    test('gives up where the game has no token, and never sends one that would break a header', async () => {
      for (const token of ['-', 'a\rb', 'Grüße']) {
        const fetched = await start([], [token]).recommend(...here)
        expect(fetched).toMatchObject({ ...builtIn, status: 0, code: 'token-callback' })
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
        const fetched = await fetching.recommend(...here)
        expect(fetched).toMatchObject({ ...builtIn, status, code })
        expect(fetched.detail).not.toBe('')
        expect(fetching.refreshes).toEqual([false])
        expect(watched.seen.length).toBe(1)
      }
    })

    test('comes back once after 429, when Retry-After is over', async () => {
      const metered = await studioIssuer('https://auth.metered.example', 'k1')
      const tenant = `metered-${compiler.command[0]}`
      const quota = { requestsPerSecond: 10, burst: 1, concurrency: 10 }
      const entry = {
        ...metered,
        entry: () => ({ ...metered.entry(), issuer: `${metered.issuer}/${tenant}` }),
      }
      await applyDocument(site.tools, offersDocument(tenant, entry, { quota }))
      await publishOffer(site, tenant)
      const token = await tokenOf({ iss: `${metered.issuer}/${tenant}` }, metered)
      const fetching = start([], [token])
      await until('the gateway knows the tenant', async () => {
        const { status } = await fetching.recommend(...here)
        return status === 200 || status === 304
      })
      watched.forget()
      // A second is enough for the next one, and a few milliseconds aren't.
      await until('a request is refused at first', async () => {
        const { source } = await fetching.recommend(...here)
        expect(source).toBe('gateway')
        return watched.seen.some(({ status }) => status === 429)
      })
      expect(watched.seen.slice(-2).map(({ status }) => status)).toEqual([429, 304])
    })

    test('comes back once after 503, when Retry-After is over', async () => {
      const gate = await createGate(site.redis.url)
      await gate.open()
      const tenant = `strict-${compiler.command[0]}`
      const strict = await studioIssuer(`https://auth.${tenant}.example`, 'k1')
      await applyDocument(site.tools, offersDocument(tenant, strict, { defaultRecord: 'none' }))
      await publishOffer(site, tenant)
      const { data } = await site.startGateway(testSettings(gate.url))
      const behind = await watchGateway(data)
      try {
        await gate.shut()
        behind.meddle(async (answer, count) => {
          if (count > 1) return answer
          await gate.open()
          await until('the gateway reads again', async () => {
            const headers = { Authorization: `Bearer ${token}` }
            const url = `${data}${behind.seen[0]!.url}`
            return (await fetch(url, { headers })).status === 200
          })
          return answer
        })
        const token = await tokenOf({}, strict)
        const fetched = await start([], [token], behind.url).recommend(...here)
        expect(fetched).toEqual({ ...answered, status: 200 })
        expect(behind.seen.map(({ status }) => status)).toEqual([503, 200])
      } finally {
        await behind.stop()
        await gate.shut()
      }
    })

    test('comes back only once, only for seconds, and only where the deadline allows', async () => {
      const busy = (retryAfter?: string) => {
        const headers = { 'content-type': 'application/problem+json', 'x-other': 'code' }
        const problem = {
          title: 'x "code": ',
          nested: { code: 'wrong' },
          code: 'busy',
          detail: 'too \\ "much"',
        }
        watched.forget()
        watched.meddle(() => ({
          status: 503,
          headers: { ...headers, ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }) },
          body: Buffer.from(JSON.stringify(problem)),
        }))
      }
      const fetching = start(['30000'])
      const cases = [
        ['0', 2],
        ['31', 1],
        ['999999999', 1],
        ['99999999999999999999', 1],
        ['-1', 1],
        ['1.5', 1],
        ['Wed, 21 Oct 2026 07:28:00 GMT', 1],
        [undefined, 1],
      ] as const
      for (const [retryAfter, requests] of cases) {
        busy(retryAfter)
        const fetched = await fetching.recommend(...here)
        expect(fetched).toEqual({ ...builtIn, status: 503, code: 'busy', detail: 'too \\ "much"' })
        expect(watched.seen.length, `Retry-After: ${retryAfter}`).toBe(requests)
      }
    })

    test('is over at the deadline, whoever hangs', async () => {
      const hanging = start(['300'])
      watched.meddle(() => new Promise(() => undefined))
      expect(await hanging.recommend(...here)).toEqual({
        ...builtIn,
        status: 0,
        code: 'deadline',
        detail: 'no record within 300 ms',
      })
      expect(await start(['300'], ['never']).recommend(...here)).toMatchObject({
        ...builtIn,
        code: 'deadline',
      })
      watched.meddle(null)
      expect(await hanging.recommend(...here)).toMatchObject({ source: 'gateway' })
      watched.meddle(() => new Promise(() => undefined))
      expect(await hanging.recommend(...here)).toMatchObject({ source: 'kept', code: 'deadline', record })
    })

    test('falls back to what it has kept, or else to the built-in record, when the gateway is gone', async () => {
      const [fetching, forgetful] = [start(), start([longMs, 'no-kept'])]
      for (const each of [fetching, forgetful])
        expect(await each.recommend(...here)).toEqual({ ...answered, status: 200 })
      await watched.stop()
      expect(await fetching.recommend(...here)).toMatchObject({
        source: 'kept',
        version: 'fancy',
        reason: 'kept',
        status: 0,
        code: 'network',
        record,
      })
      expect(await fetching.recommend(...elsewhere)).toMatchObject({ ...builtIn, code: 'network' })
      expect(await forgetful.recommend(...here)).toMatchObject({ ...builtIn, code: 'network' })
    })

    test('takes nothing for a record that is none', async () => {
      const fetching = start()
      const packed = { 'content-type': 'application/vnd.recgate.packed' }
      const wrong = [
        [{ status: 200, headers: packed, body: '' }, 'packed-empty'],
        [{ status: 200, headers: packed, body: '\x01' }, 'packed-truncated'],
        [{ status: 200, headers: packed, body: '\x01'.repeat(70_000) }, 'network'],
        [{ status: 200, headers: { 'content-type': 'text/html' }, body: '<p>Welcome' }, 'answer-unexpected'],
        [{ status: 304, headers: {}, body: '' }, 'answer-unexpected'],
        [{ status: 302, headers: { location: base }, body: '' }, 'answer-unexpected'],
        [
          { status: 500, headers: { 'content-type': 'application/problem+json' }, body: '{"code":1}' },
          'answer-unexpected',
        ],
        [
          { status: 502, headers: { 'content-type': 'application/problem+json' }, body: '{"code":"new-one"' },
          'new-one',
        ],
      ] as const
      for (const [{ status, headers, body }, code] of wrong) {
        watched.forget()
        watched.meddle(() => ({ status, headers, body: Buffer.from(body) }))
        expect(await fetching.recommend(...here)).toMatchObject({ ...builtIn, code })
        expect(watched.seen.length).toBe(1)
      }
    })

    test('takes headers in whatever form, reasons to come, and answers that others announce', async () => {
      const fetching = start()
      watched.meddle((answer) => ({
        ...answer,
        hints: { link: '</x>; rel=preload', recgate: 'v=wrong, r=wrong', etag: '"wrong"' },
        headers: {
          ...answer.headers,
          'content-type': 'Application/Vnd.Recgate.Packed ; x=y',
          recgate: 'x=1;v=2,v=fancy;p, r=brand-new ,z',
        },
      }))
      expect(await fetching.recommend(...here)).toEqual({ ...answered, reason: 'brand-new', status: 200 })
      watched.meddle(null)
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 304 })
    })

    test('keeps a record without an ETag for bad times, and takes no 304 for it', async () => {
      const fetching = start()
      watched.meddle(({ headers: { etag, ...headers }, ...answer }) => ({ ...answer, headers }))
      expect(await fetching.recommend(...here)).toEqual({ ...answered, status: 200 })
      watched.meddle((answer) => ({ ...answer, status: 304, body: Buffer.alloc(0) }))
      expect(await fetching.recommend(...here)).toMatchObject({
        source: 'kept',
        code: 'answer-unexpected',
        record,
      })
      expect(watched.seen.every(({ headers }) => headers['if-none-match'] === undefined)).toBe(true)
    })
  })
}
