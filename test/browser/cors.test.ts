import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileRecordSchema } from '../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../src/domain/codec/record-schema.ts'
import { gamesRecord, playerRecord, versionSalt } from '../http/games.ts'
import { type GamesStudio, startGamesStudio } from '../http/games-studio.ts'
import { chromiumMissing, launchChromium } from '../support/chromium.ts'

/** A web game's page on one origin, the gateway on another, and a browser between them that enforces CORS. */

const hasChromium = chromiumMissing === null
if (!hasChromium) process.stderr.write(`tests: the browser's are skipped, for want of ${chromiumMissing}\n`)

const packed = 'application/vnd.recgate.packed'
const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))

let studio: GamesStudio
let browser: Browser
const pages: Server[] = []
/** The page of an allowed origin, and one of another. */
let game: Page
let stranger: Page
let allowed: string
let open: string
let token: string

beforeAll(async () => {
  if (!hasChromium) return
  studio = await startGamesStudio()
  token = await studio.token(1)
  browser = await launchChromium()
  game = await pageOfItsOwn()
  stranger = await pageOfItsOwn()
  allowed = (await studio.start({ RECGATE_CORS_ORIGINS: new URL(game.url()).origin })).data
  open = (await studio.start({ RECGATE_CORS_ORIGINS: '*' })).data
})

afterAll(async () => {
  if (!hasChromium) return
  await browser.close()
  for (const page of pages) page.close()
  await studio.stop()
})

/** Another port is another origin. */
async function pageOfItsOwn(): Promise<Page> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>A game</title>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  pages.push(server)
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  return page
}

interface Read {
  readonly status: number
  /** All that a script can see. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: readonly number[]
}

/** What a script of the page gets to see; a text where the browser refused it. */
function fetched(
  page: Page,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Read | string> {
  return page.evaluate(
    async ([to, init]) => {
      try {
        // Its own cache would answer for the gateway.
        const response = await fetch(to, { ...init, cache: 'no-store' })
        const bytes = [...new Uint8Array(await response.arrayBuffer())]
        return { status: response.status, headers: Object.fromEntries(response.headers), bytes }
      } catch (error) {
        return String(error)
      }
    },
    [url, { method, headers }] as const,
  )
}

function bearer(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { Authorization: `Bearer ${token}`, ...more }
}

async function read(...parameters: Parameters<typeof fetched>): Promise<Read> {
  const result = await fetched(...parameters)
  if (typeof result === 'string') throw new Error(`the browser refused: ${result}`)
  return result
}

function problemOf({ bytes }: Read): Record<string, unknown> {
  return JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
}

describe.skipIf(!hasChromium)('a page of an allowed origin', () => {
  test('reads a packed record, its ETag and whose it is', async () => {
    const url = `${allowed}/recommendations`
    const { status, headers, bytes } = await read(game, url, bearer({ Accept: packed }))
    expect(status).toBe(200)
    expect(headers['etag']).toMatch(/^"[\w-]{11}"$/)
    expect(headers['recgate']).toBe('v=itemcf, r=override')
    expect(headers['content-type']).toBe(packed)
    expect(codec.decode(Uint8Array.from(bytes))).toStrictEqual(playerRecord(1, versionSalt.itemcf))
  })

  test('reads JSON, with the headers that a client may send', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const sent = bearer({ 'Recgate-Deadline-Ms': '10000', traceparent })
    const answer = await read(game, `${allowed}/recommendations`, sent)
    expect(problemOf(answer)).toMatchObject({
      version: 'itemcf',
      recommendation: playerRecord(1, versionSalt.itemcf),
    })
  })

  test('gets 304 for the ETag that it read', async () => {
    const url = `${allowed}/recommendations`
    const { headers } = await read(game, url, bearer())
    const again = await read(game, url, bearer({ 'If-None-Match': headers['etag']! }))
    expect(again).toMatchObject({ status: 304, bytes: [] })
    expect(again.headers).toMatchObject({ etag: headers['etag'], recgate: 'v=itemcf, r=override' })
  })

  test('reads the code of a refusal, and when to come again', async () => {
    const url = `${allowed}/recommendations`
    const unsigned = await read(game, url, { Authorization: 'Bearer x.y.z' })
    expect(unsigned.status).toBe(401)
    expect(problemOf(unsigned)).toMatchObject({ code: 'token-invalid' })
    const strict = await studio.issuer.token({ model: 'strict', sub: 'nobody' })
    const unavailable = await read(game, url, { Authorization: `Bearer ${strict}` })
    expect(unavailable.status).toBe(503)
    expect(problemOf(unavailable)).toMatchObject({ code: 'store-unavailable' })
    expect(unavailable.headers['retry-after']).toMatch(/^[123]$/)
    const missing = await read(game, `${allowed}/nothing`)
    expect(problemOf(missing)).toMatchObject({ code: 'path-not-found' })
    const long = await read(game, `${url}?${'x'.repeat(20_000)}`)
    expect(problemOf(long)).toMatchObject({ code: 'url-too-long' })
  })

  test('asks with HEAD, and for health', async () => {
    const head = await read(game, `${allowed}/recommendations`, bearer(), 'HEAD')
    expect(head).toMatchObject({ status: 200, bytes: [] })
    const health = await read(game, `${allowed}/healthz`)
    expect(Buffer.from(health.bytes).toString()).toBe('up')
  })

  test('is refused by the browser what no client sends', async () => {
    const url = `${allowed}/recommendations`
    expect(await fetched(game, url, bearer({ 'X-Other': '1' }))).toMatch(/Failed to fetch/)
    expect(await fetched(game, url, bearer(), 'DELETE')).toMatch(/Failed to fetch/)
  })
})

describe.skipIf(!hasChromium)('a page of another origin', () => {
  test('reads nothing: neither answers, nor errors, nor health', async () => {
    expect(await fetched(stranger, `${allowed}/recommendations`, bearer())).toMatch(/Failed to fetch/)
    expect(await fetched(stranger, `${allowed}/recommendations`)).toMatch(/Failed to fetch/)
    expect(await fetched(stranger, `${allowed}/nothing`)).toMatch(/Failed to fetch/)
    expect(await fetched(stranger, `${allowed}/healthz`)).toMatch(/Failed to fetch/)
  })

  test('reads all of it where everybody may', async () => {
    for (const page of [stranger, game]) {
      const { headers, bytes } = await read(page, `${open}/recommendations`, bearer({ Accept: packed }))
      expect(headers).toMatchObject({ recgate: 'v=itemcf, r=override' })
      expect(codec.decode(Uint8Array.from(bytes))).toStrictEqual(playerRecord(1, versionSalt.itemcf))
    }
  })
})
