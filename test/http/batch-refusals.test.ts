import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/domain/limits.ts'
import { metricNames } from '../../src/metrics/names.ts'
import type { RunningGateway } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { batchPath, batchScope, itemsOf, packedBatch, postBatch } from './batch-client.ts'
import {
  ask,
  closedAfter,
  exchange,
  expectProblem,
  jsonOf,
  type Reply,
  rawReplies,
  replyOf,
  requestText,
} from './client.ts'
import { scrape, valuesOf } from './exposition.ts'
import { playerId } from './games.ts'
import { type GamesStudio, startGamesStudio } from './games-studio.ts'

/** What refuses a whole batch, and what it leaves of the connection. */

let studio: GamesStudio
let gateway: RunningGateway
let service: string
const body = { model: 'games', units: [playerId(1), playerId(2)] }
const text = JSON.stringify(body)

beforeAll(async () => {
  studio = await startGamesStudio()
  gateway = await studio.start()
  service = await serviceToken()
})

afterAll(() => studio.stop())

function serviceToken(more: Record<string, unknown> = {}): Promise<string> {
  return studio.issuer.token({ sub: 'game-server', model: ['games', 'strict'], scope: batchScope, ...more })
}

interface Post {
  readonly token?: string | undefined
  readonly headers?: Record<string, string>
  readonly target?: string
}

/** A batch as bytes; a header that is empty is left out. */
function batchText(
  content: string,
  { token = service, headers = {}, target = batchPath }: Post = {},
): string {
  const length = { 'Content-Length': String(Buffer.byteLength(content)) }
  const fields = Object.entries({ 'Content-Type': 'application/json', ...length, ...headers })
  return (
    requestText(target, {
      method: 'POST',
      token,
      headers: Object.fromEntries(fields.filter(([, value]) => value !== '')),
    }) + content
  )
}

const chunked = { 'Content-Length': '', 'Transfer-Encoding': 'chunked' }
const chunk = (content: string) => `${Buffer.byteLength(content).toString(16)}\r\n${content}\r\n`
const last = requestText('/healthz', { headers: { Connection: 'close' } })

/** The answers to what these bytes ask, on a connection that stays open. */
async function answered(bytes: string, methods = ['POST'], { data } = gateway): Promise<Reply[]> {
  const replies = rawReplies(await exchange(data, bytes + last), [...methods, 'GET']).map(replyOf)
  expect(replies.pop()?.body.toString()).toBe('up')
  return replies
}

async function answeredOne(bytes: string, from = gateway): Promise<Reply> {
  return (await answered(bytes, ['POST'], from))[0]!
}

function expectRefused(reply: Reply, status: number, code: string, detail = /./): void {
  expectProblem(reply, status, code)
  expect(jsonOf(reply)['detail']).toMatch(detail)
  expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
}

describe('the token', () => {
  test.each<[scope: unknown]>([
    [undefined],
    [''],
    ['recommendations'],
    ['recommendations:batches'],
    ['Recommendations:Batch'],
    ['x-recommendations:batch'],
    ['recommendations:batch,profile'],
    [[batchScope]],
    [{ [batchScope]: true }],
    [true],
    [null],
  ])('without the scope is nobody’s to ask with: %j', async (scope) => {
    const token = await serviceToken({ scope })
    expectRefused(await postBatch(gateway.data, body, { token }), 403, 'scope-mismatch', /"scope"/)
    // It is a player's, or may be.
    expect((await ask(`${gateway.data}/recommendations?model=games`, { token })).status).toBe(200)
  })

  test.each([batchScope, `openid ${batchScope}`, `${batchScope}  offline`])(
    'with the scope %j asks for batches, and for nothing else',
    async (scope) => {
      const token = await serviceToken({ scope })
      expect(itemsOf(await postBatch(gateway.data, body, { token }))).toHaveLength(2)
      for (const query of ['?model=games', '', '?cuontry=DE'])
        expectRefused(
          await ask(`${gateway.data}/recommendations${query}`, { token }),
          403,
          'scope-mismatch',
          /players' tokens must not have it/,
        )
    },
  )

  test('is proven first: nothing else is said to whoever has none', async () => {
    const foreign = `${(await serviceToken()).split('.').slice(0, 2).join('.')}.AAAA`
    for (const token of [undefined, 'x', foreign])
      for (const wrong of ['', '{', '{"units":5}', text, 'x'.repeat(limits.batchBodyBytesMax + 1)])
        for (const headers of [{}, { accept: 'image/png' }, { 'content-type': 'text/plain' }])
          expectProblem(await postBatch(gateway.data, wrong, { token, headers }), 401, 'token-invalid')
    const now = Math.floor(Date.now() / 1_000)
    const expired = await serviceToken({ iat: now - 900, exp: now - 600 })
    expectProblem(await postBatch(gateway.data, body, { token: expired }), 401, 'token-expired')
    const others = await serviceToken({ aud: 'somebody' })
    expectProblem(await postBatch(gateway.data, body, { token: others }), 401, 'audience-mismatch')
  })

  test('says which models, and the body chooses', async () => {
    const { data } = gateway
    const { model: _model, ...unnamed } = body
    expectRefused(await postBatch(data, unnamed, { token: service }), 400, 'model-ambiguous')
    const single = await serviceToken({ model: 'games' })
    expect(itemsOf(await postBatch(data, unnamed, { token: single }))).toHaveLength(2)
    expectRefused(
      await postBatch(data, { ...body, model: 'strict' }, { token: single }),
      403,
      'model-not-allowed',
    )
    expectRefused(
      await postBatch(data, { ...body, model: 'x' }, { token: service }),
      403,
      'model-not-allowed',
    )
    const none = await serviceToken({ model: undefined })
    expectRefused(await postBatch(data, body, { token: none }), 401, 'claim-invalid', /"model"/)
  })
})

describe('the headers', () => {
  test.each([
    '',
    'text/plain',
    'application/json-seq',
    'application/x-www-form-urlencoded',
    'nonsense',
    '/',
    ';',
  ])('Content-Type: %s is not supported', async (type) => {
    const reply = await answeredOne(batchText(text, { headers: { 'Content-Type': type } }))
    expectRefused(reply, 415, 'media-type-unsupported', /application\/json/)
  })

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="UTF-8"'])(
    'Content-Type: %s is',
    async (type) => {
      itemsOf(await answeredOne(batchText(text, { headers: { 'Content-Type': type } })))
    },
  )

  test('Content-Encoding: identity alone', async () => {
    itemsOf(await answeredOne(batchText(text, { headers: { 'Content-Encoding': 'identity' } })))
    for (const encoding of ['gzip', 'br', 'gzip, gzip'])
      expectRefused(
        await answeredOne(batchText(text, { headers: { 'Content-Encoding': encoding } })),
        415,
        'media-type-unsupported',
        /Content-Encoding/,
      )
  })

  test('Accept: JSON or the packed batch, which is not a packed record', async () => {
    for (const [accept, type] of [
      ['*/*', 'application/json'],
      [`${packedBatch}, application/json;q=0.5`, packedBatch],
      ['application/*;q=0.3', 'application/json'],
    ] as const) {
      const reply = await postBatch(gateway.data, body, { token: service, headers: { accept } })
      expect([reply.status, reply.headers['content-type']]).toEqual([200, type])
    }
    for (const accept of ['application/vnd.recgate.packed', 'image/png', 'x'.repeat(600)])
      expectRefused(
        await postBatch(gateway.data, body, { token: service, headers: { accept } }),
        406,
        'not-acceptable',
        /packed-batch/,
      )
  })

  test('Recgate-Deadline-Ms as everywhere', async () => {
    for (const value of ['4', 'x', '5, 5'])
      expectRefused(
        await postBatch(gateway.data, body, { token: service, headers: { 'recgate-deadline-ms': value } }),
        400,
        'header-invalid',
      )
    itemsOf(
      await postBatch(gateway.data, body, { token: service, headers: { 'recgate-deadline-ms': '9999' } }),
    )
  })

  test('Expect: 100-continue is told to go on where the body is wanted, and else not', async () => {
    const headers = { Expect: '100-continue' }
    const good = await exchange(gateway.data, batchText(text, { headers }) + last)
    const go = 'HTTP/1.1 100 Continue\r\n\r\n'
    expect(good.toString()).toMatch(go)
    const [reply] = rawReplies(good.subarray(go.length), ['POST', 'GET'])
    expect(itemsOf(replyOf(reply!))).toHaveLength(2)
    const player = await studio.token(1)
    const [refused] = await closedAfter(
      gateway.data,
      batchText('', { token: player, headers: { ...headers, 'Content-Length': '50' } }),
      ['POST'],
    )
    expectRefused(refused!, 403, 'scope-mismatch')
  })
})

describe('the body', () => {
  test.each<[what: string, content: string, detail: RegExp]>([
    ['none', '', /^the body is no JSON/],
    [
      'half of one',
      text.slice(0, -1),
      /^the body is no JSON; it goes wrong at character \d+$|^the body is no JSON$/,
    ],
    ['two', text + text, new RegExp(`at character ${text.length}$`)],
    ['a number', '5', /^the body must be a mapping/],
    ['null', 'null', /^the body must be a mapping/],
    ['a list', '[]', /^the body must be a mapping/],
    ['no units', '{"model":"games"}', /^"units" is missing; it must be a list$/],
    ['units of another kind', '{"model":"games","units":{"a":1}}', /^"units" must be a list/],
    ['an unknown field', '{"model":"games","units":[],"unit":"x"}', /^"unit" is not a known field here$/],
    ['__proto__', '{"model":"games","units":[],"__proto__":{}}', /^"__proto__" is not a known field here$/],
    ['a model of another kind', '{"model":5,"units":[]}', /^"model" must be text/],
    [
      'parameters of another kind',
      '{"model":"games","units":[],"parameters":[]}',
      /^"parameters" must be an object of/,
    ],
    [
      'a parameter of another kind',
      '{"model":"games","units":[],"parameters":{"a":[1]}}',
      /^"parameters.a" must be a text or/,
    ],
    [
      'a long name',
      `{"model":"games","units":[],"${'x'.repeat(5_000)}":1}`,
      /^"x{40}…" is not a known field here$/,
    ],
  ])('that is %s', async (_what, content, detail) => {
    expectRefused(await answeredOne(batchText(content)), 400, 'body-invalid', detail)
  })

  test.each<[what: string, bytes: Buffer<ArrayBuffer>]>([
    ['Latin-1', Buffer.from('{"units":["Zoë"]}', 'latin1')],
    ['UTF-16', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['half of a character', Buffer.from('"ë').subarray(0, 2)],
  ])('that is %s is no UTF-8', async (_what, bytes) => {
    const reply = await fetch(gateway.data + batchPath, {
      method: 'POST',
      headers: { Authorization: `Bearer ${service}`, 'Content-Type': 'application/json' },
      body: bytes,
    })
    expect([reply.status, await reply.json()]).toMatchObject([
      400,
      { code: 'body-invalid', detail: 'the body is not UTF-8' },
    ])
  })

  test('with a parameter that no model has', async () => {
    const wrong = { ...body, parameters: { cuontry: 'DE' } }
    expectRefused(
      await postBatch(gateway.data, wrong, { token: service }),
      400,
      'parameter-unknown',
      /cuontry/,
    )
    const named = { ...body, parameters: { model: 'games' } }
    expectRefused(
      await postBatch(gateway.data, named, { token: service }),
      400,
      'parameter-unknown',
      /beside/,
    )
    const inUrl = batchText(text, { target: `${batchPath}?model=games` })
    expectRefused(await answeredOne(inUrl), 400, 'parameter-unknown', /URL/)
    const long = batchText(text, { target: `${batchPath}?${'x'.repeat(limits.urlBytesMax)}` })
    expectRefused(await answeredOne(long), 414, 'url-too-long')
  })

  test('may not have more units than fit', async () => {
    const most = Array.from({ length: limits.batchUnitsMax }, () => playerId(1))
    expect(itemsOf(await postBatch(gateway.data, { ...body, units: most }, { token: service }))).toHaveLength(
      most.length,
    )
    const reply = await postBatch(gateway.data, { ...body, units: [...most, 'x'] }, { token: service })
    expectRefused(reply, 413, 'batch-too-large', /at most 1000 units, and this one has 1001/)
  })

  test('may be as long as it may be, and not longer; what is too long is dropped, and the connection lives', async () => {
    const padded = (bytes: number) => text + ' '.repeat(bytes - text.length)
    const most = padded(limits.batchBodyBytesMax)
    itemsOf(await answeredOne(batchText(most)))
    itemsOf(await answeredOne(batchText(`${chunk(most)}0\r\n\r\n`, { headers: chunked })))
    const more = padded(limits.batchBodyBytesMax + 1)
    for (const bytes of [
      batchText(more),
      batchText(`${chunk(more)}0\r\n\r\n`, { headers: chunked }),
      batchText(`${chunk(more).repeat(4)}0\r\n\r\n`, { headers: chunked }),
    ])
      expectRefused(await answeredOne(bytes), 413, 'batch-too-large', /at most 262144 bytes/)
    const huge = batchText('', { headers: { 'Content-Length': String(limits.batchBodyBytesDroppedMax + 1) } })
    const [reply] = await closedAfter(gateway.data, huge, ['POST'])
    expectRefused(reply!, 413, 'batch-too-large')
  })

  test('of deep nesting harms nobody', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    expectRefused(await answeredOne(batchText(deep)), 400, 'body-invalid')
    const inside = `{"model":"games","units":[${deep}]}`
    expect(itemsOf(await answeredOne(batchText(inside)))).toMatchObject([{ code: 'unit-invalid' }])
  })

  test('in chunks, in pieces, and pipelined', async () => {
    const pieces = [...text].map(chunk).join('')
    const inChunks = batchText(`${pieces}0\r\nX-Trailer: y\r\n\r\n`, { headers: chunked })
    const player = requestText('/recommendations', { token: await studio.token(1) })
    const bytes = inChunks + player + batchText(text) + batchText('{') + player
    const replies = await answered(bytes, ['POST', 'GET', 'POST', 'POST', 'GET'])
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 400, 200])
    expect(replies[0]!.body.equals(replies[2]!.body)).toBe(true)
    const received = await exchange(gateway.data, batchText(text) + last, 3)
    expect(itemsOf(replyOf(rawReplies(received, ['POST', 'GET'])[0]!))).toHaveLength(2)
  })

  test('that is refused unread leaves a connection on which the next one is answered', async () => {
    const long = JSON.stringify({ ...body, units: Array.from({ length: 1_000 }, () => 'x'.repeat(255)) })
    const player = await studio.token(1)
    for (const refused of [
      batchText(long, { token: player }),
      batchText(`${chunk(long)}0\r\n\r\n`, { token: player, headers: chunked }),
    ]) {
      const replies = await answered(refused + batchText(text), ['POST', 'POST'])
      expectRefused(replies[0]!, 403, 'scope-mismatch')
      expect(itemsOf(replies[1]!)).toHaveLength(2)
    }
  })

  test.each([
    ['a stranger’s', undefined, 401, 'token-invalid'],
    ['one that is too long', () => service, 413, 'batch-too-large'],
  ] as const)('in chunks without end is not read for ever: %s', async (_what, token, status, code) => {
    const { connection, received } = await open(gateway)
    connection.on('error', () => undefined)
    connection.write(batchText('', { headers: chunked, token: token?.() ?? 'x.y.z' }))
    const piece = chunk(' '.repeat(65_536))
    let written = 0
    while (written < 16 * limits.batchBodyBytesDroppedMax && !connection.destroyed) {
      await new Promise((resolve) => connection.write(piece, resolve))
      written += piece.length
    }
    expect(connection.destroyed).toBe(true)
    const [reply] = rawReplies(received(), ['POST'])
    expectRefused(replyOf(reply!), status, code)
  })

  test.each<[what: string, content: string]>([
    ['a size that is none', 'zz\r\n'],
    ['a chunk without its end', `${text.length.toString(16)}\r\n${text}x0\r\n\r\n`],
  ])('in broken chunks is refused, and ends the connection: %s', async (_what, content) => {
    for (const first of ['', requestText('/recommendations', { token: await studio.token(1) })]) {
      const methods = first === '' ? ['POST'] : ['GET', 'POST']
      const bytes = first + batchText(content, { headers: chunked })
      const replies = await closedAfter(gateway.data, bytes, methods)
      expectRefused(replies.at(-1)!, 400, 'request-malformed')
    }
  })

  test('of which half comes, and the end', async () => {
    const { connection, received } = await open(gateway)
    connection.end(batchText(text).slice(0, -5))
    await closed(connection)
    expectRefused(replyOf(rawReplies(received(), ['POST'])[0]!), 400, 'request-malformed')
  })

  test('whose client is gone harms nobody, and nothing of it stays', async () => {
    const left = await studio.start()
    for (const bytes of [
      batchText(text).slice(0, -5),
      batchText(text),
      batchText('zz\r\n', { headers: chunked }),
    ])
      for (let round = 0; round < 10; round++) {
        const { connection } = await open(left)
        await new Promise((resolve) => connection.write(bytes, resolve))
        connection.resetAndDestroy()
      }
    await until('it has been seen', async () => {
      const metrics = await scrape(left.ops)
      return (
        valuesOf(metrics, metricNames.connectionsOpen)[''] === 0 &&
        valuesOf(metrics, metricNames.inFlight)[''] === 0
      )
    })
    // None of the places for batches is taken.
    const replies = await Promise.all(
      Array.from({ length: limits.batchesPerTenantMax }, () =>
        postBatch(left.data, body, { token: service }),
      ),
    )
    for (const reply of replies) expect(itemsOf(reply)).toHaveLength(2)
  })

  test('that drips in: 408, and the connection ends', async () => {
    const hurried = await studio.start({ RECGATE_DATA_REQUEST_TIMEOUT_MS: '1000' })
    for (const token of [service, await serviceToken({ jti: 'new' })]) {
      const { connection, received } = await open(hurried)
      connection.write(batchText(text, { token }).slice(0, -20))
      const timer = setInterval(() => connection.write('x'), 200)
      connection.once('end', () => clearInterval(timer))
      await closed(connection)
      clearInterval(timer)
      const reply = replyOf(rawReplies(received(), ['POST'])[0]!)
      expectRefused(reply, 408, 'request-timeout')
      expect(reply.headers['connection']).toBe('close')
    }
  })
})

describe('the path', () => {
  test('takes POST and OPTIONS', async () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
      const reply = await ask(gateway.data + batchPath, { method, token: service })
      expect([reply.status, reply.headers['allow']]).toEqual([405, 'POST, OPTIONS'])
      if (method !== 'HEAD') expect(jsonOf(reply)['detail']).toBe('this path takes POST, OPTIONS')
    }
    const options = await ask(gateway.data + batchPath, { method: 'OPTIONS' })
    expect([options.status, options.headers['allow']]).toEqual([204, 'POST, OPTIONS'])
    for (const path of [`${batchPath}/`, `${batchPath}/x`, '/recommendations/Batch'])
      expectProblem(await ask(gateway.data + path, { method: 'POST', token: service }), 404, 'path-not-found')
  })

  test('is open to no page, whichever origins are', async () => {
    const open = await studio.start({ RECGATE_CORS_ORIGINS: '*' })
    const origin = 'https://game.example'
    const preflight = { origin, 'access-control-request-method': 'POST' }
    const replies = [
      await ask(open.data + batchPath, { method: 'OPTIONS', headers: preflight }),
      await ask(open.data + batchPath, { headers: { origin } }),
      await postBatch(open.data, body, { token: service, headers: { origin } }),
      await postBatch(open.data, body, { headers: { origin } }),
      await postBatch(open.data, '{', { token: service, headers: { origin } }),
      await postBatch(open.data, '{', { token: service, headers: { origin, 'content-type': '/' } }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([204, 405, 200, 401, 400, 415])
    for (const { headers } of replies) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(headers).not.toHaveProperty('vary')
    }
  })
})

describe('what is seen of it', () => {
  test('counts: batches as they were answered, their units by reason, refusals by code', async () => {
    const { data, ops } = await studio.start()
    const units = [playerId(1), '', 'stranger-1', { unit: playerId(2), claims: { arm: 'itemcf' } }]
    itemsOf(await postBatch(data, { model: 'games', units }, { token: service }))
    const headers = { accept: packedBatch }
    expect(
      (await postBatch(data, { model: 'strict', units: ['x'] }, { token: service, headers })).status,
    ).toBe(200)
    await postBatch(data, '{', { token: service })
    await postBatch(data, body)
    await ask(`${data}/recommendations`, { token: 'x' })
    const metrics = await scrape(ops)
    const { tenant } = studio
    expect(valuesOf(metrics, metricNames.batches)).toEqual({
      [`${tenant},games,2xx`]: 1,
      [`${tenant},strict,2xx`]: 1,
      [`${tenant},,4xx`]: 1,
      ',,4xx': 1,
    })
    const counted = valuesOf(metrics, metricNames.batchUnits)
    const versionsOf = (reason: string) =>
      Object.entries(counted).flatMap(([labels, count]) => (labels.includes(`,${reason},`) ? [count] : []))
    expect(versionsOf('split')).toEqual([1])
    expect(versionsOf('default')).toEqual([1])
    expect(counted).toMatchObject({
      [`${tenant},games,itemcf,override,,json,2xx`]: 1,
      [`${tenant},games,,,,json,4xx`]: 1,
      [`${tenant},strict,,,,packed,5xx`]: 1,
    })
    expect(valuesOf(metrics, metricNames.refusals)).toEqual({
      [`${tenant},body-invalid`]: 1,
      ',token-invalid': 2,
    })
    // One of them was for a single answer, and nothing else was.
    expect(Object.values(valuesOf(metrics, metricNames.requests))).toEqual([1])
    const durations = metrics.get(metricNames.batchDuration.name)?.samples ?? []
    const ofGames = durations.find(
      ({ name, labels }) => name.endsWith('_count') && labels['model'] === 'games',
    )
    expect(ofGames?.value).toBe(1)
  })

  test('one line a batch in the log, with no unit in it', async () => {
    const lines: string[] = []
    const log = pino({ level: 'debug', base: null }, { write: (line) => void lines.push(line) })
    const { data } = await studio.start({}, { log })
    await postBatch(data, { ...body, units: ['amber', 'birch'] }, { token: service })
    await postBatch(data, { ...body, units: 'amber' }, { token: service })
    const requests = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    const line = { client: '127.0.0.1', method: 'POST', path: batchPath, durationMs: expect.any(Number) }
    expect(requests.filter(({ msg }) => msg === 'request')).toMatchObject([
      { ...line, status: 200, code: null },
      { ...line, status: 400, code: 'body-invalid' },
    ])
    for (const secret of ['amber', 'birch', service.split('.')[1]!])
      expect(lines.join('')).not.toContain(secret)
  })
})

interface Opened {
  readonly connection: Socket
  readonly received: () => Buffer
}

async function open({ data }: { data: string }): Promise<Opened> {
  const { hostname, port } = new URL(data)
  const connection = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  connection.on('data', (piece: Buffer) => chunks.push(piece))
  // A reset is a way to be closed.
  connection.on('error', () => undefined)
  await once(connection, 'connect')
  return { connection, received: () => Buffer.concat(chunks) }
}

function closed(connection: Socket): Promise<void> {
  return new Promise((resolve) => connection.once('close', () => resolve()))
}
