import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

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
