import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { FaultsError } from '../../../src/domain/errors.ts'
import { loadSettings, readKeyAuthorities, resolveSecrets } from '../../../src/settings/load.ts'
import { settingsOfEnvironment } from '../../../src/settings/schema.ts'
import { createAuthority } from '../../support/certificates.ts'

const directory = mkdtempSync(join(tmpdir(), 'recgate-settings-'))
afterAll(() => rmSync(directory, { recursive: true }))

let files = 0
function file(text: string): string {
  const path = join(directory, `settings-${++files}.yaml`)
  writeFileSync(path, text)
  return path
}

/** Subject and `path: problem` of what loading ends in. */
function failure(load: () => unknown): { subject: string; faults: string[] } {
  try {
    load()
  } catch (error) {
    if (!(error instanceof FaultsError)) throw error
    return { subject: error.subject, faults: error.faults.map(({ path, problem }) => `${path}: ${problem}`) }
  }
  throw new Error('nothing was wrong')
}

const authority = await createAuthority(directory)
const pem = { ca: authority.file, ...(await authority.issue('client')) }
const fileSettings = { caFile: pem.ca, certFile: pem.certificate, keyFile: pem.key }

const url = 'redis://127.0.0.1:6379'
const redis = { RECGATE_REDIS_URL: url }

describe('settings', () => {
  test('need a Redis only; the rest has defaults', () => {
    expect(loadSettings(redis)).toEqual({
      redis: { url },
      data: {
        host: '0.0.0.0',
        port: 8080,
        requestTimeoutMs: 10_000,
        keepAliveMs: 75_000,
        connectionsMax: 10_000,
        requestsPerConnectionMax: 100_000,
        inFlightMax: 8_192,
        readsInFlightMax: 4_096,
        turnWaitMsMax: 250,
        eventLoopDelayMsMax: 1_000,
        eventLoopUtilizationMax: 1,
      },
      cors: { origins: [] },
      trustProxy: [],
      admin: { host: '127.0.0.1', port: 9090 },
      ops: { host: '0.0.0.0', port: 9091 },
      catalogPollMs: 2_000,
      heartbeatMs: 2_000,
      collectEveryMs: 600_000,
      memoryShare: {},
      nearCacheBytes: 67_108_864,
      drainMs: 3_000,
      logLevel: 'info',
      secrets: {},
      jwksPrivateHosts: [],
    })
  })

  test('every variable reaches its setting', () => {
    const environment = {
      RECGATE_REDIS_URL: 'rediss+sentinel://user:pass@tables:1/main',
      RECGATE_REDIS_USERNAME: 'gateway',
      RECGATE_REDIS_PASSWORD: 'one',
      RECGATE_REDIS_CA_FILE: pem.ca,
      RECGATE_REDIS_CERT_FILE: pem.certificate,
      RECGATE_REDIS_KEY_FILE: pem.key,
      RECGATE_REDIS_SENTINEL_USERNAME: 'asker',
      RECGATE_REDIS_SENTINEL_PASSWORD: 'two',
      RECGATE_CATALOG_REDIS_URL: 'rediss+sentinel://catalog:2/main/3',
      RECGATE_CATALOG_REDIS_USERNAME: 'reader',
      RECGATE_CATALOG_REDIS_PASSWORD: 'three',
      RECGATE_CATALOG_REDIS_CA_FILE: pem.ca,
      RECGATE_CATALOG_REDIS_CERT_FILE: pem.certificate,
      RECGATE_CATALOG_REDIS_KEY_FILE: pem.key,
      RECGATE_CATALOG_REDIS_SENTINEL_USERNAME: 'asker',
      RECGATE_CATALOG_REDIS_SENTINEL_PASSWORD: 'four',
      RECGATE_DATA_HOST: '::',
      RECGATE_DATA_PORT: '1',
      RECGATE_DATA_REQUEST_TIMEOUT_MS: '100',
      RECGATE_DATA_KEEP_ALIVE_MS: '200',
      RECGATE_DATA_CONNECTIONS_MAX: '300',
      RECGATE_DATA_REQUESTS_PER_CONNECTION_MAX: '400',
      RECGATE_DATA_IN_FLIGHT_MAX: '500',
      RECGATE_DATA_READS_IN_FLIGHT_MAX: '600',
      RECGATE_DATA_TURN_WAIT_MS_MAX: '300',
      RECGATE_DATA_EVENT_LOOP_DELAY_MS_MAX: '700',
      RECGATE_DATA_EVENT_LOOP_UTILIZATION_MAX: '0.8',
      RECGATE_DATA_HEAP_BYTES_MAX: '9000000',
      RECGATE_CORS_ORIGINS: ' https://game.example,http://localhost:5173,, ',
      RECGATE_TRUST_PROXY: '10.0.0.0/8 , 192.0.2.1,2001:db8::/32,::1',
      RECGATE_ADMIN_HOST: '10.0.0.1',
      RECGATE_ADMIN_PORT: '2',
      RECGATE_ADMIN_TOKEN: '0123456789abcdef',
      RECGATE_OPS_HOST: '10.0.0.2',
      RECGATE_OPS_PORT: '3',
      RECGATE_CATALOG_POLL_MS: '100',
      RECGATE_STATE_DIR: '/var/lib/recgate',
      RECGATE_NEAR_CACHE_BYTES: '0',
      RECGATE_HEARTBEAT_MS: '250',
      RECGATE_DRAIN_MS: '0',
      RECGATE_COLLECT_EVERY_MS: '0',
      RECGATE_LOG_LEVEL: 'warn',
      RECGATE_JWKS_PRIVATE_HOSTS: ' keys.internal,, LOCALHOST ,[::1]',
      RECGATE_JWKS_CA_FILE: '/run/ca.pem',
    }
    expect(Object.keys(environment).sort()).toEqual(Object.keys(settingsOfEnvironment).sort())
    expect(loadSettings(environment)).toEqual({
      redis: {
        url: 'rediss+sentinel://user:pass@tables:1/main',
        username: 'gateway',
        password: 'one',
        ...fileSettings,
        sentinelUsername: 'asker',
        sentinelPassword: 'two',
      },
      catalogRedis: {
        url: 'rediss+sentinel://catalog:2/main/3',
        username: 'reader',
        password: 'three',
        ...fileSettings,
        sentinelUsername: 'asker',
        sentinelPassword: 'four',
      },
      data: {
        host: '::',
        port: 1,
        requestTimeoutMs: 100,
        keepAliveMs: 200,
        connectionsMax: 300,
        requestsPerConnectionMax: 400,
        inFlightMax: 500,
        readsInFlightMax: 600,
        turnWaitMsMax: 300,
        eventLoopDelayMsMax: 700,
        eventLoopUtilizationMax: 0.8,
        heapBytesMax: 9_000_000,
      },
      cors: { origins: ['https://game.example', 'http://localhost:5173'] },
      trustProxy: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1'],
      admin: { host: '10.0.0.1', port: 2 },
      adminToken: '0123456789abcdef',
      ops: { host: '10.0.0.2', port: 3 },
      catalogPollMs: 100,
      heartbeatMs: 250,
      stateDir: '/var/lib/recgate',
      collectEveryMs: 0,
      memoryShare: {},
      nearCacheBytes: 0,
      drainMs: 0,
      logLevel: 'warn',
      secrets: {},
      jwksPrivateHosts: ['keys.internal', 'localhost', '[::1]'],
      jwksCaFile: '/run/ca.pem',
    })
  })

  test('a list is a list in the file, and stands between commas in a variable', () => {
    const path = file(`redis: { url: ${url} }\njwksPrivateHosts: [Keys.Internal, 10.0.0.7]\n`)
    expect(loadSettings({}, path).jwksPrivateHosts).toEqual(['keys.internal', '10.0.0.7'])
    const environment = { RECGATE_JWKS_PRIVATE_HOSTS: 'a.example' }
    expect(loadSettings(environment, path).jwksPrivateHosts).toEqual(['a.example'])
  })

  test('of the environment win over those of the file, one by one', () => {
    const path = file(`redis: { url: redis://file:1 }\ndata: { host: 10.0.0.1, port: 1 }\nlogLevel: warn\n`)
    const settings = loadSettings({ RECGATE_DATA_PORT: '2', RECGATE_LOG_LEVEL: '' }, path)
    expect(settings).toMatchObject({
      redis: { url: 'redis://file:1' },
      data: { host: '10.0.0.1', port: 2 },
      logLevel: 'warn',
    })
  })

  test('may be a file of JSON, or an empty file', () => {
    expect(loadSettings({}, file(JSON.stringify({ redis: { url } }))).redis.url).toBe(url)
    expect(loadSettings(redis, file('# nothing yet\n')).redis.url).toBe(url)
  })

  test('are frozen, all the way down', () => {
    const settings = loadSettings(redis, file('secrets: { s: { tenants: [a], env: X } }'))
    const { tenants } = settings.secrets['s']!
    expect(() => Object.assign(settings, { logLevel: 'debug' })).toThrow(TypeError)
    expect(() => Object.assign(settings.data, { port: 1 })).toThrow(TypeError)
    expect(() => Object.assign(tenants, { 1: 'b' })).toThrow(TypeError)
  })
})

describe('key servers', () => {
  test('are named by their hosts alone', () => {
    const hosts = [
      'https://keys.internal',
      'keys.internal:8443',
      'keys.internal/jwks',
      '*.internal',
      'a b',
      '::1',
      'u@h',
      '999.0.0.1',
      '[::g]',
    ]
    const environment = { ...redis, RECGATE_JWKS_PRIVATE_HOSTS: hosts.join(',') }
    const { faults } = failure(() => loadSettings(environment))
    const rule =
      'must be a host without port or path, as it stands in the URL, e.g. keys.internal or 10.0.0.7'
    expect(faults).toEqual(
      hosts.map((_, index) => `jwksPrivateHosts[${index}] (RECGATE_JWKS_PRIVATE_HOSTS): ${rule}`),
    )
  })

  test('their authorities are read from a file of PEM', async () => {
    const authority = await createAuthority(directory)
    expect(readKeyAuthorities({ jwksCaFile: authority.file })).toBe(authority.pem)
    expect(readKeyAuthorities({})).toBeNull()
    const { faults } = failure(() => readKeyAuthorities({ jwksCaFile: join(directory, 'nowhere.pem') }))
    expect(faults).toEqual([
      expect.stringMatching(/^jwksCaFile \(RECGATE_JWKS_CA_FILE\): can't be read: ENOENT/),
    ])
    const text = file('no certificate')
    expect(failure(() => readKeyAuthorities({ jwksCaFile: text })).faults).toEqual([
      `jwksCaFile (RECGATE_JWKS_CA_FILE): ${text} holds something that is no certificate in PEM`,
    ])
    const both = file(`# ours\n${authority.pem}\n# theirs\n${authority.pem}`)
    expect(readKeyAuthorities({ jwksCaFile: both })).toContain('# theirs')
    for (const broken of [authority.pem.replace(/[A-Za-z0-9+/]{40}\n/, ''), authority.pem.slice(0, 200)]) {
      const second = file(`${authority.pem}\n${broken}`)
      expect(failure(() => readKeyAuthorities({ jwksCaFile: second })).faults).toEqual([
        `jwksCaFile (RECGATE_JWKS_CA_FILE): ${second} holds something that is no certificate in PEM`,
      ])
    }
  })
})

describe('everything wrong comes at once', () => {
  test('with the names of the variables', () => {
    const environment = {
      RECGATE_CATALOG_REDIS_URL: 'http://catalog',
      RECGATE_DATA_PORT: 'http',
      RECGATE_OPS_PORT: '65536',
      RECGATE_ADMIN_TOKEN: 'short',
      RECGATE_CATALOG_POLL_MS: '99',
      RECGATE_DRAIN_MS: '1.5',
      RECGATE_LOG_LEVEL: 'loud',
    }
    const { subject, faults } = failure(() => loadSettings(environment))
    expect(subject).toBe('settings (environment)')
    expect(faults).toEqual([
      'RECGATE_DATA_PORT: must be a number, not "http"',
      'redis (RECGATE_REDIS_URL): is missing; it must give a url, e.g. redis://127.0.0.1:6379',
      'catalogRedis.url (RECGATE_CATALOG_REDIS_URL): must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT (rediss instead of redis for TLS), with user and password percent-encoded',
      'adminToken (RECGATE_ADMIN_TOKEN): must be at least 16 characters',
      'ops.port (RECGATE_OPS_PORT): must be a port, 0 to 65535',
      'catalogPollMs (RECGATE_CATALOG_POLL_MS): must be 100 or more',
      'drainMs (RECGATE_DRAIN_MS): must be a whole number',
      'logLevel (RECGATE_LOG_LEVEL): must be "debug", "info", "warn", "error" or "silent"',
    ])
  })

  test('no message shows a URL, which may hold a password', () => {
    const { faults } = failure(() => loadSettings({ RECGATE_REDIS_URL: 'redis:/user:secret@host' }))
    expect(faults.join()).not.toContain('secret')
    expect(faults).toHaveLength(1)
  })

  test('unknown fields of the file, wherever they stand', () => {
    const path = file('redis: { url: redis://x:1, passwort: y }\ndata: { prot: 1 }\nlogLvel: info\n')
    const { subject, faults } = failure(() => loadSettings({}, path))
    expect(subject).toBe(`settings (${path} and environment)`)
    expect(faults.map((fault) => fault.replace(/ \(.*?\)/, '')).sort()).toEqual([
      'data.prot: is not a known field here',
      'logLvel: is not a known field here',
      'redis.passwort: is not a known field here',
    ])
  })

  test('dotted keys, as the settings are called in tables and messages, with how they are written', () => {
    const path = file('redis: { url: redis://x:1 }\ndata.port: 8180\nno.such.thing: 1\n')
    expect(failure(() => loadSettings({}, path)).faults).toEqual([
      'data.port: must be written nested: data: { port: … }',
      'no.such.thing: must be written nested: no: { such: { thing: … } }',
    ])
    expect(loadSettings(redis, file('data: { port: 8180 }\n')).data.port).toBe(8180)
  })

  test('rules between settings, also where others are broken', () => {
    const environment = {
      ...redis,
      RECGATE_ADMIN_HOST: '0.0.0.0',
      RECGATE_ADMIN_PORT: '9091',
      RECGATE_DRAIN_MS: '-1',
    }
    expect(failure(() => loadSettings(environment)).faults).toEqual([
      'drainMs (RECGATE_DRAIN_MS): must be 0 or more',
      'admin.host (RECGATE_ADMIN_HOST): is 0.0.0.0, which others can reach: set adminToken (RECGATE_ADMIN_TOKEN), or bind 127.0.0.1',
      'data.port, admin.port, ops.port: must differ',
    ])
  })
})

describe('variables that nothing reads', () => {
  function unknownIn(environment: Record<string, string>, path?: string): string[] {
    const told: string[] = []
    loadSettings({ ...redis, ...environment }, path, (variable) => told.push(variable))
    return told
  }

  test('are warned of where they begin with RECGATE_', () => {
    const environment = { RECGATE_REDIS_URI: url, RECGATE_LOGLEVEL: 'debug', RECGATE_X: '', OTHER: 'x' }
    expect(unknownIn(environment)).toEqual(['RECGATE_REDIS_URI', 'RECGATE_LOGLEVEL'])
  })

  test('stand among the faults, which they may be the cause of', () => {
    expect(failure(() => loadSettings({ RECGATE_REDIS_URI: url })).faults).toEqual([
      'redis (RECGATE_REDIS_URL): is missing; it must give a url, e.g. redis://127.0.0.1:6379',
      'RECGATE_REDIS_URI: is no variable that recgate knows; docs/settings.md lists them',
    ])
  })

  test('are not those of secrets, of commands, or of Kubernetes services', () => {
    const path = file('secrets: { s: { tenants: [a], env: RECGATE_SECRET_OF_A } }')
    expect(unknownIn({ RECGATE_SECRET_OF_A: 'x' }, path)).toEqual([])
    const services = {
      RECGATE_SERVICE_HOST: '10.0.0.1',
      RECGATE_SERVICE_PORT_HTTP: '80',
      RECGATE_PORT: 'tcp://10.0.0.1:80',
      RECGATE_PORT_80_TCP_ADDR: '10.0.0.1',
      RECGATE_OPS_PORT_9091_TCP: 'tcp://10.0.0.1:9091',
    }
    expect(unknownIn(services)).toEqual([])
  })

  test('are none of those that src names', () => {
    // What clients are made of has macros of its own.
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.startsWith(`clients${sep}`),
    )
    const named = sources.flatMap(
      (name) => readFileSync(join('src', name), 'utf8').match(/\bRECGATE_[A-Z_]*[A-Z]\b/g) ?? [],
    )
    expect(named).toContain('RECGATE_DEVELOPMENT_KEY_FILE')
    const others = [...new Set(named)].filter((name) => !Object.hasOwn(settingsOfEnvironment, name))
    expect(unknownIn(Object.fromEntries(others.map((name) => [name, 'x'])))).toEqual([])
  })
})

describe('cors.origins', () => {
  const originsOf = (text: string) => loadSettings({ ...redis, RECGATE_CORS_ORIGINS: text }).cors.origins

  test.each([
    '*',
    'https://game.example',
    'http://127.0.0.1:5173',
    'http://[::1]:8080',
    'https://xn--mller-kva.example',
  ])('%s', (origin) => {
    expect(originsOf(origin)).toEqual([origin])
  })

  test.each([
    'game.example',
    '//game.example',
    'https://game.example/',
    'https://game.example/play',
    'https://game.example:443',
    'http://game.example:80',
    'https://Game.example',
    'HTTPS://game.example',
    'https://user@game.example',
    'https://game.example?x',
    'https://*.game.example',
    'https://müller.example',
    'https://game.example:99999',
    'ftp://game.example',
    'file://',
    'null',
    'https://',
  ])('%s is none', (origin) => {
    const { faults } = failure(() => originsOf(origin))
    expect(faults).toEqual([
      expect.stringMatching(
        /^cors\.origins\[0\] \(RECGATE_CORS_ORIGINS\): must be .*https:\/\/game\.example/,
      ),
    ])
  })

  test('everybody and somebody', () => {
    expect(failure(() => originsOf('https://game.example,*')).faults).toEqual([
      'cors.origins (RECGATE_CORS_ORIGINS): * allows every origin, so it must stand alone',
    ])
  })
})

describe('trustProxy', () => {
  const fault = /^trustProxy(\[\d\])? \(RECGATE_TRUST_PROXY\): must be addresses and CIDR ranges/

  test.each([
    'true',
    '1',
    'loopback',
    'uniquelocal',
    'proxy.example',
    '10.1',
    '0x7f000001',
    '10.0.0.0/33',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/',
    '010.0.0.1',
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1',
    '10.0.0.0/7',
    '::/1',
    '2000::/15',
    '::/80',
    '::ffff:0:0/95',
    '::ffff:0:0/96',
    '::ffff:10.0.0.0/103',
    'fe80::1%eth0',
    '::/129',
    '10.0.0.1:80',
  ])('%s is refused', (text) => {
    expect(failure(() => loadSettings({ ...redis, RECGATE_TRUST_PROXY: text })).faults).toEqual([
      expect.stringMatching(fault),
    ])
  })

  test.each(['10.0.0.0/8', '2001::/16', 'fd00::/16', '::ffff:10.0.0.0/104', '::1/128'])(
    '%s is taken',
    (text) => {
      expect(loadSettings({ ...redis, RECGATE_TRUST_PROXY: text }).trustProxy).toEqual([text])
    },
  )

  test.each(['true', '1', '10.0.0.0/8', '[true]', '[1]'])('%s in a file is refused', (text) => {
    expect(failure(() => loadSettings(redis, file(`trustProxy: ${text}`))).faults).toEqual([
      expect.stringMatching(fault),
    ])
  })
})

describe('the listeners', () => {
  test.each(['0.0.0.0', '10.0.0.1', '::', 'example.com'])('admin on %s needs a token', (host) => {
    const environment = { ...redis, RECGATE_ADMIN_HOST: host }
    expect(failure(() => loadSettings(environment)).faults).toHaveLength(1)
    const token = { RECGATE_ADMIN_TOKEN: '0123456789abcdef' }
    expect(loadSettings({ ...environment, ...token }).admin.host).toBe(host)
  })

  test.each(['127.0.0.1', '::1', 'localhost'])('admin on %s needs none', (host) => {
    expect(loadSettings({ ...redis, RECGATE_ADMIN_HOST: host }).admin.host).toBe(host)
  })

  test.each([
    ['data and admin', { RECGATE_DATA_PORT: '9090' }],
    ['data and ops', { RECGATE_DATA_PORT: '9091' }],
    ['admin and ops', { RECGATE_ADMIN_PORT: '9091' }],
  ])('%s on one port are refused', (_, environment) => {
    const { faults } = failure(() => loadSettings({ ...redis, ...environment }))
    expect(faults).toEqual(['data.port, admin.port, ops.port: must differ'])
  })

  test('several may take any free port', () => {
    const any = { RECGATE_DATA_PORT: '0', RECGATE_ADMIN_PORT: '0', RECGATE_OPS_PORT: '0' }
    expect(loadSettings({ ...redis, ...any }).ops.port).toBe(0)
  })

  test.each(['', 'x', '1e3', '0x50', ' ', 'Infinity', '80 ', '８０'])('a port of %j', (text) => {
    const load = () => loadSettings({ ...redis, RECGATE_DATA_PORT: text })
    if (text === '') expect(load().data.port).toBe(8080)
    else
      expect(failure(load).faults).toEqual([
        `RECGATE_DATA_PORT: must be a number, not ${JSON.stringify(text)}`,
      ])
  })
})

describe('the file', () => {
  test('that is not there, is no mapping, or no YAML', () => {
    const missing = join(directory, 'missing.yaml')
    expect(failure(() => loadSettings(redis, missing))).toMatchObject({
      subject: `settings (${missing})`,
      faults: [expect.stringContaining("can't be read: ENOENT")],
    })
    for (const text of ['- 1\n', 'text\n', '5\n'])
      expect(failure(() => loadSettings(redis, file(text))).faults).toEqual([
        ': must be a mapping of settings',
      ])
    expect(failure(() => loadSettings(redis, file('a: [1\n'))).faults[0]).toMatch(/line 2, column 1/)
  })
})

describe('secrets', () => {
  const secretFile = join(directory, 'secret')
  writeFileSync(secretFile, 'from-the-file\n')
  const secretsFile = (text: string) => loadSettings(redis, file(`secrets:\n${text}`))
  const settings = secretsFile(
    `  one: { tenants: [a, b], env: SECRET_ONE }\n  two: { tenants: [b], file: ${JSON.stringify(secretFile)} }\n`,
  )
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))

  test('come from variables and files, a closing line break left out, and only to allowed tenants', () => {
    const resolve = resolveSecrets(settings, { SECRET_ONE: 'from-the-environment' })
    expect(text(resolve('a', 'one'))).toBe('from-the-environment')
    expect(text(resolve('b', 'one'))).toBe('from-the-environment')
    expect(text(resolve('b', 'two'))).toBe('from-the-file')
    expect(resolve('a', 'two')).toBeNull()
    expect(resolve('c', 'one')).toBeNull()
    for (const name of ['three', 'constructor', '__proto__', '']) expect(resolve('a', name)).toBeNull()
  })

  test('that are missing are all named, before anything is served', () => {
    const broken = secretsFile(
      '  one: { tenants: [a], env: NOT_SET }\n  two: { tenants: [a], file: /no/such }\n',
    )
    expect(failure(() => resolveSecrets(broken, {}))).toEqual({
      subject: 'settings',
      faults: [
        'secrets.one.env: the environment variable NOT_SET is not set',
        expect.stringMatching(/^secrets\.two\.file: can't be read: ENOENT/),
      ],
    })
  })

  test.each([
    ['  one: { tenants: [a], env: A, file: b }\n', 'secrets.one: must have exactly one of env and file'],
    ['  one: { tenants: [a] }\n', 'secrets.one: must have exactly one of env and file'],
    ['  one: { tenants: [], env: A }\n', 'secrets.one.tenants: must name at least one tenant'],
    ['  one: { env: A }\n', 'secrets.one.tenants: is missing; it must be a list'],
    ['  one: { tenants: [a], env: A, value: x }\n', 'secrets.one.value: is not a known field here'],
  ])('%j is refused', (yaml, fault) => {
    expect(failure(() => secretsFile(yaml)).faults).toEqual([fault])
  })
})
