import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli, startCli } from '../support/cli.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-usage-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const nowhere = { RECGATE_REDIS_URL: 'redis://user:geheim@127.0.0.1:1' }

describe('help', () => {
  /** The commands below one, as its help lists them. */
  async function commandsOf(path: readonly string[]): Promise<string[]> {
    const { stdout } = await runCli([...path, '--help'])
    const list = /\nCommands:\n((?: .*\n)+)/.exec(stdout)?.[1] ?? ''
    return [...list.matchAll(/^ {2}([a-z]+)/gm)].flatMap(([, name = '']) => (name === 'help' ? [] : [name]))
  }

  test('a reader that has gone is no error', async () => {
    const running = startCli(['tables', 'list', '--help'])
    running.closeStdout()
    expect(await running.exited).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('every command and subcommand has --help with an example of itself, and exits 0', async () => {
    const top = await commandsOf([])
    expect(top).toEqual([
      'demo',
      'serve',
      'publish',
      'tables',
      'erase',
      'catalog',
      'token',
      'assign',
      'decode',
      'client',
    ])
    const below = await Promise.all(
      top.map(async (name) => (await commandsOf([name])).map((inner) => [name, inner])),
    )
    const commands = [[], ...top.map((name) => [name]), ...below.flat()]
    expect(commands).toContainEqual(['catalog', 'apply'])
    expect(commands).toContainEqual(['tables', 'list'])
    await Promise.all(
      commands.map(async (path) => {
        const { exitCode, stdout, stderr } = await runCli([...path, '--help'])
        expect({ path, exitCode, stderr }).toEqual({ path, exitCode: 0, stderr: '' })
        const example = stdout.split('\nExample:\n')[1]
        expect(example, path.join(' ')).toContain(['recgate', ...path].join(' '))
      }),
    )
  })

  test('the example of decode can be pasted', async () => {
    const { stdout } = await runCli(['decode', '--help'])
    const example = stdout.split('\nExample:\n')[1]!.trim().split(' ')
    const { exitCode, stdout: decoded } = await runCli(example.slice(1))
    expect(exitCode).toBe(0)
    expect(JSON.parse(decoded)).toMatchObject({ segment: 'newcomer', games: [1, 2, 3] })
  })

  test('--version is the package’s', async () => {
    const { exitCode, stdout } = await runCli(['--version'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})

describe.concurrent('wrong usage exits 2, says what is wrong and does nothing', () => {
  test.each<[string, string[], RegExp]>([
    ['no command', [], /Usage: recgate/],
    ['an unknown command', ['sevre'], /unknown command 'sevre'\n\(Did you mean serve\?\)/],
    ['a group without a command', ['catalog'], /Usage: recgate catalog/],
    [
      'an unknown option',
      ['serve', '--develpment'],
      /unknown option '--develpment'\n\(Did you mean --development\?\)/,
    ],
    ['an option without its value', ['publish', 'x.csv', '--tenant'], /argument missing/],
    [
      'a required option that is missing',
      ['tables', 'list'],
      /required option '--tenant <id>' not specified/,
    ],
    ['an argument that is missing', ['catalog', 'apply'], /missing required argument 'file'/],
    [
      'a number that is none',
      ['publish', 'x.csv', '--tenant', 'a', '--model', 'b', '--version', 'c', '--max-bad-rows', 'few'],
      /'few' is invalid.*It must be a whole number/,
    ],
    [
      'a number below 0',
      ['publish', 'x.csv', '--tenant', 'a', '--model', 'b', '--version', 'c', '--max-bad-rows', '-1'],
      /'-1' is invalid.*It must be a whole number from 0/,
    ],
    [
      'an unknown plane',
      ['serve', '--planes', 'data,foo'],
      /--planes foo: is no plane; there are data, admin, ops/,
    ],
    [
      'no unit',
      ['assign', '--tenant', 'a', '--model', 'b'],
      /name a unit, or a file of units with --units-file/,
    ],
    [
      'an odd number of digits',
      ['decode', '--document', 'config/demo/tenant.yaml', '--model', 'games', '--hex', '018'],
      /--hex must be an even number/,
    ],
    ['no schema to decode with', ['decode', '--model', 'b', '--hex', '01'], /--tenant, or --document/],
    [
      'a language that there is no client in',
      ['client', 'cobol', '--document', 'config/demo/tenant.yaml', '--model', 'games'],
      /no client in cobol; there are .*typescript.*json/,
    ],
    ['no model to make a client of', ['client', 'json', '--model', 'b'], /--tenant, or --document/],
    [
      'several files for standard output',
      ['client', 'typescript', '--document', 'config/demo/tenant.yaml', '--model', 'games'],
      /2 files \(demo-studio\.games\.ts, recgate-fetcher\.ts\) need a directory: --out DIR/,
    ],
    [
      'a tenant that can not be',
      ['token', '--tenant', 'Studio', '--sub', 'x'],
      /--tenant Studio: must be a lower-case letter/,
    ],
    [
      'a claim without a value',
      ['token', '--tenant', 'studio', '--sub', 'x', '--claim', 'vip'],
      /--claim vip: must be name=value/,
    ],
  ])('%s', async (_, args, message) => {
    const env = { ...nowhere, RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
    const { exitCode, stdout, stderr } = await runCli(args, { env })
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n {4}at /)
  })
})

describe.concurrent('settings', () => {
  test.each([
    ['serve', ['serve']],
    ['tables list', ['tables', 'list', '--tenant', 'a']],
  ])('%s without RECGATE_REDIS_URL exits 2 and names it', async (_, args) => {
    const { exitCode, stdout, stderr } = await runCli(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toBe(
      'settings (environment): 1 fault\n' +
        '  redis (RECGATE_REDIS_URL): is missing; it must give a url, e.g. redis://127.0.0.1:6379\n',
    )
  })

  test('a mistyped variable is warned of, and what was asked for goes on', async () => {
    const env = { RECGATE_LOGLEVEL: 'debug' }
    const args = ['decode', '--document', 'config/demo/tenant.yaml', '--model', 'games', '--hex', '00']
    expect((await runCli(args, { env })).stderr).not.toContain('warning')
    const { exitCode, stderr } = await runCli(['catalog', 'show'], { env: { ...nowhere, ...env } })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(
      /^warning: RECGATE_LOGLEVEL is no variable that recgate knows; docs\/settings\.md lists them\n/,
    )
  })

  test('with several faults are shown whole, and exit 2', async () => {
    const file = join(directory, 'settings.yaml')
    await writeFile(
      file,
      'logLevel: loud\ndata: { port: 70000 }\nsecrets: { s: { tenants: [] } }\nreddis: 1\n',
    )
    const env = {
      RECGATE_REDIS_URL: 'localhost:6379',
      RECGATE_DRAIN_MS: 'soon',
      RECGATE_ADMIN_HOST: '0.0.0.0',
    }
    const { exitCode, stderr } = await runCli(['serve', '--config', file], { env })
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`settings (${file} and environment): 7 faults\n`)
    for (const part of [
      'RECGATE_DRAIN_MS: must be a number, not "soon"',
      'redis.url (RECGATE_REDIS_URL): must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT (rediss instead of redis for TLS), with user and password percent-encoded',
      'data.port (RECGATE_DATA_PORT): must be a port, 0 to 65535',
      'logLevel (RECGATE_LOG_LEVEL): must be "debug", "info", "warn", "error" or "silent"',
      'secrets.s.tenants: must name at least one tenant',
      'secrets.s: must have exactly one of env and file',
      'reddis: is not a known field here',
    ])
      expect(stderr).toContain(`  ${part}\n`)
  })

  test('whose secrets are missing exit 2', async () => {
    const file = join(directory, 'secrets.yaml')
    await writeFile(file, 'secrets: { s: { tenants: [a], env: NOT_SET } }\n')
    const { exitCode, stderr } = await runCli(['serve', '--config', file], { env: nowhere })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('secrets.s.env: the environment variable NOT_SET is not set')
  })

  test('of a file that is not there exit 2', async () => {
    const { exitCode, stderr } = await runCli(['catalog', 'show', '--config', join(directory, 'none.yaml')])
    expect(exitCode).toBe(2)
    expect(stderr).toContain("can't be read: ENOENT")
  })
})
