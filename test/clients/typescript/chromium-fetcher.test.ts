import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { gamesDefault, gamesRecord, playerRecord, versionSalt } from '../../http/games.ts'
import { type GamesStudio, startGamesStudio } from '../../http/games-studio.ts'
import { chromiumMissing, launchChromium } from '../../support/chromium.ts'
import { builtClients } from './node-runner.ts'
import { type ServedDirectory, serveDirectory } from './serve-directory.ts'

/** A web game on an origin of its own: generated decoder and fetcher in its page, CORS between it and the gateway. */

if (chromiumMissing !== null)
  process.stderr.write(`skipped: the fetcher in Chromium, for want of ${chromiumMissing}\n`)

let directory: string
let studio: GamesStudio
let browser: Browser
let pages: ServedDirectory
let page: Page

beforeAll(async () => {
  if (chromiumMissing !== null) return
  directory = await mkdtemp(join(tmpdir(), 'recgate-page-'))
  const described = {
    tenantId: 'steam-studio',
    record: recordSchemaDocument.parse(gamesRecord),
    key: [{ claim: 'sub' }],
    defaultRecord: { ...gamesDefault },
    deadlineMs: 50,
  }
  const models = ['games', 'strict'].map((modelId) => describeClientModel({ ...described, modelId }))
  pages = await serveDirectory(dirname(await builtClients(models, directory)))
  studio = await startGamesStudio()
  browser = await launchChromium()
  page = await browser.newPage()
  await page.goto(pages.url)
})
afterAll(async () => {
  await browser?.close()
  await pages?.close()
  await studio?.stop()
  if (directory !== undefined) await rm(directory, { recursive: true })
})

const startGateway = () => studio.start({ RECGATE_CORS_ORIGINS: new URL(pages.url).origin })

/** Makes a fetcher in the page; what it answers comes from `recommend`. */
async function openFetcher(
  model: 'games' | 'strict',
  baseUrl: string,
  tokens: readonly string[],
): Promise<void> {
  const decoder = model === 'games' ? './0/steam-studio.games.js' : './1/steam-studio.strict.js'
  await page.evaluate(`(async () => {
    const { ${model}Model } = await import('${decoder}')
    const { createFetcher } = await import('./0/recgate-fetcher.js')
    const tokens = ${JSON.stringify(tokens)}
    const token = (refresh) => tokens[refresh ? 1 : 0]
    globalThis.fetcher = createFetcher(${model}Model, { baseUrl: '${baseUrl}', token, deadlineMs: 60000 })
  })()`)
}

const recommend = () => page.evaluate('fetcher.recommend()')

describe.skipIf(chromiumMissing !== null)('the fetcher in Chromium', () => {
  test('reads a record, then 304, and keeps it when the gateway is gone', async () => {
    const gateway = await startGateway()
    await openFetcher('games', gateway.data, [await studio.token(1)])
    const answer = { record: playerRecord(1, versionSalt.itemcf), version: 'itemcf' }
    const given = { ...answer, source: 'gateway', reason: 'override', error: null }
    expect(await recommend()).toEqual({ ...given, status: 200 })
    expect(await recommend()).toEqual({ ...given, status: 304 })
    await gateway.gateway.stop()
    expect(await recommend()).toEqual({
      ...answer,
      source: 'kept',
      reason: 'kept',
      status: null,
      error: { code: 'network', detail: expect.stringMatching(/fetch/) },
    })
  })

  test('refreshes a token that has expired', async () => {
    const { data } = await startGateway()
    const now = Math.floor(Date.now() / 1_000)
    const expired = await studio.token(2, 'itemcf', { iat: now - 1_000, exp: now - 500 })
    await openFetcher('games', data, [expired, await studio.token(2)])
    expect(await recommend()).toMatchObject({ record: playerRecord(2, versionSalt.itemcf), status: 200 })
  })

  test('reads Retry-After across origins: one more try, then the default record', async () => {
    const { data } = await startGateway()
    let tries = 0
    page.on('request', (request) => {
      if (request.method() === 'GET' && request.url().startsWith(data)) tries++
    })
    await openFetcher('strict', data, [await studio.issuer.token({ model: 'strict', sub: 'nobody' })])
    expect(await recommend()).toMatchObject({
      record: gamesDefault,
      source: 'built-in',
      status: 503,
      error: { code: 'store-unavailable' },
    })
    expect(tries).toBe(2)
  })
})
