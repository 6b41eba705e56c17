import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findRedisServer, startRedisServer } from '../../src/commands/local-redis.ts'
import { type CliOptions, type CliResult, runCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument } from '../support/studio.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

const document = {
  format: 1,
  tenant: 'studio',
  issuers: [],
  models: {
    games: {
      key: [{ claim: 'sub', column: 'player_id' }],
      record: { games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } } },
      default: { games: [1] },
      // Each publish is another table altogether.
      gates: { minRetainedKeys: 0, maxMeanChange: 1 },
      versions: ['itemcf'],
      control: 'itemcf',
      weights: { itemcf: 100 },
    },
  },
}

let site: Site
let files: Workspace

beforeAll(async () => {
  site = await openSite(await testRedis())
  files = await createWorkspace()
  await applyDocument(site.tools, document)
})
afterAll(async () => {
  await site?.stop()
  await files?.remove()
})

const to = ['--tenant', 'studio', '--model', 'games', '--version', 'itemcf']
const publish = (args: readonly string[], { env, ...options }: CliOptions = {}) =>
  runCli(['publish', ...args, ...to], { env: { RECGATE_REDIS_URL: site.redis.url, ...env }, ...options })

/** The active generation: what it was read from, and its rows. */
async function active() {
  const list = await runCli(['tables', 'list', '--tenant', 'studio', '--json'], {
    env: { RECGATE_REDIS_URL: site.redis.url },
  })
  return list
    .json<{ state: string; rows: number; source: string[] }>()
    .flatMap(({ state, rows, source }) => (state === 'active' ? [{ rows, source }] : []))[0]
}

async function written(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}

const done = (result: CliResult) =>
  expect({ exitCode: result.exitCode, stderr: result.stderr }).toEqual({ exitCode: 0, stderr: '' })

const rowsQuery = (from: number, to: number) =>
  `SELECT i AS player_id, [i % 100] AS games FROM range(${from}, ${to}) t(i)`
const longSql = 'SELECT player_id, [game_1::INT, game_2::INT] AS games FROM input'

describe('publish of directories and patterns', () => {
  test('Spark’s directory, then BigQuery’s by a pattern; the history says what was named', async () => {
    const spark = files.path('spark')
    await written({ [`${spark}/_SUCCESS`]: '', [`${spark}/.part-00000-x.parquet.crc`]: 'crc' })
    for (const [index, [from, upTo]] of [
      [0, 0],
      [0, 400],
      [400, 1_000],
    ].entries())
      await files.writeParquet(`spark/part-0000${index}-x.parquet`, rowsQuery(from!, upTo!))
    done(await publish([`${spark}/`]))
    expect(await active()).toEqual({ rows: 1_000, source: [`${spark}/`] })
    await mkdir(files.path('bigquery'))
    for (const index of [0, 1])
      await files.writeParquet(
        `bigquery/part-00000000000${index}.parquet`,
        rowsQuery(index * 10, index * 10 + 10),
      )
    const pattern = files.path('bigquery/part-*.parquet')
    done(await publish([pattern]))
    expect(await active()).toEqual({ rows: 20, source: [pattern] })
  })

  test('an unfinished job changes nothing, until that is allowed', async () => {
    const out = files.path('unfinished')
    await written({ [`${out}/_temporary/0/x`]: '' })
    await files.writeParquet('unfinished/part-00000-x.parquet', rowsQuery(0, 3))
    const before = await active()
    const refused = await publish([out])
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toBe(
      `${out}: a job still writes here, or died while it did: there is _temporary; wait for the job, or publish what is there with --allow-unfinished\n`,
    )
    expect(await active()).toEqual(before)
    done(await publish([out, '--allow-unfinished']))
    expect(await active()).toMatchObject({ rows: 3 })
  })
})

describe('publish of standard input', () => {
  const csv = 'player_id,game_1,game_2\np1,1,2\np2,3,4\n'

  test('gzipped CSV through --sql', async () => {
    done(await publish(['-', '--format', 'csv', '--sql', longSql], { stdin: gzipSync(csv) }))
    expect(await active()).toEqual({ rows: 2, source: ['standard input'] })
  })

  test('Parquet', async () => {
    const stdin = await readFile(await files.writeParquet('rows.parquet', rowsQuery(0, 77)))
    done(await publish(['-', '--format', 'parquet'], { stdin }))
    expect(await active()).toMatchObject({ rows: 77 })
  })

  test('empty or cut off changes nothing, and leaves nothing behind', async () => {
    const spools = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('recgate-spool-'))
    const before = { active: await active(), spools: await spools() }
    const many = `player_id,game_1,game_2\n${Array.from({ length: 9_999 }, (_, id) => `p${id},1,2\n`).join('')}`
    const [empty, cut, line] = await Promise.all([
      publish(['-', '--format', 'ndjson']),
      publish(['-', '--format', 'csv', '--sql', longSql], { stdin: gzipSync(many).subarray(0, -9) }),
      publish(['-', '--format', 'csv', '--sql', longSql], { stdin: many.slice(0, -1) }),
    ])
    expect(empty).toMatchObject({ exitCode: 1, stderr: 'standard input: there is nothing in it\n' })
    expect(cut).toMatchObject({
      exitCode: 1,
      stderr: 'standard input: not a whole gzip file (unexpected end of file)\n',
    })
    expect(line).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^standard input: the last line /),
    })
    expect(await active()).toEqual(before.active)
    expect((await spools()).filter((name) => !before.spools.includes(name))).toEqual([])
  })

  test('from a terminal is refused at once', async (context) => {
    const result = await inTerminal(['publish', '-', '--format', 'csv', ...to])
    if (result === null) {
      process.stderr.write('tests: standard input as a terminal is skipped; install script (util-linux)\n')
      return context.skip()
    }
    expect(result).toMatch(
      /-: standard input is a terminal; send rows to it, e\.g\. zcat rows\.csv\.gz \| recgate publish - --format csv …/,
    )
    expect(result).toMatch(/exit 2\s*$/)
  })

  /** Output of a command in a terminal of its own; null where `script` isn't there. */
  function inTerminal(args: readonly string[]): Promise<string | null> {
    const command = `${[process.execPath, 'src/cli.ts', ...args].join(' ')}; echo exit $?`
    return new Promise((resolve, reject) => {
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        env: { ...process.env, RECGATE_REDIS_URL: site.redis.url, SHELL: '/bin/sh' },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      child.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'ENOENT' ? resolve(null) : reject(error),
      )
      child.once('close', () => resolve(output))
    })
  }
})

describe('publish of hashes', () => {
  test('of the tables’ own Redis, what is none told', async () => {
    const pipeline = site.hands.pipeline()
    for (let id = 0; id < 1_234; id++)
      pipeline.hset(`player:${id}`, { game_1: String(id % 100), game_2: '7' })
    pipeline.hset('player:1234', { game_1: '5' })
    pipeline.set('player:queue', 'x')
    await pipeline.exec()
    const sql =
      'SELECT key AS player_id, list_filter([game_1::INT, game_2::INT], g -> g IS NOT NULL) AS games FROM input'
    const result = await publish(['--from-redis-hashes', 'player:*', '--sql', sql])
    expect(result).toMatchObject({ exitCode: 0, stderr: 'left out: player:queue is no hash\n' })
    const { host, pathname } = new URL(site.redis.url)
    expect(await active()).toEqual({
      rows: 1_235,
      source: [`hashes player:* of ${host}${pathname.replace(/^\/$/, '')}`],
    })
    expect(await site.hands.hget('player:77', 'game_1')).toBe('77')
  })

  test('where there are none changes nothing', async () => {
    const before = await active()
    const result = await publish(['--from-redis-hashes', 'nobody:*'])
    expect(result).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/^hashes nobody:\* of .*: no key matches\n$/),
    })
    expect(await active()).toEqual(before)
  })

  test('of another Redis, whose user may do no more than SCAN and HGETALL', async (context) => {
    const server = await findRedisServer()
    if (server === null) {
      process.stderr.write('tests: hashes under an ACL are skipped; install redis-server\n')
      return context.skip()
    }
    const aclFile = await files.write(
      'users.acl',
      'user reader on >geheim resetchannels %R~player:* -@all +scan +hgetall +ping +info +select +client|setname\n' +
        'user default on nopass ~* &* +@all\n',
    )
    const source = await startRedisServer(server, ['--aclfile', aclFile])
    const owner = new Redis(source.url)
    try {
      await owner.hset('player:p1', { rec_1: '11', rec_2: '12' })
      await owner.hset('player:p2', { rec_1: '21', rec_2: '22' })
      await owner.hset('secret:p3', { rec_1: '1' })
      const before = await owner.info('commandstats')
      const url = source.url.replace('//', '//reader:geheim@')
      const sql = 'SELECT id AS player_id, [rec_1::INT, rec_2::INT] AS games FROM input'
      const args = ['--key-column', 'id', '--sql', sql]
      done(
        await publish(['--from-redis-hashes', 'player:*', ...args], { env: { RECGATE_REDIS_SOURCE: url } }),
      )
      expect(await active()).toEqual({
        rows: 2,
        source: [`hashes player:* of ${new URL(source.url).host}`],
      })
      const refused = await publish(['--from-redis-hashes', 'secret:*', '--redis-source', url, ...args])
      expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
      expect(refused.stderr).toMatch(/^secret:p3: NOPERM [^\n]*\n$/)
      expect(refused.stderr).not.toContain('geheim')
      // Neither KEYS, which would stop the source, nor anything that writes.
      const calls = (info: string) => new Set([...info.matchAll(/cmdstat_([^:]+):/g)].map(([, name]) => name))
      const used = [...calls(await owner.info('commandstats'))].filter((name) => !calls(before).has(name))
      expect(
        used
          .filter((name) => !['auth', 'client|setname', 'ping', 'select', 'info', 'hello'].includes(name!))
          .sort(),
      ).toEqual(['hgetall', 'scan'])
    } finally {
      owner.disconnect()
      await source.stop()
    }
  })

  test('of a Redis that can’t be reached', async () => {
    const url = 'redis://reader:geheim@127.0.0.1:1'
    const result = await publish(['--from-redis-hashes', 'player:*', '--redis-source', url])
    expect(result).toMatchObject({ exitCode: 1, stdout: '' })
    expect(result.stderr).toBe("Redis at 127.0.0.1:1 can't be reached: connect ECONNREFUSED 127.0.0.1:1\n")
  })
})

describe.concurrent('sources that can not be meant exit 2 before anything is connected', () => {
  const nowhere = { RECGATE_REDIS_URL: 'redis://user:geheim@127.0.0.1:1' }
  test.each<[string, string[], RegExp]>([
    ['none', [], /name a file, a directory, a pattern or -, or say --from-redis-hashes PATTERN/],
    ['standard input of what kind', ['-'], /-: say what standard input holds, as --format csv\|tsv\|/],
    [
      'an unknown kind',
      ['-', '--format', 'orc'],
      /--format orc: is not known; it must be one of csv, tsv, ndjson, json, parquet\n/,
    ],
    ['standard input among files', ['-', 'rows.csv', '--format', 'csv'], /- stands alone/],
    ['a format for files', ['rows.csv', '--format', 'csv'], /--format says what standard input holds/],
    [
      'a pattern without a wildcard',
      ['--from-redis-hashes', 'player:'],
      /player:: the pattern has no \*, \? or \[; it must have one for what tells the rows apart, e\.g\. player:\*/,
    ],
    [
      'a key column for files',
      ['rows.csv', '--key-column', 'id'],
      /--key-column is for --from-redis-hashes, and not for files/,
    ],
    [
      'a Redis for files',
      ['rows.csv', '--redis-source', 'redis://x'],
      /--redis-source is for --from-redis-hashes, and not for files/,
    ],
    ['hashes and files', ['rows.csv', '--from-redis-hashes', 'p:*'], /takes the place of files/],
    [
      'a source that is no URL',
      ['--from-redis-hashes', 'p:*', '--redis-source', 'localhost'],
      /--redis-source: must be /,
    ],
  ])('%s', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await runCli(['publish', ...args, ...to], { env: nowhere })
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/geheim|\n {4}at /)
  })
})
