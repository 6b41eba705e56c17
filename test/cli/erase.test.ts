import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import { runCli } from '../support/cli.ts'
import { expectSound, keysWithUnit } from '../support/erasure.ts'
import { testRedis } from '../support/redis.ts'
import { testClient } from '../support/redis-clients.ts'
import { applyDocument, testTools } from '../support/studio.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/** A player is erased, kept out and let in again, as somebody does it at the command line. */

const shape = {
  record: { score: { type: 'uint', max: 100 } },
  default: 'none',
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 100 },
}
const games = { ...shape, key: [{ claim: 'sub', column: 'player_id' }], overrides: { itemcf: ['p7'] } }
const tops = { ...shape, key: [{ query: 'country', values: ['DE'] }], public: true }
const boxes = { ...shape, key: [{ claim: 'device' }] }

let redis: LocalRedis
let tools: Tools
let hands: RedisClient
let files: Workspace

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  hands = testClient('tables', redis.url)
  await redisReady(hands, 10_000)
  files = await createWorkspace()
  await applyDocument(tools, { format: 1, tenant: 'studio', issuers: [], models: { games, tops } })
  await applyDocument(tools, { format: 1, tenant: 'other', issuers: [], models: { boxes, games } })
})
afterAll(async () => {
  tools?.close()
  hands?.disconnect()
  await redis?.stop()
  await files?.remove()
})

const run = (...args: string[]) => runCli(args, { env: { RECGATE_REDIS_URL: redis.url } })
const erase = (...args: string[]) => run('erase', '--tenant', 'studio', '--unit', 'p7', ...args)

async function publish(version: string, ...args: string[]) {
  const rows = Array.from({ length: 200 }, (_, index) => `p${index},${index % 100}\n`)
  const file = await files.write('rows.csv', `player_id,score\n${rows.join('')}`)
  const target = ['--tenant', 'studio', '--model', 'games', '--version', version]
  return run('publish', file, ...target, ...args)
}

describe('recgate erase', () => {
  const warning =
    'warning: the overrides of games name this player (itemcf): take that out of the document, and recgate catalog apply it\n' +
    "tops is passed over: its row key (parameter country) has no claim: its rows are everybody's\n"

  test('shows, removes, finds nothing more, keeps publishes from bringing it back, and lifts that', async () => {
    for (const version of ['popular', 'itemcf']) expect(await publish(version)).toMatchObject({ exitCode: 0 })
    const dry = await erase('--dry-run')
    expect(dry).toMatchObject({ exitCode: 0, stderr: warning })
    expect(dry.stdout.split('\n')).toEqual([
      expect.stringMatching(/^MODEL +VERSION +GENERATION +STATE +ROWS$/),
      expect.stringMatching(/^games +popular +1 +active +1$/),
      expect.stringMatching(/^games +itemcf +2 +active +1$/),
      '2 rows in 2 of 2 generations (a dry run: nothing was removed)',
      '',
    ])
    expect(await keysWithUnit(hands, 'studio', 'p7')).toHaveLength(2)

    const done = await erase('--who', 'ada', '--reason', 'request 4711')
    expect(done).toMatchObject({ exitCode: 0, stderr: warning })
    expect(done.stdout.split('\n').slice(-3)).toEqual([
      expect.stringMatching(/^games +itemcf +2 +active +1$/),
      '2 rows removed from 2 of 2 generations; later publishes leave this player out',
      '',
    ])
    expect(await keysWithUnit(hands, 'studio', 'p7')).toEqual([])
    expect(await expectSound(tools, 'studio')).toBe(2)
    const [entry] = await tools.catalog.history('studio', 1)
    expect(entry).toMatchObject({ who: 'ada', why: 'request 4711', what: ['has erased the unit'] })

    const again = await erase('--json')
    expect(again.json()).toEqual([
      {
        tenant: 'studio',
        rows: 0,
        tables: [1, 2].map((generation) => ({
          model: 'games',
          version: generation === 1 ? 'popular' : 'itemcf',
          generation,
          state: 'active',
          rows: 0,
          damagedBuckets: 0,
        })),
        skipped: [{ model: 'tops', why: expect.stringMatching(/everybody's$/) }],
        overrides: [{ model: 'games', version: 'itemcf' }],
        dryRun: false,
        replicasMissing: 0,
        isNewlySuppressed: false,
        catalogRevision: expect.any(Number),
      },
    ])
    const same = await publish('itemcf')
    expect(same).toMatchObject({ exitCode: 0, stderr: '1 row of erased players left out\n' })
    expect(same.stdout).toMatch(/^unchanged: generation 2 of games\/itemcf has the same 199 rows/)

    const lifted = await erase('--lift')
    expect(lifted).toMatchObject({ exitCode: 0, stderr: '' })
    expect(lifted.stdout).toBe('later publishes have this player’s rows again, where their data does\n')
    expect((await erase('--lift', '--json')).json()).toEqual([{ tenant: 'studio', lifted: false }])
    expect((await publish('itemcf', '--json')).json()).toMatchObject([{ rows: 200, suppressedRows: 0 }])
  })

  test('is refused where a row key names no player, and works for the models that do', async () => {
    const other = (...args: string[]) => run('erase', '--tenant', 'other', '--unit', 'p7', ...args)
    expect(await other()).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^model boxes can't be erased from: its row key \(claim device\) .*\nnothing was removed\nto erase from the others: --model games\n$/,
      ),
    })
    const named = await other('--model', 'games')
    expect(named).toMatchObject({ exitCode: 0 })
    expect(named.stdout).toBe(
      'no row of this player is in any table; later publishes of games leave this player out\n',
    )
  })

  test('is told what is wrong with its options', async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['--tenant', 'studio', '--unit', ''], 2, /^--unit is empty, but must have at least one character\n$/],
      [
        ['--tenant', 'studio', '--unit', 'x'.repeat(256)],
        2,
        /^--unit has 256 bytes of UTF-8, but may have 255/,
      ],
      [
        ['--tenant', 'studio', '--unit', 'x', '--lift', '--dry-run'],
        2,
        /^--lift and --dry-run exclude each other\n$/,
      ],
      [['--tenant', 'studio'], 2, /required option '--unit <text>'/],
      [
        ['--tenant', 'nobody', '--unit', 'x'],
        1,
        /^there is no tenant nobody; `recgate catalog show` lists them\n$/,
      ],
      [['--tenant', 'nobody', '--unit', 'x', '--lift'], 1, /^there is no tenant nobody/],
    ]
    const results = await Promise.all(cases.map(([args]) => run('erase', ...args)))
    for (const [index, [args, exitCode, stderr]] of cases.entries())
      expect({ args, ...results[index] }).toMatchObject({
        args,
        exitCode,
        stderr: expect.stringMatching(stderr),
      })
  })
})
