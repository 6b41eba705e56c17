import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { startCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

/** A host that takes connections and never answers. */
let silent: TcpProxy

beforeAll(async () => {
  silent = await startTcpProxy(1)
  silent.swallowAll()
})
afterAll(() => silent.stop())

const hosts = () => `127.0.0.1:${silent.port}`

// A process that is the first one of a container isn't ended by a signal that it doesn't handle.
test.each([
  ['that nobody answers', () => `redis://${hosts()}`],
  ['that refuses', () => 'redis://127.0.0.1:1'],
  ['whose Sentinels do not answer', () => `redis+sentinel://${hosts()}/main`],
  ['whose Cluster does not answer', () => `redis+cluster://${hosts()}`],
])('serve ends in order while it tries to reach a Redis %s', async (_, url) => {
  const env = {
    RECGATE_REDIS_URL: url(),
    RECGATE_DATA_PORT: '0',
    RECGATE_ADMIN_PORT: '0',
    RECGATE_OPS_PORT: '0',
    // Far beyond the test: one that was never ready has nobody to answer meanwhile.
    RECGATE_DRAIN_MS: '60000',
  }
  const serve = startCli(['serve'], { env })
  try {
    await serve.written(/"role":"\w+","reason":"[^"]+","msg":"Redis can’t be reached; trying on"/)
    serve.signal('SIGTERM')
    const { exitCode, stderr } = await serve.exited
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/"msg":"stopped"/)
  } finally {
    await serve.stop()
  }
})

test('serve ends in order while clients hold connections on which nothing is asked', async () => {
  const redis = await testRedis()
  const env = {
    RECGATE_REDIS_URL: redis.url,
    RECGATE_DATA_PORT: '0',
    RECGATE_ADMIN_PORT: '0',
    RECGATE_OPS_PORT: '0',
    RECGATE_DRAIN_MS: '0',
    // Far beyond the test.
    RECGATE_DATA_REQUEST_TIMEOUT_MS: '600000',
    RECGATE_DATA_KEEP_ALIVE_MS: '600000',
  }
  const serve = startCli(['serve'], { env })
  const held: Socket[] = []
  try {
    const [line] = await serve.written(/^.*"msg":"listening".*$/m)
    const { data, admin, ops } = JSON.parse(line) as Record<'data' | 'admin' | 'ops', string>
    const whole = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'
    for (const address of [data, admin, ops])
      for (const bytes of ['', whole.slice(0, 20), whole]) {
        const socket = connect(Number(new URL(address).port), '127.0.0.1')
        socket.on('error', () => undefined)
        held.push(socket)
        await once(socket, 'connect')
        if (bytes !== '') socket.write(bytes)
        if (bytes === whole) await once(socket, 'data')
      }
    serve.signal('SIGTERM')
    const { exitCode, stderr } = await serve.exited
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/"msg":"stopped"/)
  } finally {
    for (const socket of held) socket.destroy()
    await serve.stop()
    await redis.stop()
  }
})

describe('serve', () => {
  let redis: LocalRedis
  let directory: string

  beforeAll(async () => {
    redis = await testRedis()
    directory = await mkdtemp(join(tmpdir(), 'recgate-stop-'))
  })
  afterAll(async () => {
    await redis.stop()
    await rm(directory, { recursive: true })
  })

  async function startServe(more: Readonly<Record<string, string>>) {
    const env = {
      RECGATE_REDIS_URL: redis.url,
      RECGATE_DATA_PORT: '0',
      RECGATE_ADMIN_PORT: '0',
      RECGATE_OPS_PORT: '0',
      ...more,
    }
    const serve = startCli(['serve'], { env })
    const [line] = await serve.written(/^.*"msg":"listening".*$/m)
    const { data, ops } = JSON.parse(line) as Record<'data' | 'ops', string>
    const local = (address: string) => `http://127.0.0.1:${new URL(address).port}`
    return { serve, data: local(data), ops: local(ops) }
  }

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('a second signal, %s, ends it at once with %i', async (signal, exitCode) => {
    // Far beyond the test.
    const { serve, data } = await startServe({ RECGATE_DRAIN_MS: '60000' })
    try {
      serve.signal('SIGTERM')
      await until('it drains', async () => (await fetch(`${data}/healthz`)).status === 503)
      serve.signal(signal)
      const ended = await serve.exited
      expect(ended.exitCode).toBe(exitCode)
      expect(ended.stderr).not.toContain('"msg":"stopped"')
    } finally {
      await serve.stop()
    }
  })

  /** Loaded before the command: throws in the process when a file appears, in one of the ways in which code fails. */
  const failing = (name: string, how: string) => {
    const file = join(directory, name)
    return {
      file,
      code: `import { existsSync } from 'node:fs'
const again = setInterval(() => {
  if (!existsSync(${JSON.stringify(file)})) return
  clearInterval(again)
  const error = Object.assign(new Error('something broke'), { command: { args: ['a-password'] } })
  ${how}
}, 5)
again.unref()
`,
    }
  }

  test.each([
    ['a rejection that nothing handled', 'void Promise.reject(error)'],
    ['errors that nothing caught', 'setImmediate(() => { throw error }); throw error'],
  ])('%s is logged and counted, and ends it in order with 1', async (name, how) => {
    const { file, code } = failing(name.replaceAll(' ', '-'), how)
    const module = `${file}.mjs`
    await writeFile(module, code)
    const { serve, data, ops } = await startServe({
      NODE_OPTIONS: `--import=${pathToFileURL(module)}`,
      RECGATE_DRAIN_MS: '2000',
    })
    try {
      expect(await (await fetch(`${data}/healthz`)).text()).toBe('up')
      await writeFile(file, '')
      await until('it drains', async () => (await fetch(`${data}/healthz`)).status === 503)
      const metrics = await (await fetch(`${ops}/metrics`)).text()
      const count = name.startsWith('errors') ? 2 : 1
      expect(metrics).toContain(`\nrecgate_uncaught_errors_total ${count}\n`)
      const { exitCode, stderr } = await serve.exited
      expect(exitCode).toBe(1)
      const said = stderr.split('\n').filter((line) => line.includes('something broke'))
      expect(said).toHaveLength(count)
      expect(JSON.parse(said[0]!)).toMatchObject({
        level: 50,
        stack: expect.stringMatching(/^Error: something broke\n +at /),
      })
      expect(stderr).toMatch(/"msg":"stopped"/)
      expect(stderr).not.toContain('a-password')
    } finally {
      await serve.stop()
    }
  })
})
