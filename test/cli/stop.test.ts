import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
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
    await serve.written(/"role":"(reads|catalog)","reason":"[^"]+","msg":"Redis connection"/)
    serve.signal('SIGTERM')
    const { exitCode, stderr } = await serve.exited
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/"msg":"stopped"/)
  } finally {
    await serve.stop()
  }
})
