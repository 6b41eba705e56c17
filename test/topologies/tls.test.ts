import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { runCli } from '../support/cli.ts'
import { cannotRun, startCluster, startSentinels, startStandalone } from '../support/redis-topologies.ts'
import { serveStudio } from './served-studio.ts'

const password = 'geheimnis'
const secured = (authority: Authority) => ({ password, authority })

const topologies = [
  { name: 'one server', start: (authority: Authority) => startStandalone(secured(authority)), more: {} },
  {
    name: 'Sentinels',
    start: (authority: Authority) =>
      startSentinels({ ...secured(authority), sentinelPassword: 'sentinel-geheimnis' }),
    more: { RECGATE_REDIS_SENTINEL_PASSWORD: 'sentinel-geheimnis' },
  },
  { name: 'a Cluster', start: (authority: Authority) => startCluster(0, secured(authority)), more: {} },
]

describe.skipIf(await cannotRun('TLS with client certificates'))('TLS with client certificates', () => {
  let directory: string
  let authority: Authority
  let files: Record<'RECGATE_REDIS_CA_FILE' | 'RECGATE_REDIS_CERT_FILE' | 'RECGATE_REDIS_KEY_FILE', string>
  let otherAuthority: Authority

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-tls-'))
    authority = await createAuthority(directory)
    otherAuthority = await createAuthority(directory, 'other')
    const { certificate, key } = await authority.issue('recgate')
    files = {
      RECGATE_REDIS_CA_FILE: authority.file,
      RECGATE_REDIS_CERT_FILE: certificate,
      RECGATE_REDIS_KEY_FILE: key,
    }
  })
  afterAll(() => rm(directory, { recursive: true }))

  describe.each(topologies)('towards $name', ({ start, more }) => {
    let redis: Awaited<ReturnType<typeof start>>
    /** The URL without user and password. */
    let bare: string

    beforeAll(async () => {
      redis = await start(authority)
      bare = redis.url.replace(/\/\/[^@]*@/, '//')
    })
    afterAll(() => redis?.stop())

    test('every player is served', async () => {
      const environment = { RECGATE_REDIS_URL: bare, RECGATE_REDIS_PASSWORD: password, ...more, ...files }
      const studio = await serveStudio(environment)
      try {
        await studio.expectEveryAnswer()
        await studio.changeCatalog()
      } finally {
        await studio.stop()
      }
    })

    /** What a command says that can't get in. */
    async function failure(environment: Readonly<Record<string, string>>): Promise<string> {
      const env = { RECGATE_REDIS_URL: redis.url, ...more, ...files, ...environment }
      const { exitCode, stdout, stderr } = await runCli(['catalog', 'show'], { env })
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
      expect(stderr).toMatch(/^Redis .* can't be reached: /)
      expect(stderr).toContain('127.0.0.1:')
      expect(stderr).not.toContain('geheim')
      return stderr
    }

    // A command tries for five seconds: all at once.
    test.concurrent("an authority that is not the server's is named as the reason", async () => {
      expect(await failure({ RECGATE_REDIS_CA_FILE: otherAuthority.file })).toMatch(
        /unable to verify the first certificate|self-signed certificate|unable to get local issuer/,
      )
    })

    test.concurrent('a missing client certificate is named as the reason', async () => {
      const none = { RECGATE_REDIS_CERT_FILE: '', RECGATE_REDIS_KEY_FILE: '' }
      expect(await failure(none)).toMatch(/certificate required|does the server ask for a client certificate/)
    })

    test.concurrent('a wrong password is named as the reason', async () => {
      expect(await failure({ RECGATE_REDIS_PASSWORD: 'falsches-geheimnis' })).toMatch(/WRONGPASS/)
    })
  })
})
