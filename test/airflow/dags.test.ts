import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PublishReport } from '../../src/tables/publish-report.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { blocksOf, blockWith, type ProgramResult, putRecgate, runProgram } from '../support/pages.ts'
import { engines } from '../support/redis.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/**
 * The DAGs of docs/airflow.md, loaded by Airflow itself, their templates rendered and their pods built by the provider; what
 * the pods would run is run here, on local Parquet files, against a real Redis.
 */

const python = process.env['RECGATE_AIRFLOW_PYTHON'] ?? ''
const [real] = engines
const lacking = [
  ...(python === '' ? ['RECGATE_AIRFLOW_PYTHON=$(test/airflow/install.sh)'] : []),
  ...(real.skip ? ['a redis-server, Docker or RECGATE_REDIS_URL'] : []),
]
if (lacking.length > 0)
  process.stderr.write(`tests: the DAGs of docs/airflow.md are skipped; they need ${lacking.join(' and ')}\n`)

const here = fileURLToPath(new URL('.', import.meta.url))
const runId = 'scheduled__2026-01-01T00:15:00+00:00'
const folder = 'gs://studio-predictions/games-itemcf/scheduled__2026-01-01T00_15_00_00_00/'

interface Container {
  readonly name: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly envFrom: unknown
}

interface Task {
  readonly id: string
  readonly downstream: readonly string[]
  readonly retries: number
  readonly retryDelaySeconds: number
  readonly deletes?: string
  readonly export?: { readonly uri: string; readonly format: string; readonly columns: readonly string[] }
  readonly pod?: {
    readonly spec: { readonly restartPolicy: string; readonly containers: readonly Container[] }
  }
}

interface Loaded {
  readonly importErrors: Readonly<Record<string, string>>
  readonly warnings: Readonly<Record<string, readonly string[]>>
  readonly dags: readonly {
    readonly id: string
    readonly maxActiveRuns: number
    readonly catchup: boolean
    readonly tasks: readonly Task[]
  }[]
}

type Report = Partial<PublishReport> | { readonly outcome: 'wrong usage' }

/** How BigQuery would export each column of 200 players, of whom every seventh has four games. */
const exported: Readonly<Record<string, string>> = {
  player_id: '(1000000 + i)::VARCHAR',
  segment: `['newcomer', 'casual', 'regular', 'collector'][i % 4 + 1]`,
  hours_played: 'i / 10',
  ...Object.fromEntries([1, 2, 3, 4].map((place) => [`game_${place}`, `i + ${place}`])),
  game_5: 'CASE WHEN i % 7 = 0 THEN NULL ELSE i + 5 END',
  ...Object.fromEntries([1, 2, 3, 4].map((place) => [`score_${place}`, `1 - ${place} / 10`])),
  score_5: 'CASE WHEN i % 7 = 0 THEN NULL ELSE 0.5::DOUBLE END',
}

/** The same players with lists, as Spark would write them. */
const players = `SELECT ${exported['player_id']} AS player_id, ${exported['segment']} AS segment, i / 10 AS hours_played,
  [i + 1, i + 2, i + 3, i + 4] AS games, [0.9, 0.8, 0.7, 0.6] AS scores FROM range(1, 201) AS numbers(i)`

describe.skipIf(lacking.length > 0)('docs/airflow.md', () => {
  let files: Workspace
  let env: Record<string, string>
  let loader: ChildProcessByStdio<Writable, Readable, null>
  let lines: AsyncIterator<string>
  let loaded: Loaded

  beforeAll(async () => {
    files = await createWorkspace()
    const redis = await real.start()
    env = { RECGATE_REDIS_URL: redis.url }
    await runCli(['catalog', 'apply', 'config/demo/tenant.yaml'], { env })
    await mkdir(files.path('bin'))
    await putRecgate(files.path('bin'))
    await mkdir(files.path('dags'))
    const dags = blocksOf('airflow.md').filter(({ language }) => language === 'python')
    for (const { line, text } of dags) await writeFile(files.path(`dags/line_${line}.py`), text)
    loader = await startLoader(files)
    lines = createInterface({ input: loader.stdout })[Symbol.asyncIterator]()
    loaded = await nextLine<Loaded>()
  })
  afterAll(async () => {
    loader?.kill()
    await files?.remove()
  })

  async function nextLine<T>(): Promise<T> {
    const { done, value } = await lines.next()
    if (done === true) throw new Error('load_dags.py ended; what it wrote to standard error says why')
    return JSON.parse(value) as T
  }

  const task = (dagId: string, taskId: string): Task => {
    const found = loaded.dags.find(({ id }) => id === dagId)?.tasks.find(({ id }) => id === taskId)
    if (found === undefined) throw new Error(`no task ${dagId}.${taskId}`)
    return found
  }
  const container = (dagId: string): Container => {
    const found = task(dagId, 'publish').pod?.spec.containers.find(({ name }) => name === 'base')
    if (found === undefined) throw new Error(`${dagId}.publish makes no pod`)
    return found
  }

  /** What the pod's container runs, with the paths of its volumes and objects put into a directory here. */
  async function runContainer(
    { command, args }: Pick<Container, 'command' | 'args'>,
    directory: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<ProgramResult> {
    const local = (text: string) =>
      text
        .replaceAll('/airflow/xcom/', `${directory}/`)
        .replaceAll(folder, `${directory}/`)
        .replaceAll('/predictions/', `${directory}/`)
    const [program = '', ...rest] = [...command, ...args].map(local)
    return runProgram([program, ...rest], {
      programs: files.path('bin'),
      cwd: directory,
      env: { ...env, ...more },
    })
  }

  /** A run's folder, as the DAG's query fills it. */
  async function exportedFolder(players: number): Promise<string> {
    const { columns } = task('publish_games_itemcf', 'export').export!
    const name = `export-${players}`
    await mkdir(files.path(name))
    const select = columns.map((column) => `${exported[column]} AS ${column}`).join(', ')
    await files.writeParquet(
      `${name}/part-000000000000.parquet`,
      `SELECT ${select} FROM range(1, ${players + 1}) AS numbers(i)`,
    )
    return files.path(name)
  }

  async function judge(report: Report): Promise<{ error: string; message: string } | null> {
    loader.stdin.write(`${JSON.stringify(report)}\n`)
    return nextLine()
  }

  const list = async () =>
    (await recgate('tables', 'list', '--tenant', 'demo-studio')).json<{
      generation: number
      state: string
      by: string
    }>()
  const recgate = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--json'], { env })

  test('Airflow imports both without an error or a warning', () => {
    expect(loaded).toMatchObject({ importErrors: {}, warnings: {} })
    expect(loaded.dags.map(({ id }) => id).sort()).toEqual([
      'publish_games_itemcf',
      'publish_games_itemcf_files',
    ])
    for (const dag of loaded.dags) expect(dag).toMatchObject({ maxActiveRuns: 1, catchup: false })
  })

  test('clear → export → publish → judge, on one folder', () => {
    const order = loaded.dags.find(({ id }) => id === 'publish_games_itemcf')?.tasks
    expect(order?.map(({ id, downstream }) => [id, downstream])).toEqual([
      ['clear', ['export']],
      ['export', ['publish']],
      ['publish', ['judge']],
      ['judge', []],
    ])
    expect(order?.[0]?.deletes).toBe(folder)
    expect(order?.[1]?.export).toMatchObject({ uri: `${folder}part-*.parquet`, format: 'PARQUET' })
    expect(container('publish_games_itemcf').args.slice(0, 2)).toEqual(['publish', `${folder}part-*.parquet`])
    // A publisher that died holds its version for 30 seconds.
    expect(order?.[2]).toMatchObject({ retries: 2, retryDelaySeconds: 300 })
    expect(order?.[3]).toMatchObject({ retries: 0 })
  })

  test('every pod has the Secret’s variables, and is not started again by Kubernetes', () => {
    for (const dag of ['publish_games_itemcf', 'publish_games_itemcf_files']) {
      expect(container(dag).envFrom).toEqual([{ secretRef: { name: 'recgate-publish' } }])
      expect(task(dag, 'publish').pod?.spec.restartPolicy).toBe('Never')
    }
  })

  test('publishes, tells of a refused table once, and of wrong usage; tries again what may pass', async () => {
    const pod = container('publish_games_itemcf')
    const whole = await exportedFolder(200)
    const done = await runContainer(pod, whole)
    expect(done).toMatchObject({ exitCode: 0, stderr: '' })
    const report = JSON.parse(done.stdout) as PublishReport
    expect(report).toMatchObject({ outcome: 'activated', generation: 1, rows: 200 })
    expect(await judge(report)).toBeNull()
    const row = await runCli(
      ['tables', 'show', '1', '--tenant', 'demo-studio', '--model', 'games', '--key', '1000007'],
      { env },
    )
    expect(JSON.parse(row.stdout)).toEqual({
      segment: 'collector',
      hours_played: 0.7,
      games: [8, 9, 10, 11],
      scores: [0.9, 0.8, 0.7, 0.6],
    })

    const again = await runContainer(pod, whole)
    expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'unchanged', generation: 1 })
    expect(await judge(JSON.parse(again.stdout) as PublishReport)).toBeNull()

    const cut = await runContainer(pod, await exportedFolder(20))
    expect(cut.exitCode).toBe(0)
    expect(cut.stderr).toContain('generation 2 of games/itemcf is loaded and not active')
    const refused = JSON.parse(cut.stdout) as PublishReport
    expect(refused.outcome).toBe('refused')
    expect(await judge(refused)).toMatchObject({
      error: 'AirflowFailException',
      message: expect.stringMatching(/^generation 2 is loaded and not active.*minRetainedKeys/),
    })
    expect(await list()).toMatchObject([
      { generation: 2, state: 'loaded', by: 'airflow' },
      { generation: 1, state: 'active', by: 'airflow' },
    ])

    const wrong = await runContainer({ ...pod, args: [...pod.args, '--tenent=demo-studio'] }, whole)
    expect(wrong).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('--tenent') })
    expect(await judge({ outcome: 'wrong usage' })).toMatchObject({ error: 'AirflowFailException' })

    const away = await runContainer(pod, whole, { RECGATE_REDIS_URL: 'redis://127.0.0.1:1' })
    expect(away).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^\{"failed":"Redis at /) })
  })

  test('files on a volume: fails, to be tried again, until the job that writes them has ended', async () => {
    const pod = container('publish_games_itemcf_files')
    const out = files.path('games-itemcf')
    expect((await runContainer(pod, files.directory)).exitCode).toBe(1)
    await mkdir(out)
    expect((await runContainer(pod, files.directory)).exitCode).toBe(1)
    await files.writeParquet('games-itemcf/part-00000-5ad0cd29-c000.zstd.parquet', players)
    const early = await runContainer(pod, files.directory)
    expect(early).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('_SUCCESS') })
    await writeFile(join(out, '_SUCCESS'), '')
    const late = await runContainer(pod, files.directory)
    expect(late).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining('200 rows') })
  })

  test('the Job’s manifest has no field that Kubernetes doesn’t know', async () => {
    await writeFile(files.path('job.yaml'), blockWith('airflow.md', 'yaml', 'kind: Job'))
    const check = `'${python}' '${join(here, 'check_manifest.py')}' < job.yaml`
    const where = { programs: files.path('bin'), cwd: files.directory }
    expect(await runProgram(['sh', '-c', check], where)).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    const wrong = `sed 's/backoffLimit:/backofLimit:/' job.yaml | '${python}' '${join(here, 'check_manifest.py')}'`
    expect((await runProgram(['sh', '-c', wrong], where)).stdout).toBe(
      'Job.spec.backofLimit: V1JobSpec has no such field\n',
    )
  })
})

/** Airflow without a database or a cluster: building a pod asks for a cluster's address, and calls nobody. */
const nowhere = `apiVersion: v1
kind: Config
clusters: [{ name: nowhere, cluster: { server: 'https://127.0.0.1:1' } }]
users: [{ name: nowhere, user: {} }]
contexts: [{ name: nowhere, context: { cluster: nowhere, user: nowhere } }]
current-context: nowhere
`

async function startLoader(files: Workspace): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: files.directory,
    AIRFLOW_HOME: files.path('airflow'),
    AIRFLOW__LOGGING__LOGGING_LEVEL: 'ERROR',
    KUBECONFIG: await files.write('kubeconfig', nowhere),
  }
  return spawn(python, [join(here, 'load_dags.py'), files.path('dags'), runId], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}
