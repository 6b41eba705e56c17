import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLiveTenant } from '../../src/catalog/live-tenant.ts'
import { tableList } from '../../src/catalog/table-list.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { testRedis } from '../support/redis.ts'
import { openSite, type Site } from '../support/site.ts'
import { applyDocument } from '../support/studio.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

const scored = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: { segment: { type: 'enum', values: ['new', 'old'] }, score: { type: 'uint', max: 100 } },
  default: { segment: 'new', score: 1 },
  versions: ['popular', 'itemcf', 'als'],
  control: 'popular',
  weights: { popular: 100 },
  // These publishes have little to do with one another.
  gates: { maxBadRowShare: 1, minRetainedKeys: 0, maxMeanChange: 1, maxEnumShareChange: 1 },
}
const offers = {
  ...scored,
  public: true,
  key: [{ query: 'country', values: ['DE', 'FR'] }],
}
const document = { format: 1, tenant: 'studio', issuers: [], models: { scores: scored, offers } }

let site: Site
let files: Workspace
/** Tries for seconds: it runs beside the other tests. */
let withoutRedis: Promise<CliResult>

beforeAll(async () => {
  withoutRedis = runCli(['publish', 'rows.csv', ...to('popular')], {
    env: { RECGATE_REDIS_URL: 'redis://publisher:geheim@127.0.0.1:1' },
  })
  site = await openSite(await testRedis())
  files = await createWorkspace()
  await applyDocument(site.tools, document)
})
afterAll(async () => {
  await site?.stop()
  await files?.remove()
})

const env = () => ({ RECGATE_REDIS_URL: site.redis.url })
const to = (version: string, model = 'scores', tenant = 'studio') => [
  '--tenant',
  tenant,
  '--model',
  model,
  '--version',
  version,
]
const publish = (...args: string[]) => runCli(['publish', ...args], { env: env() })
const tablesList = (...args: string[]) =>
  runCli(['tables', 'list', '--tenant', 'studio', ...args], { env: env() })

interface Table {
  readonly model: string
  readonly version: string
  readonly generation: number
  readonly state: string
  readonly rows: number
  readonly by: string
  readonly source: string[]
}

async function tables(): Promise<Table[]> {
  return (await tablesList('--json')).json<Table>()
}

async function done(running: Promise<CliResult>): Promise<CliResult> {
  const result = await running
  expect({ exitCode: result.exitCode, stderr: result.stderr }).toEqual({ exitCode: 0, stderr: '' })
  return result
}

const csv = (rows: number) =>
  `player_id,segment,score\n${Array.from({ length: rows }, (_, index) => `p${index},new,${index % 101}\n`).join('')}`

describe('publish', () => {
  test('CSV through --sql, NDJSON, and Parquet; nothing on standard error where there is no terminal', async () => {
    const raw = await files.write('raw.csv', 'id,s,score_x10\n1,new,50\n2,old,1000\n')
    const ndjson = await files.write(
      'rows.ndjson',
      '{"player_id":"1","segment":"new","score":7}\n{"player_id":"2","segment":"old","score":8}\n{"player_id":3,"segment":"old","score":9}\n',
    )
    const parquet = await files.writeParquet(
      'rows.parquet',
      "SELECT i AS player_id, 'old' AS segment, i % 101 AS score FROM range(5000) t(i)",
    )
    const sql = 'SELECT id AS player_id, s AS segment, score_x10 // 10 AS score FROM input'
    // One after the other, so that each has its own generation number.
    const fromCsv = await done(
      publish(raw, ...to('popular'), '--sql', sql, '--who', 'ci', '--why', 'nightly'),
    )
    const fromNdjson = await done(publish(ndjson, ...to('itemcf')))
    const fromParquet = await done(publish(parquet, ...to('als'), '--json'))
    expect(fromCsv.stdout).toMatch(
      /^published generation 1 of scores\/popular: 2 rows, \d+ bytes in 1 buckets, \d+\.\d s; active since catalog revision 2\n$/,
    )
    expect(fromNdjson.stdout).toMatch(/^published generation 2 of scores\/itemcf: 3 rows, /)
    expect(fromParquet.json()).toEqual([
      {
        outcome: 'activated',
        generation: 3,
        rows: 5_000,
        bytes: expect.any(Number),
        memoryBytes: expect.any(Number),
        buckets: 63,
        contentHash: expect.any(String),
        badRows: 0,
        badRowsShown: [],
        longRows: 0,
        suppressedRows: 0,
        failedGates: [],
        quarantined: false,
        warnings: [],
        catalogRevision: 4,
        seconds: expect.any(Number),
      },
    ])
    expect(await tables()).toMatchObject([
      { model: 'scores', version: 'als', generation: 3, state: 'active', rows: 5_000, source: [parquet] },
      { model: 'scores', version: 'itemcf', generation: 2, state: 'active', rows: 3, source: [ndjson] },
      {
        model: 'scores',
        version: 'popular',
        generation: 1,
        state: 'active',
        rows: 2,
        by: 'ci',
        source: [raw],
      },
    ])
    expect(await site.hands.hkeys('rg:t:studio:scores:1:0')).toEqual(expect.arrayContaining(['', '1', '2']))
  })

  test('publishing again makes the older generation the previous one; tables list shows both', async () => {
    const [first, second] = [
      await files.write('first.csv', csv(100)),
      await files.write('second.csv', csv(90)),
    ]
    await done(publish(first, ...to('popular')))
    await done(publish(second, ...to('popular')))
    const list = await tablesList('--model', 'scores')
    expect(list.exitCode).toBe(0)
    expect(list.stdout).toMatch(
      /^MODEL +VERSION +GENERATION +STATE +ROWS +BYTES +AGE +PUBLISHED +BY +SOURCE\n/,
    )
    expect(list.stdout).toMatch(/^scores +popular +\d+ +active +90 .*second\.csv$/m)
    expect(list.stdout).toMatch(/^scores +popular +\d+ +previous +100 .*first\.csv$/m)
  })

  test('--max-bad-rows leaves so many out and says which', async () => {
    const file = await files.write('some-bad.csv', `${csv(10)}p10,middle,1\np11,new,101\np12,new,many\n`)
    const [strict, lenient] = await Promise.all([
      publish(file, ...to('itemcf'), '--max-bad-rows', '1'),
      publish(file, ...to('als'), '--max-bad-rows', '3'),
    ])
    expect(strict).toMatchObject({ exitCode: 1, stdout: '' })
    expect(strict.stderr).toMatch(/^3 of 13 rows do not fit \(allowed: 1\); nothing was published\n/)
    expect(lenient.exitCode).toBe(0)
    expect(lenient.stdout).toMatch(/: 10 rows, /)
    expect(lenient.stderr.split('\n')).toEqual([
      expect.stringMatching(/^left out: .*some-bad\.csv, row 11, segment: "middle" /),
      expect.stringMatching(
        /^left out: .*some-bad\.csv, row 12, score: 101 doesn't fit; what fits is a whole number from 0 to 100$/,
      ),
      // One text in a column of numbers makes no other row bad.
      expect.stringMatching(/^left out: .*some-bad\.csv, row 13, score: "many" /),
      '',
    ])
  })
})

test('--json says which rows do not fit, and what else a publish fails at', async () => {
  const file = await files.write('json-bad.csv', `${csv(1)}p11,new,101\n`)
  const [bad, missing, unmeant] = await Promise.all([
    publish(file, ...to('itemcf'), '--json'),
    publish('nowhere.csv', ...to('itemcf'), '--json'),
    publish(file, ...to('itemcf'), '--format', 'csv', '--json'),
  ])
  expect(bad).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('1 of 2 rows do not fit') })
  expect(bad.json()).toEqual([
    {
      failed: '1 of 2 rows do not fit (allowed: 0); nothing was published',
      details: [
        expect.stringMatching(
          /json-bad\.csv, row 2, score: 101 doesn't fit; what fits is a whole number from 0 to 100$/,
        ),
      ],
    },
  ])
  expect(missing.json()).toEqual([{ failed: missing.stderr.trim(), details: [] }])
  expect(unmeant).toMatchObject({ exitCode: 2 })
  expect(unmeant.json()).toEqual([{ failed: unmeant.stderr.trim(), details: [] }])
})

test('rows over 64 bytes are told with what they cost', async () => {
  const file = await files.write('long.csv', `${csv(3)}${'x'.repeat(65)},new,1\n`)
  const { stderr } = await publish(file, ...to('itemcf'))
  expect(stderr).toBe(
    "warning: 1 row has a row key or record over 64 bytes; all of the some 80 rows of such a row's bucket " +
      'take about 93 bytes of Redis each, instead of 39\n',
  )
})

describe('what can not be published exits 1, says why, and leaves what is served as it is', () => {
  type Case = [what: string, args: () => Promise<string[]>, ...messages: RegExp[]]
  const cases: Case[] = [
    [
      'an empty file',
      async () => [await files.write('empty.csv', ''), ...to('popular')],
      /empty\.csv: the file is empty/,
    ],
    [
      'columns that do not fit',
      async () => [await files.write('columns.csv', 'player_id,segment,vip\n1,new,1\n'), ...to('popular')],
      /column "score" is missing/,
      /column "vip" is neither part of the row key nor a field of the record/,
      /reshape them with --sql/,
    ],
    [
      'a wrong type',
      async () => [await files.write('types.csv', `${csv(3)}x,new,many\n`), ...to('popular')],
      /rows do not fit \(allowed: 0\); nothing was published\n/,
      /types\.csv, row 4, score: "many" doesn't fit; what fits is a whole number from 0 to 100/,
    ],
    [
      'a row key twice, one over its limit',
      async () => [
        await files.write('rows.csv', `${csv(3)}p1,old,5\n${'x'.repeat(256)},new,1\n`),
        ...to('popular'),
      ],
      /^2 of 5 rows do not fit \(allowed: 0\); nothing was published\n/,
      /rows\.csv, row 4, player_id: the row key "p1" stands already in .*rows\.csv:2; each may stand once/,
      /rows\.csv, row 5, player_id: the row key has 256 bytes of UTF-8, but may have 255 at most/,
    ],
    [
      'a Parquet file that was half written',
      async () => {
        const query = "SELECT i AS player_id, 'new' AS segment, 1 AS score FROM range(10000) t(i)"
        const bytes = await readFile(await files.writeParquet('whole.parquet', query))
        await writeFile(files.path('half.parquet'), bytes.subarray(0, bytes.length / 2))
        return [files.path('half.parquet'), ...to('popular')]
      },
      /half\.parquet/,
    ],
    [
      'an unknown tenant',
      async () => [files.path('rows.csv'), ...to('popular', 'scores', 'nobody')],
      /^there is no tenant nobody; /,
    ],
    [
      'an unknown model',
      async () => [files.path('rows.csv'), ...to('popular', 'constructor')],
      /^tenant studio has no model constructor; it has scores, offers\n$/,
    ],
    [
      'an unknown version',
      async () => [files.path('rows.csv'), ...to('v2')],
      /^model scores has no version v2; it has popular, itemcf, als\n$/,
    ],
  ]

  test('each, with a generation live', async () => {
    await done(publish(await files.write('live.csv', csv(500)), ...to('popular')))
    const live = async () => ({
      tables: tableList((await readLiveTenant(site.tools.catalog, 'studio'))!.state),
      keys: (await site.hands.keys('rg:[mt]:*')).sort(),
    })
    const before = await live()
    expect(before.keys.length).toBeGreaterThan(0)
    // One after the other: a version is published by one at a time.
    for (const [what, argsOf, ...messages] of cases) {
      const { exitCode, stdout, stderr } = await publish(...(await argsOf()))
      expect({ what, exitCode, stdout }).toEqual({ what, exitCode: 1, stdout: '' })
      for (const message of messages) expect(stderr, what).toMatch(message)
      expect(stderr, what).not.toMatch(/\n {4}at /)
    }
    expect(await live()).toEqual(before)
  })

  test('a Redis out of reach is told once, without its password', async () => {
    expect(await withoutRedis).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: "Redis at 127.0.0.1:1 can't be reached: connect ECONNREFUSED 127.0.0.1:1\n",
    })
  })
})

describe('tables list', () => {
  test('names tenants and models that are not there', async () => {
    const [tenant, model] = await Promise.all([
      runCli(['tables', 'list', '--tenant', 'nobody'], { env: env() }),
      tablesList('--model', 'constructor'),
    ])
    expect(tenant).toMatchObject({
      exitCode: 1,
      stderr: 'there is no tenant nobody; `recgate catalog show` lists them\n',
    })
    expect(model).toMatchObject({
      exitCode: 1,
      stderr: 'tenant studio has no model constructor; it has scores, offers\n',
    })
  })
})
