import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { FaultsError } from '../../../src/domain/errors.ts'
import { loadSettings } from '../../../src/settings/load.ts'
import { resolveRedis } from '../../../src/settings/redis-endpoint.ts'
import { createAuthority } from '../../support/certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'recgate-endpoint-'))
afterAll(() => rmSync(directory, { recursive: true }))

const authority = await createAuthority(directory)
const client = await authority.issue('client')
const other = await authority.issue('other')
const noPem = join(directory, 'no.pem')
writeFileSync(noPem, 'not a certificate')

function faultsOf(environment: Readonly<Record<string, string>>): string[] {
  try {
    loadSettings(environment)
  } catch (error) {
    if (error instanceof FaultsError) return error.faults.map(({ path, problem }) => `${path}: ${problem}`)
    throw error
  }
  return []
}

describe('an endpoint', () => {
  test('is what the URL says', () => {
    expect(resolveRedis({ url: 'redis://user:pass@h:1/2' })).toEqual({
      topology: 'standalone',
      nodes: [{ host: 'h', port: 1 }],
      masterName: null,
      database: 2,
      username: 'user',
      password: 'pass',
      sentinelUsername: null,
      sentinelPassword: null,
      tls: null,
    })
  })

  test("takes settings over what the URL says, and the files' contents", () => {
    const { loaded } = {
      loaded: loadSettings({
        RECGATE_REDIS_URL: 'rediss+sentinel://user:pass@h/main',
        RECGATE_REDIS_PASSWORD: 'better',
        RECGATE_REDIS_CA_FILE: authority.file,
        RECGATE_REDIS_CERT_FILE: client.certificate,
        RECGATE_REDIS_KEY_FILE: client.key,
        RECGATE_REDIS_SENTINEL_PASSWORD: 'sentinels',
      }),
    }
    expect(resolveRedis(loaded.redis)).toMatchObject({
      username: 'user',
      password: 'better',
      sentinelUsername: null,
      sentinelPassword: 'sentinels',
      tls: {
        ca: authority.pem,
        cert: expect.stringContaining('BEGIN CERTIFICATE'),
        key: expect.stringContaining('BEGIN PRIVATE KEY'),
      },
    })
  })

  test('of rediss without files trusts whom Node trusts', () => {
    expect(resolveRedis({ url: 'rediss://h' }).tls).toEqual({})
  })
})

describe('faults name setting and variable', () => {
  const tls = { RECGATE_REDIS_URL: 'rediss://h' }
  test.each<[string, Record<string, string>, RegExp[]]>([
    [
      'files that are not there',
      {
        ...tls,
        RECGATE_REDIS_CA_FILE: '/no/ca',
        RECGATE_REDIS_CERT_FILE: '/no/cert',
        RECGATE_REDIS_KEY_FILE: '/',
      },
      [
        /^redis\.caFile \(RECGATE_REDIS_CA_FILE\): can't be read: ENOENT/,
        /^redis\.certFile \(RECGATE_REDIS_CERT_FILE\): can't be read: ENOENT/,
        /^redis\.keyFile \(RECGATE_REDIS_KEY_FILE\): can't be read: EISDIR/,
      ],
    ],
    [
      'files that are no PEM',
      { ...tls, RECGATE_REDIS_CA_FILE: noPem, RECGATE_REDIS_CERT_FILE: noPem, RECGATE_REDIS_KEY_FILE: noPem },
      [/caFile.*: must be PEM/, /certFile.*: must be PEM/, /keyFile.*: must be PEM/],
    ],
    [
      'a certificate without its key',
      { ...tls, RECGATE_REDIS_CERT_FILE: client.certificate },
      [/^redis\.keyFile \(RECGATE_REDIS_KEY_FILE\): is missing/],
    ],
    [
      'a key without its certificate',
      { ...tls, RECGATE_REDIS_KEY_FILE: client.key },
      [/^redis\.certFile \(RECGATE_REDIS_CERT_FILE\): is missing/],
    ],
    [
      "another certificate's key",
      { ...tls, RECGATE_REDIS_CERT_FILE: client.certificate, RECGATE_REDIS_KEY_FILE: other.key },
      [/^redis\.keyFile \(RECGATE_REDIS_KEY_FILE\): must be the key of redis\.certFile/],
    ],
    [
      'files without TLS, and Sentinels that are none',
      {
        RECGATE_REDIS_URL: 'redis+cluster://h',
        RECGATE_REDIS_CA_FILE: authority.file,
        RECGATE_REDIS_SENTINEL_PASSWORD: 'geheim',
      },
      [
        /^redis\.caFile \(RECGATE_REDIS_CA_FILE\): is for TLS, .* must begin with rediss$/,
        /^redis\.sentinelPassword \(RECGATE_REDIS_SENTINEL_PASSWORD\): is for Sentinels/,
      ],
    ],
    [
      'a catalog of which only the password is given',
      { ...tls, RECGATE_CATALOG_REDIS_PASSWORD: 'geheim' },
      [/^catalogRedis\.url \(RECGATE_CATALOG_REDIS_URL\): is missing/],
    ],
    [
      'everything at once, whatever else is wrong',
      {
        RECGATE_REDIS_URL: 'redis+sentinel://geheim:geheim@h:0',
        RECGATE_REDIS_KEY_FILE: '/no/key',
        RECGATE_CATALOG_REDIS_URL: 'redis://h',
        RECGATE_CATALOG_REDIS_CERT_FILE: client.certificate,
        RECGATE_DATA_PORT: '70000',
      },
      [
        /^redis\.url .*port from 1/,
        /^redis\.url .*Sentinels know the master/,
        /^data\.port/,
        /^redis\.certFile .*is missing/,
        /^redis\.keyFile .*can't be read/,
        /^catalogRedis\.certFile .*is for TLS/,
        /^catalogRedis\.keyFile .*is missing/,
      ],
    ],
  ])('%s', (_, environment, expected) => {
    const faults = faultsOf(environment)
    expect(faults).toHaveLength(expected.length)
    for (const [index, pattern] of expected.entries()) expect(faults[index]).toMatch(pattern)
    expect(faults.join()).not.toContain('geheim')
  })
})
