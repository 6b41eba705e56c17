import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { freePort, type LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import {
  type DevelopmentKey,
  loadDevelopmentKey,
  signDevelopmentToken,
} from '../../src/jwt/development-key.ts'
import { type RunningCli, runCli, startCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'

const units = Array.from({ length: 47 }, (_, index) => `player-${index}`).concat('プレイヤー42', '😀', 'a b')
const document = {
  format: 1,
  tenant: 'studio',
  issuers: [],
  models: {
    scores: {
      key: [{ claim: 'sub', column: 'player_id' }],
      record: { score: { type: 'uint', max: 100 }, name: { type: 'string', maxBytes: 10, optional: true } },
      default: { score: 1 },
      // A machine under load must not send answers down the ladder here.
      deadlineMs: 10_000,
      versions: ['popular', 'itemcf'],
      control: 'popular',
      weights: { popular: 50, itemcf: 50 },
      overrides: { itemcf: ['player-0', 'プレイヤー42'], popular: ['player-1'] },
    },
  },
}

let redis: LocalRedis
let tools: Tools
let directory: string
let keyFile: string
let documentFile: string
let key: DevelopmentKey
let trusting: RunningCli
let distrusting: RunningCli
let unconnected: RunningCli

/** Any free ports, on all interfaces where the settings may say so. */
const env = () => ({
  RECGATE_REDIS_URL: redis.url,
  RECGATE_DEVELOPMENT_KEY_FILE: keyFile,
  RECGATE_DATA_HOST: '0.0.0.0',
  RECGATE_OPS_HOST: '0.0.0.0',
  RECGATE_DATA_PORT: '0',
  RECGATE_ADMIN_PORT: '0',
  RECGATE_OPS_PORT: '0',
  RECGATE_DRAIN_MS: '0',
})

interface Addresses {
  readonly data: string
  readonly admin: string
  readonly ops: string
}

async function addressesOf(running: RunningCli): Promise<Addresses> {
  const [line] = await running.written(/^.*"msg":"listening".*$/m)
  return JSON.parse(line) as Addresses
}

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  directory = await mkdtemp(join(tmpdir(), 'recgate-serve-'))
  keyFile = join(directory, 'keys', 'development.json')
  documentFile = join(directory, 'tenant.yaml')
  await writeFile(documentFile, stringify(document))
  await applyDocument(tools, document)
  const rows = units.map((unit, index) => [unit, index, index % 2 ? 'odd' : null] as const)
  const source = () => rowsOf(['player_id', 'score', 'name'], rows)
  await publishRows(tools, ['studio', 'scores', 'popular'], source())
  await publishRows(tools, ['studio', 'scores', 'itemcf'], source())
  unconnected = startCli(['serve'], { env: { ...env(), RECGATE_REDIS_URL: 'redis://:geheim@127.0.0.1:1' } })
  trusting = startCli(['serve', '--development'], { env: env() })
  distrusting = startCli(['serve', '--planes', 'data,ops'], { env: env() })
  await Promise.all([addressesOf(trusting), addressesOf(distrusting)])
  key = await loadDevelopmentKey(keyFile)
})
afterAll(async () => {
  await Promise.all([trusting?.stop(), distrusting?.stop(), unconnected?.stop()])
  tools?.close()
  await redis?.stop()
  await rm(directory, { recursive: true, force: true })
})

const token = (...args: string[]) =>
  runCli(['token', '--tenant', 'studio', ...args], { env: { RECGATE_DEVELOPMENT_KEY_FILE: keyFile } })
const tokenFor = (sub: string) =>
  signDevelopmentToken({ key, tenantId: 'studio', claims: { sub, model: 'scores' }, lifetimeSeconds: 60 })

async function ask(running: RunningCli, bearer: string, accept = 'application/json'): Promise<Response> {
  const { data } = await addressesOf(running)
  return fetch(`${data.replace('0.0.0.0', '127.0.0.1')}/recommendations`, {
    headers: { Authorization: `Bearer ${bearer}`, Accept: accept },
  })
}

describe('token', () => {
  test('is one line that a gateway with the same key accepts; the key is the owner’s alone', async () => {
    const { exitCode, stdout, stderr } = await token('--sub', 'player-0', '--model', 'scores')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const response = await ask(trusting, stdout.trim())
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      model: 'scores',
      version: 'itemcf',
      reason: 'override',
      recommendation: { score: 0 },
    })
    const { mode } = await stat(keyFile)
    if (process.platform !== 'win32') expect(mode & 0o777).toBe(0o600)
  })

  test('with the scope of batches is a game server’s', async () => {
    const { stdout } = await token('--sub', 'server', '--model', 'scores', '--scope', 'recommendations:batch')
    const { data } = await addressesOf(trusting)
    const response = await fetch(`${data.replace('0.0.0.0', '127.0.0.1')}/recommendations/batch`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${stdout.trim()}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ units: ['player-0'] }),
    })
    expect(await response.json()).toEqual({
      items: [{ model: 'scores', version: 'itemcf', reason: 'override', recommendation: { score: 0 } }],
    })
    expect((await ask(trusting, stdout.trim())).status).toBe(403)
  })

  test('has the claims that were asked for', async () => {
    const result = await token(
      '--sub',
      'x',
      '--model',
      'a',
      'b',
      '--claim',
      'region=eu=1',
      'vip=',
      '--scope',
      'one',
      'two',
      '--lifetime',
      '60',
      '--json',
    )
    const [{ token: text, claims }] = result.json<{ token: string; claims: object }>() as [
      { token: string; claims: object },
    ]
    expect(claims).toMatchObject({ sub: 'x', model: ['a', 'b'], region: 'eu=1', vip: '', scope: 'one two' })
    const payload = JSON.parse(Buffer.from(text.split('.')[1]!, 'base64url').toString())
    expect(claims).toEqual(payload)
    expect(payload).toMatchObject({ iss: 'https://dev.recgate.invalid/studio', aud: 'recgate' })
    expect(payload.exp - payload.iat).toBe(60)
  })
})

describe('serve', () => {
  test('--development binds loopback only, and warns', async () => {
    const addresses = await addressesOf(trusting)
    for (const plane of ['data', 'admin', 'ops'] as const)
      expect(addresses[plane]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(trusting.stderr()).toContain(
      'tokens of this machine’s development key are trusted; bound to loopback',
    )
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.internal === false && address.family === 'IPv4')
    if (outside === undefined) return
    const port = Number(new URL(addresses.data).port)
    const reached = await new Promise<string>((resolve) => {
      const socket = connect(port, outside.address, () => resolve('connected'))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      socket.once('close', () => socket.destroy())
    })
    expect(reached).toBe('ECONNREFUSED')
  })

  test('without --development a development token is any forged token', async () => {
    const [genuine, forged] = await Promise.all([
      ask(distrusting, await tokenFor('player-0')),
      ask(distrusting, 'a.b.c'),
    ])
    expect([genuine.status, forged.status]).toEqual([401, 401])
    const [problem, other] = [await genuine.json(), await forged.json()]
    expect(problem).toEqual(other)
    expect(problem).toMatchObject({ code: 'token-invalid' })
  })

  test('--planes starts those only', async () => {
    const addresses = await addressesOf(distrusting)
    expect(addresses.admin).toBeUndefined()
    const ready = await fetch(`${addresses.ops.replace('0.0.0.0', '127.0.0.1')}/readyz`)
    expect(ready.status).toBe(200)
  })

  test('starts without a Redis, unready, and ends with 0 at SIGTERM', async () => {
    const { ops } = await addressesOf(unconnected)
    const ready = await fetch(`${ops.replace('0.0.0.0', '127.0.0.1')}/readyz`)
    expect(ready.status).toBe(503)
    unconnected.signal('SIGTERM')
    const { exitCode, stdout, stderr } = await unconnected.exited
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
    expect(stderr).toMatch(/"msg":"stopped"/)
    expect(stderr).not.toContain('geheim')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s while it still waits for the catalog drains and ends with 0',
    async (signal) => {
      // It takes connections and never says a word, so that the start waits as long as it ever does.
      const silent = createServer()
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      const { port } = silent.address() as AddressInfo
      const dataPort = await freePort()
      const starting = startCli(['serve'], {
        env: { ...env(), RECGATE_REDIS_URL: `redis://127.0.0.1:${port}`, RECGATE_DATA_PORT: `${dataPort}` },
      })
      try {
        await until('it listens', () =>
          fetch(`http://127.0.0.1:${dataPort}/healthz`).then(
            () => true,
            () => false,
          ),
        )
        starting.signal(signal)
        const { exitCode, stderr } = await starting.exited
        expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
        expect(stderr).toMatch(/"msg":"stopped"/)
        expect(stderr).not.toMatch(/"msg":"listening"/)
      } finally {
        await starting.stop()
        silent.close()
      }
    },
  )

  test('a state directory that can not be written exits 2, by its name', async () => {
    const inTheWay = join(directory, 'in-the-way')
    await writeFile(inTheWay, '')
    const { exitCode, stderr } = await runCli(['serve'], {
      env: { ...env(), RECGATE_STATE_DIR: join(inTheWay, 'state') },
    })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('stateDir (RECGATE_STATE_DIR): must be a directory that can be written: ')
    expect(stderr).toContain(join(inTheWay, 'state'))
    expect(stderr).not.toMatch(/\n {4}at /)
  })

  test('a state directory is made, and a gateway without Redis serves from it', async () => {
    const stateDir = join(directory, 'state')
    const saving = startCli(['serve', '--development'], { env: { ...env(), RECGATE_STATE_DIR: stateDir } })
    await addressesOf(saving)
    saving.signal('SIGTERM')
    expect(await saving.exited).toMatchObject({ exitCode: 0 })
    const { mode } = await stat(join(stateDir, 'tenant.studio.state'))
    if (process.platform !== 'win32') expect(mode & 0o777).toBe(0o600)
    const alone = startCli(['serve', '--development'], {
      env: { ...env(), RECGATE_STATE_DIR: stateDir, RECGATE_REDIS_URL: 'redis://127.0.0.1:1' },
    })
    try {
      const answer = await ask(alone, await tokenFor('player-0'))
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({ reason: 'default', recommendation: { score: 1 } })
      expect(alone.stderr()).toContain('started without the catalog: what was saved on disk is served')
    } finally {
      await alone.stop()
    }
  })

  test('a port in use exits 1', async () => {
    const { ops } = await addressesOf(distrusting)
    const taken = { ...env(), RECGATE_OPS_PORT: new URL(ops).port }
    const { exitCode, stderr } = await runCli(['serve'], { env: taken })
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      `ops.port (RECGATE_OPS_PORT): 0.0.0.0:${new URL(ops).port} is in use; another process listens there\n`,
    )
  })
})

describe.concurrent('assign', () => {
  const assign = (args: string[], stdin?: string) =>
    runCli(['assign', '--tenant', 'studio', '--model', 'scores', ...args], {
      env: env(),
      ...(stdin === undefined ? {} : { stdin }),
    })

  test('agrees with what is served, unit for unit', async () => {
    await until(
      'the gateway is ready',
      async () => (await ask(trusting, await tokenFor('player-0'))).status === 200,
    )
    const [fromInput, fromArguments] = await Promise.all([
      assign(['--units-file', '-', '--json'], units.join('\n')),
      assign(units),
    ])
    interface Assignment {
      readonly unit: string
      readonly slot: number
      readonly version: string
      readonly reason: string
    }
    const assignments = fromInput.json<Assignment>()
    expect(assignments.map(({ unit }) => unit)).toEqual(units)
    const served = await Promise.all(
      units.map(async (unit) => {
        const { version, reason } = (await (await ask(trusting, await tokenFor(unit))).json()) as Assignment
        return { unit, version, reason }
      }),
    )
    // The version is the assigned one whatever the reason says; a reason may be a fallback's on a machine under load.
    expect(assignments.map(({ unit, version }) => ({ unit, version }))).toEqual(
      served.map(({ unit, version }) => ({ unit, version })),
    )
    for (const [index, { reason }] of assignments.entries())
      expect([reason, 'default']).toContain(served[index]?.reason)
    expect(new Set(served.map(({ version }) => version))).toEqual(new Set(['popular', 'itemcf']))
    expect(assignments.filter(({ reason }) => reason === 'override').map(({ unit }) => unit)).toEqual([
      'player-0',
      'player-1',
      'プレイヤー42',
    ])

    expect(fromArguments.exitCode).toBe(0)
    const lines = fromArguments.stdout.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^UNIT +SLOT +VERSION +REASON$/)
    expect(lines.slice(1).map((line) => line.split(/ {2,}/))).toEqual(
      assignments.map(({ unit, slot, version, reason }) => [unit, String(slot), version, reason]),
    )
  })

  test('files of any line ends; what is not there is named', async () => {
    const windows = join(directory, 'units.txt')
    await writeFile(windows, 'player-5\r\n\r\nplayer-6\r\n')
    const [file, missing, model] = await Promise.all([
      assign(['player-4', '--units-file', windows, '--json']),
      assign(['--units-file', join(directory, 'none.txt')]),
      runCli(['assign', 'x', '--tenant', 'studio', '--model', 'constructor'], { env: env() }),
    ])
    expect(file.json<{ unit: string }>().map(({ unit }) => unit)).toEqual([
      'player-4',
      'player-5',
      'player-6',
    ])
    expect(missing).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/none\.txt: can't be read: ENOENT/),
    })
    expect(model).toMatchObject({
      exitCode: 1,
      stderr: 'tenant studio has no model constructor; it has scores\n',
    })
  })
})

describe.concurrent('decode', () => {
  const decode = (args: string[], stdin?: Uint8Array) =>
    runCli(['decode', '--model', 'scores', ...args], {
      env: env(),
      ...(stdin === undefined ? {} : { stdin }),
    })
  let body: Buffer
  let json: string

  beforeAll(async () => {
    const bearer = await tokenFor('player-7')
    await until('the gateway is ready', async () => (await ask(trusting, bearer)).status === 200)
    const packed = await ask(trusting, bearer, 'application/vnd.recgate.packed')
    expect(packed.headers.get('content-type')).toBe('application/vnd.recgate.packed')
    body = Buffer.from(await packed.arrayBuffer())
    const answer = (await (await ask(trusting, bearer)).json()) as { recommendation: object }
    json = `${JSON.stringify(answer.recommendation)}\n`
  })

  test('gives of a served body what is served as JSON: from input, digits and a file, live and from a document', async () => {
    const file = join(directory, 'body.bin')
    await writeFile(file, body)
    const results = await Promise.all([
      decode(['--tenant', 'studio'], body),
      decode(['--document', documentFile, '--hex', body.toString('hex').toUpperCase()]),
      decode([file, '--document', documentFile]),
    ])
    expect(json).toBe('{"score":7,"name":"odd"}\n')
    for (const { exitCode, stdout, stderr } of results)
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: json, stderr: '' })
  })

  test('hostile bytes exit 1 with a code', async () => {
    const cases: [string, string][] = [
      ['01', 'packed-truncated'],
      [`${body.toString('hex')}00`, 'packed-trailing'],
    ]
    const results = await Promise.all([
      ...cases.map(([hex]) => decode(['--document', documentFile, '--hex', hex])),
      decode(['--document', documentFile], Buffer.alloc(0)),
    ])
    const codes = [...cases.map(([, code]) => code), 'packed-empty']
    for (const [index, { exitCode, stdout, stderr }] of results.entries()) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
      expect(stderr).toContain(`not a record of scores (${codes[index]}): `)
      expect(stderr).not.toMatch(/\n {4}at /)
    }
  })

  test('what is not there is named, and a document called settings is no setting', async () => {
    const settings = join(directory, 'settings.yaml')
    await writeFile(settings, 'format: 2\n')
    const [model, live, faulty] = await Promise.all([
      decode(['--document', documentFile, '--model', 'games'], body),
      decode(['--tenant', 'nobody'], body),
      runCli(['decode', '--model', 'x', '--document', 'settings.yaml'], { cwd: directory }),
    ])
    expect(model).toMatchObject({
      exitCode: 1,
      stderr: `${documentFile} has no model games; it has scores\n`,
    })
    expect(live).toMatchObject({
      exitCode: 1,
      stderr: 'there is no tenant nobody; `recgate catalog show` lists them\n',
    })
    expect(faulty).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^settings\.yaml: \d faults\n/),
    })
  })
})
