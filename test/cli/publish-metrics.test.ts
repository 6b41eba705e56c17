import { readdir, readFile, stat } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import type { Tools } from '../../src/compose.ts'
import type { PublishReport } from '../../src/tables/publish-report.ts'
import { type Family, parseExposition } from '../http/exposition.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { hasPromtool, promtoolFaults } from '../support/promtool.ts'
import { type StandInPushgateway, startPushgateway } from '../support/pushgateway.ts'
import { testRedis } from '../support/redis.ts'
import { applyDocument, testTools } from '../support/studio.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/** What `recgate publish` tells of itself: to a file, and to a Pushgateway. */

const games = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: { score: { type: 'uint', max: 1_000 } },
  default: { score: 1 },
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 100 },
}
const labels = { tenant: 'studio', model: 'games', version: 'itemcf' }
const csv = (rows: number, base: number) =>
  `player_id,score\n${Array.from({ length: rows }, (_, index) => `p${index},${base + index}\n`).join('')}`

let redis: LocalRedis
let tools: Tools
let files: Workspace
let gateway: StandInPushgateway
/** Tries for seconds: it runs beside the other tests. */
let withoutRedis: Promise<CliResult>

beforeAll(async () => {
  redis = await testRedis()
  tools = await testTools(redis.url)
  files = await createWorkspace()
  withoutRedis = publish(['rows.csv', '--metrics-file', files.path('without-redis.prom')], {
    RECGATE_REDIS_URL: 'redis://127.0.0.1:1',
  })
  gateway = await startPushgateway()
  await applyDocument(tools, { format: 1, tenant: 'studio', issuers: [], models: { games } })
})
afterEach(() => void gateway.taken())
afterAll(async () => {
  tools?.close()
  await gateway?.stop()
  await redis?.stop()
  await files?.remove()
})

function publish(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  const target = ['--tenant', 'studio', '--model', 'games', '--version', 'itemcf']
  return runCli(['publish', ...target, ...args], { env: { RECGATE_REDIS_URL: redis.url, ...env } })
}

/** Metric without `recgate_publish_` → its value, or the outcome that has 1. Every sample must have the labels. */
function told(text: string): Record<string, number | string | undefined> {
  const figureOf = ({ name, samples }: Family) => {
    if (name !== 'recgate_publish_outcome') {
      expect(samples.map((sample) => sample.labels)).toEqual([labels])
      return samples[0]!.value
    }
    const outcomes = ['activated', 'unchanged', 'refused', 'failed']
    expect(samples.map((sample) => sample.labels)).toEqual(
      outcomes.map((outcome) => ({ ...labels, outcome })),
    )
    expect(samples.map(({ value }) => value).sort()).toEqual([0, 0, 0, 1])
    return samples.find(({ value }) => value === 1)!.labels['outcome']
  }
  const families = [...parseExposition(text).values()]
  expect(new Set(families.map(({ type }) => type))).toEqual(new Set(['gauge']))
  return Object.fromEntries(
    families.map((family) => [family.name.replace('recgate_publish_', ''), figureOf(family)]),
  )
}

test('of each outcome: the report’s own figures, in the file and in the Pushgateway alike', async () => {
  const file = files.path('itemcf.prom')
  const rows = await files.write('rows.csv', `${csv(200, 0)}bad,-1\n`)
  const others = await files.write('others.csv', csv(200, 600))
  const unfit = await files.write('unfit.csv', csv(10, 995))
  const runs: [outcome: string, file: string, exitCode: number][] = [
    ['activated', rows, 0],
    ['unchanged', rows, 0],
    ['refused', others, 1],
    ['failed', unfit, 1],
  ]
  for (const [outcome, source, exitCode] of runs) {
    const startedAt = Date.now() / 1_000
    const result = await publish([
      source,
      '--max-bad-rows',
      '1',
      '--json',
      '--metrics-file',
      file,
      '--push-metrics',
      `${gateway.url}/`,
    ])
    const endedAt = Date.now() / 1_000
    expect({ outcome, exitCode: result.exitCode }).toEqual({ outcome, exitCode })
    expect(result.stderr).not.toMatch(/warning|Deprecation/)
    const text = await readFile(file, 'utf8')
    expect(gateway.taken()).toEqual([
      {
        method: 'PUT',
        path: '/metrics/job/recgate_publish/tenant/studio/model/games/version/itemcf',
        headers: expect.anything(),
        body: text,
      },
    ])
    const { timestamp_seconds: at, duration_seconds: took, ...figures } = told(text)
    expect(at).toBeGreaterThanOrEqual(startedAt)
    expect(at).toBeLessThanOrEqual(endedAt)
    expect(took).toBeGreaterThan(0)
    expect(took).toBeLessThan(endedAt - startedAt)
    const [report] = result.json<(PublishReport & { seconds: number }) | { failed: string }>()
    if (report === undefined || 'failed' in report) {
      expect(report?.failed).toMatch(/rows do not fit/)
      expect({ outcome, figures }).toEqual({ outcome: 'failed', figures: { outcome } })
    } else {
      const { rows: loaded, badRows, bytes, memoryBytes, seconds } = report
      expect(took).toBe(seconds)
      expect(figures).toEqual({
        outcome: report.outcome,
        rows: loaded,
        bad_rows: badRows,
        bytes,
        memory_bytes: memoryBytes,
      })
      expect([outcome, loaded, badRows]).toEqual([outcome, 200, source === rows ? 1 : 0])
    }
  }
  // Whoever collects it may be another user, and finds nothing beside it.
  expect((await stat(file)).mode & 0o444).toBe(0o444)
  expect((await readdir(files.directory)).filter((name) => /^itemcf|tmp/.test(name))).toEqual(['itemcf.prom'])
})

test('where Redis is out of reach', async () => {
  expect((await withoutRedis).exitCode).toBe(1)
  expect(told(await readFile(files.path('without-redis.prom'), 'utf8'))).toEqual({
    outcome: 'failed',
    timestamp_seconds: expect.any(Number),
    duration_seconds: expect.any(Number),
  })
})

describe('what can’t be told', () => {
  test('is a warning each: the publish is done all the same', async () => {
    const rows = await files.write('more.csv', csv(150, 5))
    const nowhere = files.path('missing/itemcf.prom')
    gateway.answerWith((response) => void response.writeHead(500).end('disk full'))
    const { exitCode, stdout, stderr } = await publish([
      rows,
      '--metrics-file',
      nowhere,
      '--push-metrics',
      gateway.url.replace('//', '//ci:geheim@'),
    ])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^published generation \d+ of games\/itemcf: 150 rows, /)
    expect(stderr.split('\n').sort()).toEqual([
      '',
      `warning: the metrics could not be pushed to ${new URL(gateway.url).host}: push failed with status 500, disk full`,
      expect.stringMatching(`^warning: the metrics could not be written to ${nowhere}: ENOENT`),
    ])
  })

  test('is no other failure than the one that there was', async () => {
    const env = { RECGATE_PUSH_METRICS: 'http://127.0.0.1:1' }
    const { exitCode, stderr } = await publish([files.path('nothing.csv')], env)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(
      /^warning: the metrics could not be pushed to 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\n.*nothing\.csv/,
    )
  })
})

test('a URL that can’t be meant is wrong usage, told before anything is read', async () => {
  const { exitCode, stderr } = await publish([
    files.path('nothing.csv'),
    '--push-metrics',
    'pushgateway:9091',
  ])
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: "--push-metrics: must be a Pushgateway's URL, e.g. http://pushgateway:9091\n",
  })
})

test.skipIf(!hasPromtool)('promtool has nothing against it', async () => {
  const rows = await files.write('checked.csv', csv(120, 9))
  await publish([rows, '--push-metrics', gateway.url])
  const [push] = gateway.taken()
  expect(promtoolFaults(['check', 'metrics'], push!.body)).toBe('')
})
