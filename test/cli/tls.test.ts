import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  findRedisServer,
  freePort,
  type LocalRedis,
  startRedisServer,
} from '../../src/commands/local-redis.ts'
import { createAuthority } from '../support/certificates.ts'
import { runCli } from '../support/cli.ts'

const binary = await findRedisServer()
if (binary === null) process.stderr.write('tests: TLS towards Redis is skipped; install redis-server\n')

describe.skipIf(binary === null)('Redis by rediss://', () => {
  let directory: string
  let authorityFile: string
  let redis: LocalRedis
  let url: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-tls-'))
    const authority = await createAuthority(directory)
    authorityFile = authority.file
    const { certificate, key } = await authority.issue('redis')
    const port = await freePort()
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key]
    const clients = ['--tls-ca-cert-file', authorityFile, '--tls-auth-clients', 'no']
    redis = await startRedisServer(binary!, [...tls, ...clients])
    url = `rediss://127.0.0.1:${port}`
  })
  afterAll(async () => {
    await redis.stop()
    await rm(directory, { recursive: true })
  })

  test('a certificate that is trusted is talked to', async () => {
    const env = { RECGATE_REDIS_URL: url, NODE_EXTRA_CA_CERTS: authorityFile }
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
    expect(shown.stderr).toMatch(/can't be reached: (self-signed certificate|unable to verify)/)
  })
})
