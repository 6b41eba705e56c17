import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, testTools } from '../support/studio.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/** The life of one model's generations, as somebody lives it at the command line. */

const games = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: { segment: { type: 'enum', values: ['new', 'old'] }, score: { type: 'uint', max: 100 } },
  default: { segment: 'new', score: 1 },
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 100 },
}

let redis: LocalRedis
let tools: Tools
let hands: Redis
let files: Workspace

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  hands = new Redis(redis.url)
  files = await createWorkspace()
  await applyDocument(tools, { format: 1, tenant: 'studio', issuers: [], models: { games } })
})
afterAll(async () => {
  tools?.close()
  hands?.disconnect()
  await redis?.stop()
  await files?.remove()
})

const run = (...args: string[]) => runCli(args, { env: { RECGATE_REDIS_URL: redis.url } })
const tables = (command: string, ...args: string[]) =>
  run('tables', command, ...args, '--tenant', 'studio', '--model', 'games')

async function publish(name: string, rows: readonly string[], ...args: string[]): Promise<CliResult> {
  const file = await files.write(name, ['player_id,segment,score', ...rows, ''].join('\n'))
  const target = ['--tenant', 'studio', '--model', 'games', '--version', 'itemcf']
  return run('publish', file, ...target, ...args)
}
const rowsOf = (count: number, score: number, first = 0) =>
  Array.from({ length: count }, (_, index) => `p${first + index},new,${score}`)

async function states(): Promise<Record<string, string>> {
  const list = await tables('list', '--json')
  return Object.fromEntries(
    list.json<{ generation: number; state: string }>().map(({ generation, state }) => [generation, state]),
  )
}

describe('tables', () => {
  test('are published, refused, overruled, compared, rolled back and collected', async () => {
    expect(await publish('one.csv', rowsOf(300, 10))).toMatchObject({ exitCode: 0, stderr: '' })
    const same = await publish('same.csv', rowsOf(300, 10).reverse())
    expect(same).toMatchObject({ exitCode: 0, stderr: '' })
    expect(same.stdout).toMatch(
      /^unchanged: generation 1 of games\/itemcf has the same 300 rows and stays active; nothing was loaded, /,
    )

    const refused = await publish('two.csv', rowsOf(200, 90, 200))
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr.split('\n')).toEqual([
      'generation 2 of games/itemcf is loaded and not active; what was served stays served:',
      expect.stringMatching(
        /^ {2}minRetainedKeys: 33\.33 % of the active generation's row keys are still there; at least 50 % are wanted$/,
      ),
      '  maxMeanChange: the mean of score moves by 80 % of its range; at most 25 % are allowed',
      'to look into it:',
      '  recgate tables diff 1 2 --tenant studio --model games',
      'to activate it all the same:',
      "  recgate tables activate 2 --tenant studio --model games --despite-gates --reason '…'",
      '',
    ])
    const refusedJson = await publish('two.csv', rowsOf(200, 90, 200), '--json')
    expect(refusedJson.exitCode).toBe(1)
    expect(refusedJson.json()).toMatchObject([
      {
        outcome: 'refused',
        generation: 2,
        failedGates: [{ gate: 'minRetainedKeys' }, { gate: 'maxMeanChange', field: 'score', found: 0.8 }],
      },
    ])

    const diff = await tables('diff', '1', '2')
    expect(diff).toMatchObject({ exitCode: 0, stderr: '' })
    expect(diff.stdout.split('\n')).toEqual([
      'generation 1 → 2 of games: 300 → 200 rows',
      'added 100, removed 200, changed 100, unchanged 0',
      expect.stringMatching(/^FIELD +ROWS CHANGED +OF THOSE IN BOTH$/),
      expect.stringMatching(/^score +100 +100\.0 %$/),
      '',
    ])
    const [shown, unknown] = await Promise.all([
      tables('show', '2', '--key', 'p399'),
      tables('show', '1', '--key', 'p399'),
    ])
    expect(shown).toMatchObject({ exitCode: 0, stdout: '{"segment":"new","score":90}\n' })
    expect(unknown).toMatchObject({ exitCode: 1, stderr: 'generation 1 of games has no row "p399"\n' })

    const [plain, silent] = await Promise.all([
      tables('activate', '2'),
      tables('activate', '2', '--despite-gates'),
    ])
    expect(plain.exitCode).toBe(1)
    expect(plain.stderr).toMatch(/is loaded and was not activated:\n {2}minRetainedKeys/)
    expect(silent).toMatchObject({
      exitCode: 2,
      stderr: '--despite-gates needs a --reason, which goes into the history\n',
    })
    const overruled = await tables('activate', '2', '--despite-gates', '--reason', 'season 2', '--who', 'ada')
    expect(overruled.stdout).toMatch(
      /^generation 2 of games\/itemcf \(200 rows\) is active, instead of 1; catalog revision \d+\n$/,
    )
    const [entry] = await tools.catalog.history('studio', 1)
    expect(entry).toMatchObject({
      who: 'ada',
      why: 'season 2',
      what: ['activates generation 2 of games/itemcf (200 rows), despite minRetainedKeys, maxMeanChange'],
    })

    const back = await tables('rollback', '--version', 'itemcf', '--reason', 'wrong season')
    expect(back).toMatchObject({ exitCode: 0, stderr: '' })
    expect(back.stdout).toMatch(/^generation 1 .* is active, instead of 2; .*; 2 is quarantined\n$/)
    expect(await states()).toEqual({ 1: 'active', 2: 'quarantined' })

    const [dry, none] = await Promise.all([
      run('tables', 'collect', '--dry-run'),
      tables('rollback', '--version', 'itemcf'),
    ])
    expect(dry).toMatchObject({ exitCode: 0, stdout: 'nothing to collect\n' })
    expect(none).toMatchObject({
      exitCode: 1,
      stderr: 'games/itemcf has no previous generation to go back to; generation 1 stays active\n',
    })
  })

  test('that a dead publisher left are shown, planned and collected', async () => {
    const manifest = {
      version: 'popular',
      state: 'loading',
      token: 'dead',
      contentHash: 'x',
      rows: 160,
      bytes: 3_200,
      memoryBytes: 6_400,
      buckets: 2,
      recordRevision: 1,
      by: 'spark-7',
      source: ['part-0.parquet'],
      statistics: { means: {}, shares: {} },
      startedAt: '2026-08-01T12:00:00.000Z',
      heartbeatAt: '2026-08-01T12:00:05.000Z',
      problem: null,
    } as const
    const address = { tenantId: 'studio', modelId: 'games', generation: 77 }
    await tools.tables.putManifest(address, { ...manifest, source: [...manifest.source] })
    await tools.tables.writeBuckets(address, 'dead', [{ number: 1, rows: [] }])
    expect((await states())[77]).toBe('loading')
    const dry = await run('tables', 'collect', '--tenant', 'studio', '--dry-run')
    expect(dry.stdout).toMatch(/^studio +games +popular +77 +160 +0\.01 MB +its publisher is gone$/m)
    expect(dry.stdout).toMatch(/\(a dry run: nothing was taken away\)\n$/)
    expect(await hands.exists(tableKeys.bucketPrefix('studio', 'games', 77) + 1)).toBe(1)
    const collected = await run('tables', 'collect', '--json')
    expect(collected.json()).toMatchObject([{ tenant: 'studio', generation: 77, collected: true }])
    expect(await hands.exists(tableKeys.bucketPrefix('studio', 'games', 77) + 1)).toBe(0)
    expect((await states())[77]).toBe('collected')
  })

  test('are verified, and a damaged one is told with what is missing', async () => {
    const sound = await tables('verify', '1')
    expect(sound).toMatchObject({
      exitCode: 0,
      stdout: 'generation 1 of games/itemcf (active): 300 rows, all as they were published\n',
    })
    await hands.del(`${tableKeys.bucketPrefix('studio', 'games', 1)}0`)
    const damaged = await tables('verify', '--json')
    expect(damaged.exitCode).toBe(1)
    expect(damaged.json()).toMatchObject([
      { generation: 1, expectedRows: 300, damagedBuckets: 1, isSound: false },
      { generation: 2, rows: 200, isSound: true },
    ])
    expect(damaged.stderr).toMatch(/^damaged: generation 1 of games; /)
  })

  test('that are not there are told', async () => {
    const [generation, version, number] = await Promise.all([
      tables('activate', '99'),
      tables('rollback', '--version', 'als'),
      tables('activate', 'two'),
    ])
    expect(generation.stderr).toMatch(/^model games has no generation 99 that is loaded; it has 1, 2, 77\. /)
    expect(version.stderr).toBe('model games has no version als; it has popular, itemcf\n')
    expect(number).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/must be a whole number/) })
  })
})
