import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { tableKeys } from '../../src/redis/keys.ts'
import { runCli, startCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, testTools } from '../support/studio.ts'
import { until } from '../support/until.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/** `publish --shard`, as the pods of a Job and the tasks of Spark call it. */

const document = {
  format: 1,
  tenant: 'studio',
  issuers: [],
  models: {
    scores: {
      key: [{ claim: 'sub', column: 'player_id' }],
      record: { score: { type: 'uint', max: 100 } },
      default: { score: 1 },
      versions: ['popular', 'itemcf', 'als'],
      control: 'popular',
      weights: { popular: 100 },
    },
  },
}

let redis: LocalRedis
let tools: Tools
let files: Workspace
let hands: Redis

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  files = await createWorkspace()
  hands = new Redis(redis.url)
  await applyDocument(tools, document)
})
afterAll(async () => {
  tools?.close()
  hands?.disconnect()
  await redis?.stop()
  await files?.remove()
})

const env = () => ({ RECGATE_REDIS_URL: redis.url })
const to = (version: string, shard: string, rows = '3000') => [
  ...['--tenant', 'studio', '--model', 'scores', '--version', version],
  ...['--shard', shard, '--expected-rows', rows],
]
const publish = (...args: string[]) => runCli(['publish', ...args], { env: env() })

/** One file a shard: players of their own, 1,000 each. */
async function partFiles(name: string): Promise<string[]> {
  return Promise.all(
    [0, 1, 2].map((part) =>
      files.write(
        `${name}-${part}.csv`,
        `player_id,score\n${Array.from({ length: 1_000 }, (_, row) => `p${part * 1_000 + row},${row % 101}\n`).join('')}`,
      ),
    ),
  )
}

describe('publish --shard', () => {
  test('by three processes at once; the last one activates, and all may be run again', async () => {
    const parts = await partFiles('job')
    const shard = (index: number) =>
      publish(parts[index]!, ...to('popular', `${index}/3`), '--run', 'job-1', '--json')
    const results = await Promise.all([0, 1, 2].map(shard))
    expect(results.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([0, 1, 2].map(() => [0, '']))
    const reports = results.map((result) => result.json<Record<string, unknown>>()[0]!)
    expect(reports).toContainEqual(
      expect.objectContaining({ outcome: 'activated', generation: 1, rows: 3_000, buckets: 38 }),
    )
    for (const report of reports.filter(({ outcome }) => outcome === 'loaded'))
      expect(report).toMatchObject({ generation: 1, rows: 1_000, badRows: 0, isRepeated: false })
    const list = await runCli(['tables', 'list', '--tenant', 'studio', '--json'], { env: env() })
    expect(list.json()).toMatchObject([{ generation: 1, state: 'active', rows: 3_000, source: parts }])
    const verified = await runCli(['tables', 'verify', '--tenant', 'studio', '--model', 'scores'], {
      env: env(),
    })
    expect(verified.stdout).toMatch(/generation 1 .*: 3000 rows, all as they were published/)
    const again = await publish(parts[1]!, ...to('popular', '1/3'), '--run', 'job-1')
    expect(again).toMatchObject({ exitCode: 0, stderr: '' })
    expect(again.stdout).toBe(
      'shard 1/3: its run has ended already: generation 1 of scores/popular is active, or was\n',
    )
  })

  test('one after the other; lists and refusals say how far it is', async () => {
    const parts = await partFiles('slow')
    const first = await publish(parts[1]!, ...to('itemcf', '1/3'))
    expect(first.stdout).toMatch(
      /^shard 1\/3 of generation \d+ of scores\/itemcf loaded: 1000 rows, \d+\.\d s; 2 shards missing: 0, 2\n$/,
    )
    const list = (...more: string[]) =>
      runCli(['tables', 'list', '--tenant', 'studio', ...more], { env: env() })
    expect((await list()).stdout).toMatch(/loading 1\/3/)
    expect((await list('--json')).json()).toContainEqual(
      expect.objectContaining({
        state: 'loading',
        shards: { run: null, total: 3, loaded: 1, missing: [0, 2] },
      }),
    )
    const whole = await publish(parts[0]!, ...to('itemcf', '0/3').slice(0, 6))
    expect(whole).toMatchObject({ exitCode: 1, stdout: '' })
    expect(whole.stderr).toMatch(
      /of 3 shards and 3000 expected rows .*, of whose shards 2 are missing: 0, 2;/,
    )
    expect((await publish(parts[1]!, ...to('itemcf', '1/3'))).stdout).toMatch(/was loaded already: 1000 rows/)
    await publish(parts[0]!, ...to('itemcf', '0/3'))
    expect((await publish(parts[2]!, ...to('itemcf', '2/3'))).stdout).toMatch(
      /^published generation \d+ of scores\/itemcf: 3000 rows/,
    )
  })

  test('a process that was killed is taken over from', async () => {
    const parts = await partFiles('killed')
    const [generation] = (await publish(parts[0]!, ...to('als', '0/2', '2000'), '--json')).json<{
      generation: number
    }>()
    const claim = tableKeys.shard('studio', 'scores', generation!.generation, 1)
    const dying = startCli(['publish', parts[1]!, ...to('als', '1/2', '2000')], { env: env() })
    // From its claim on it may be at any point.
    await until('it has the shard', async () => (await hands.exists(claim)) === 1)
    await dying.stop()
    // As if half a minute had passed; a report stays.
    if (!(await hands.get(claim))?.includes('"report"')) await hands.del(claim)
    await hands.del(tableKeys.shard('studio', 'scores', generation!.generation, 'finisher'))
    const next = await publish(parts[1]!, ...to('als', '1/2', '2000'))
    expect(next.exitCode).toBe(0)
    const list = await runCli(['tables', 'list', '--tenant', 'studio', '--json'], { env: env() })
    expect(list.json()).toContainEqual(
      expect.objectContaining({ version: 'als', state: 'active', rows: 2_000, buckets: 25 }),
    )
  })

  test('is wrong usage where its numbers can’t be meant', async () => {
    const wrong: [readonly string[], RegExp][] = [
      [['--shard', '4/4', '--expected-rows', '10'], /--shard 4\/4: .* of 4 they are 0 to 3/],
      [['--shard', '1', '--expected-rows', '10'], /--shard 1: it must be I\/N, such as 0\/8/],
      [['--shard', '0/0', '--expected-rows', '10'], /--shard 0\/0: there may be 1 to 1000 shards/],
      [['--shard', '0/1001', '--expected-rows', '10'], /there may be 1 to 1000 shards/],
      [['--shard', '0/4'], /--shard needs --expected-rows R/],
      [['--shard', '0/4', '--expected-rows', '0'], /--shard needs --expected-rows R.* 1 or more/],
      [['--expected-rows', '10'], /--expected-rows goes with --shard I\/N/],
      [['--run', 'x'], /--run goes with --shard I\/N/],
      [['--shard', '0/4', '--expected-rows', '10', '--run', ''], /--run: a run's name has 1 to 250 bytes/],
    ]
    await Promise.all(
      wrong.map(async ([args, complaint]) => {
        const result = await publish('rows.csv', ...to('als', '0/1').slice(0, 6), ...args)
        expect(result).toMatchObject({ exitCode: 2, stdout: '' })
        expect(result.stderr).toMatch(complaint)
      }),
    )
  })
})
