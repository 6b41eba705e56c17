import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { promises as dns } from 'node:dns'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { createKeyFetcher } from '../../../src/jwt/key-fetch.ts'
import { type KeyServer, sendJson, startKeyServer } from '../../support/key-server.ts'
import { makeKey, type TestKey } from '../../support/tokens.ts'
import { until } from '../../support/until.ts'

let server: KeyServer
let key: TestKey

beforeAll(async () => {
  key = await makeKey('ES256', 'a')
})
beforeEach(async () => {
  server = await startKeyServer()
  server.serve(key.publicJwk)
})
afterEach(() => server.stop())

/** Long enough for any machine; tests that wait for the limit give a short one. */
const patientMs = 20_000

function fetcher(privateHosts: readonly string[] = ['localhost'], timeoutMs = patientMs) {
  return createKeyFetcher({ privateHosts, extraAuthorities: server.authority.pem, timeoutMs })
}

function fetchFrom(url: string, fetchKeys = fetcher()) {
  return fetchKeys(url, new AbortController().signal)
}

async function failureOf(url = server.url(), fetchKeys = fetcher()): Promise<string> {
  const answer = await fetchFrom(url, fetchKeys)
  expect(answer).toHaveProperty('failure')
  return (answer as { failure: string }).failure
}

describe('a key server that answers', () => {
  test('gives its keys as they are', async () => {
    server.serve(key.publicJwk, { kty: 'oct', k: 'x' }, 5)
    expect(await fetchFrom(server.url())).toStrictEqual({ jwks: [key.publicJwk, { kty: 'oct', k: 'x' }, 5] })
  })

  test('is asked once, over a connection of its own, for JSON and without anything secret', async () => {
    let headers: unknown
    server.answerWith((request, response) => {
      headers = request.headers
      sendJson(response, { keys: [] })
    })
    expect(await fetchFrom(server.url())).toStrictEqual({ jwks: [] })
    expect(headers).toStrictEqual({
      accept: 'application/jwk-set+json, application/json',
      'user-agent': 'recgate',
      host: new URL(server.url()).host,
      connection: 'close',
    })
    expect([server.connections(), server.requests()]).toStrictEqual([1, 1])
  })

  test('may have an address that the settings name, as the URL spells it or otherwise', async () => {
    expect(await fetchFrom(server.url('127.0.0.1'), fetcher(['127.0.0.1']))).toHaveProperty('jwks')
    expect(await fetchFrom(server.url('LOCALHOST'), fetcher(['localhost']))).toHaveProperty('jwks')
  })
})

describe('a fetch fails', () => {
  test.each([301, 302, 303, 307, 308])('at a redirect, %i, which is not followed', async (status) => {
    const other = await startKeyServer()
    other.serve(key.publicJwk)
    server.answerWith((_request, response) => response.writeHead(status, { Location: other.url() }).end())
    expect(await failureOf()).toBe(
      `the key server answers ${status}, a redirect, which is not followed; give the URL that it leads to`,
    )
    expect(other.connections()).toBe(0)
    await other.stop()
  })

  test.each([201, 204, 304, 400, 404, 500, 503])('at the status %i', async (status) => {
    server.answerWith((_request, response) => response.writeHead(status).end('{"keys":[]}'))
    expect(await failureOf()).toMatch(new RegExp(`^the key server answers ${status}(,|$)`))
  })

  test('at a body that is too large, at its first byte too many', async () => {
    const sized = (bytes: number) => {
      const text = JSON.stringify({ keys: [], pad: '' })
      return JSON.stringify({ keys: [], pad: 'x'.repeat(bytes - text.length) })
    }
    server.answerWith((_request, response) => response.end(sized(limits.keySetBytesMax)))
    expect(await fetchFrom(server.url())).toStrictEqual({ jwks: [] })
    server.answerWith((_request, response) => response.end(sized(limits.keySetBytesMax + 1)))
    expect(await failureOf()).toBe('the key set is larger than 65536 bytes')
  })

  test('at a body without end, long before anybody has read it all', async () => {
    let closed = false
    server.answerWith((_request, response) => {
      response.on('close', () => {
        closed = true
      })
      const more = () =>
        void (response.write('x'.repeat(16_384)) ? setImmediate(more) : response.once('drain', more))
      more()
    })
    expect(await failureOf()).toBe('the key set is larger than 65536 bytes')
    await until('the server sees it closed', () => closed)
  })

  test.each([
    ['no answer', () => undefined],
    ['a head without a body', (response: Parameters<typeof sendJson>[0]) => void response.flushHeaders()],
    [
      'a body that trickles',
      (response: Parameters<typeof sendJson>[0]) => {
        const timer = setInterval(() => response.write(' '), 10)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ])('at the end of the time limit: %s', async (_what, answer) => {
    server.answerWith((_request, response) => answer(response))
    expect(await failureOf(server.url(), fetcher(['localhost'], 300))).toBe('no answer within 300 ms')
  })

  test('at the end of the time limit: a connection on which TLS never begins', async () => {
    const silent: Server = createServer((socket) => void socket.on('error', () => undefined))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    expect(await failureOf(`https://localhost:${port}/`, fetcher(['localhost'], 300))).toBe(
      'no answer within 300 ms',
    )
    silent.close()
  })

  test('when it is given up', async () => {
    server.hang()
    const controller = new AbortController()
    const fetching = fetcher()(server.url(), controller.signal)
    await until('the server is asked', () => server.requests() === 1)
    controller.abort()
    expect(await fetching).toHaveProperty('failure')
  })

  test.each([
    ['no JSON', 'secret-looking-text'],
    ['half of it', '{"keys":['],
    ['no object', '[]'],
    ['null', 'null'],
    ['no list', '{"keys":{"0":{}}}'],
    ['no keys', '{}'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('at %s, without quoting it', async (_what, body) => {
    server.answerWith((_request, response) => response.end(body))
    expect(await failureOf()).toBe('the answer is not a JSON object with a list "keys"')
  })

  test('at more than 32 keys', async () => {
    const keys = Array.from({ length: 33 }, () => ({}))
    server.serve(...keys.slice(1))
    expect(await fetchFrom(server.url())).toHaveProperty('jwks.length', 32)
    server.serve(...keys)
    expect(await failureOf()).toBe('the key set holds 33 keys; at most 32 are read')
  })

  test('where nothing listens', async () => {
    const url = server.url('127.0.0.1')
    await server.stop()
    expect(await failureOf(url, fetcher(['127.0.0.1']))).toMatch(/ECONNREFUSED/)
  })

  test('where the certificate is not trusted, or is for another host', async () => {
    const other = await startKeyServer()
    expect(await failureOf(other.url())).toMatch(/CERT|SIGN/)
    expect(other.requests()).toBe(0)
    await other.stop()
    const elsewhere = await startKeyServer('127.0.0.2')
    const trusting = createKeyFetcher({
      privateHosts: ['127.0.0.2'],
      extraAuthorities: elsewhere.authority.pem,
    })
    expect(await failureOf(elsewhere.url('127.0.0.2'), trusting)).toMatch(/ALTNAME/)
    expect(elsewhere.requests()).toBe(0)
    await elsewhere.stop()
  })

  test.each(['http://localhost/', 'https://user@localhost/', 'https://user:hunter2@localhost/', 'nothing'])(
    'at the URL %s',
    async (url) => {
      expect(await failureOf(url)).not.toContain('hunter2')
      expect(server.connections()).toBe(0)
    },
  )
})

describe('addresses that are not public', () => {
  const refused = 'its host has no public address; the setting jwksPrivateHosts can allow it'

  test.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '[::ffff:7f00:1]'])(
    '%s is refused before a connection, though a server listens there',
    async (host) => {
      expect(await failureOf(server.url(host), fetcher([]))).toBe(refused)
      expect(await failureOf(server.url(host), fetcher(['keys.internal', 'localhost.', '127.0.0.2']))).toBe(
        refused,
      )
      expect(server.connections()).toBe(0)
    },
  )

  test('[::1] is refused before a connection, and talked to where the settings name it', async () => {
    const six = await startKeyServer('::1').catch(() => null)
    if (six === null) {
      process.stderr.write('tests: a key server on ::1 is left out; this machine has no IPv6 loopback\n')
      return
    }
    six.serve(key.publicJwk)
    expect(await failureOf(six.url('[::1]'), fetcher([]))).toBe(refused)
    expect(six.connections()).toBe(0)
    const allowed = createKeyFetcher({ privateHosts: ['[0::1]'], extraAuthorities: six.authority.pem })
    // The certificate is not for that address; what counts is that it was talked to.
    expect(await failureOf(six.url('[::1]'), allowed)).toMatch(/ALTNAME/)
    expect(six.connections()).toBe(1)
    await six.stop()
  })

  test.each([
    '169.254.169.254',
    '10.0.0.1',
    '192.168.0.1',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[64:ff9b::7f00:1]',
    '0.0.0.0',
  ])('%s is refused', async (host) =>
    expect(await failureOf(`https://${host}/latest/`, fetcher([]))).toBe(refused),
  )
})

/** Answers queries for A records of names that begin with "local" with 127.0.0.1, and no others. */
async function startNameServer() {
  const socket = createSocket('udp4')
  let unanswered = 0
  socket.on('message', (query, from) => {
    const name = query.subarray(13, 13 + query[12]!).toString('latin1')
    if (name !== 'local') return unanswered++
    const questionEnd = query.indexOf(0, 12) + 5
    const isForA = query.readUInt16BE(questionEnd - 4) === 1
    const head = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, isForA ? 1 : 0, 0, 0, 0, 0])
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])
    const answer = [head, query.subarray(12, questionEnd), ...(isForA ? [record] : [])]
    return socket.send(Buffer.concat(answer), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    unanswered: () => unanswered,
    stop: () => socket.close(),
  }
}

test('names whose servers never answer delay neither other names nor lookups of anything else', async () => {
  const nameServer = await startNameServer()
  const fetchKeys = createKeyFetcher({
    privateHosts: ['localhost'],
    extraAuthorities: server.authority.pem,
    timeoutMs: 60_000,
    nameServers: [nameServer.address],
  })
  const controller = new AbortController()
  let over = 0
  const hanging = Array.from({ length: 50 }, (_, index) =>
    fetchKeys(`https://hangs-${index}.example/`, controller.signal).finally(() => over++),
  )
  await until('all of them hang', () => nameServer.unanswered() >= 50)
  expect(await failureOf('https://local.example/', fetchKeys)).toMatch(/^its host has no public address/)
  expect(await fetchFrom(server.url(), fetchKeys)).toHaveProperty('jwks')
  expect(await dns.lookup('localhost')).toHaveProperty('address')
  expect(over).toBe(0)
  controller.abort()
  for (const answer of await Promise.all(hanging)) expect(answer).toHaveProperty('failure')
  nameServer.stop()
})

test('neither a proxy nor a switch-off of TLS in the environment is heeded', async () => {
  let proxied = 0
  const proxy = createServer((socket) => {
    proxied++
    socket.destroy()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  const proxyUrl = `http://127.0.0.1:${port}`
  const env = {
    NODE_USE_ENV_PROXY: '1',
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
    HTTP_PROXY: proxyUrl,
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  }
  const script = `
    import { createKeyFetcher } from './src/jwt/key-fetch.ts'
    const [url, pem] = JSON.parse(process.env.CASE)
    for (const extraAuthorities of [pem, null]) {
      const fetchKeys = createKeyFetcher({ privateHosts: ['localhost'], extraAuthorities, timeoutMs: 20000 })
      console.log(JSON.stringify(await fetchKeys(url, new AbortController().signal)))
    }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: {
      PATH: process.env['PATH'] ?? '',
      ...env,
      CASE: JSON.stringify([server.url(), server.authority.pem]),
    },
  })
  proxy.close()
  const [trusted, untrusted] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  expect(trusted).toMatchObject({ jwks: [{ kid: 'a' }] })
  expect(untrusted).toHaveProperty('failure')
  expect(proxied).toBe(0)
  expect(server.requests()).toBe(1)
})
