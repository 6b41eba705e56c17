import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import { runCli } from '../support/cli.ts'

const run = promisify(execFile)
const binary = await findRedisServer()
const openssl = await run('openssl', ['version']).then(
  () => true,
  () => false,
)
if (binary === null || !openssl)
  process.stderr.write('tests: TLS towards Redis is skipped; install redis-server and openssl\n')

describe.skipIf(binary === null || !openssl)('Redis by rediss://', () => {
  let directory: string
  let certificate: string
  let redis: LocalRedis
  let url: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-tls-'))
    certificate = join(directory, 'certificate.pem')
    const key = join(directory, 'key.pem')
    const subject = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const files = ['-keyout', key, '-out', certificate]
    await run('openssl', ['req', '-x509', '-nodes', '-days', '1', ...curve, ...files, ...subject])
    const port = await freePort()
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key]
    redis = await startRedisServer(binary!, [
      ...tls,
      '--tls-ca-cert-file',
      certificate,
      '--tls-auth-clients',
      'no',
    ])
    url = `rediss://127.0.0.1:${port}`
  })
  afterAll(async () => {
    await redis.stop()
    await rm(directory, { recursive: true })
  })

  test('a certificate that is trusted is talked to', async () => {
    const env = { RECGATE_REDIS_URL: url, NODE_EXTRA_CA_CERTS: certificate }
    expect(await runCli(['catalog', 'apply', 'config/demo/tenant.yaml'], { env })).toMatchObject({
      exitCode: 0,
    })
    expect(await runCli(['catalog', 'show', '--json'], { env })).toMatchObject({
      exitCode: 0,
      stdout: '{"tenant":"demo-studio","revision":1}\n',
    })
  })

  test('one that is not trusted is refused, and the message says why', async () => {
    const shown = await runCli(['catalog', 'show'], { env: { RECGATE_REDIS_URL: url } })
    expect(shown).toMatchObject({ exitCode: 1, stdout: '' })
    expect(shown.stderr).toMatch(/can't be reached: self-signed certificate/)
  })
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
