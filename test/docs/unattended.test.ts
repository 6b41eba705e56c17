import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { runCli } from '../support/cli.ts'
import { blockWith, putRecgate, runProgram } from '../support/pages.ts'
import { testRedis } from '../support/redis.ts'
import { createWorkspace, type Workspace } from '../unit/sources/workspace.ts'

/** The Job of docs/airflow.md and the cells of docs/spark.md, run on files as Spark leaves them. The DAGs: test/airflow/. */

const hasPython = canRun('python3')
if (!hasPython)
  process.stderr.write('tests: the cells of docs/spark.md are skipped; they need python3 on PATH\n')

function canRun(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let redis: LocalRedis
let files: Workspace
let env: Record<string, string>
beforeAll(async () => {
  redis = await testRedis()
  files = await createWorkspace()
  env = { RECGATE_REDIS_URL: redis.url }
  await runCli(['catalog', 'apply', 'config/demo/tenant.yaml'], { env })
  await mkdir(files.path('bin'))
  await putRecgate(files.path('bin'))
  await mkdir(files.path('games-itemcf'))
  await files.writeParquet(
    'games-itemcf/part-00000-5ad0cd29-c000.zstd.parquet',
    `SELECT (1000000 + i)::VARCHAR AS player_id, 'casual' AS segment, i / 10 AS hours_played, [i, i + 1] AS games,
       [1, 0.5] AS scores FROM range(1, 201) AS numbers(i)`,
  )
  await files.write('games-itemcf/_SUCCESS', '')
})
afterAll(async () => {
  await redis?.stop()
  await files?.remove()
})

const here = (text: string) => text.replaceAll('/predictions/', `${files.directory}/`)
const run = (...command: readonly [string, ...string[]]) =>
  runProgram(command, { programs: files.path('bin'), cwd: files.directory, env })

interface Job {
  readonly spec: {
    readonly podFailurePolicy: {
      readonly rules: readonly [
        { readonly onExitCodes: { readonly containerName: string; readonly values: readonly number[] } },
      ]
    }
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          {
            readonly name: string
            readonly command: readonly [string]
            readonly args: readonly string[]
            readonly volumeMounts: readonly [{ readonly name: string }]
          },
        ]
        readonly volumes: readonly [{ readonly name: string }]
      }
    }
  }
}

describe('docs/airflow.md', () => {
  test('the Job publishes what lies on its volume, and ends with 2 where it is written wrong', async () => {
    const { spec } = parse(blockWith('airflow.md', 'yaml', 'kind: Job')) as Job
    const [container] = spec.template.spec.containers
    expect(container.volumeMounts[0].name).toBe(spec.template.spec.volumes[0].name)
    const [program] = container.command
    const args = container.args.map(here)
    const done = await run(program, ...args)
    expect(done).toMatchObject({ exitCode: 0, stderr: '' })
    expect(JSON.parse(done.stdout)).toMatchObject({ outcome: 'activated', rows: 200 })

    const wrong = await run(program, ...args.map((arg) => arg.replace('--tenant', '--tenent')))
    const [{ onExitCodes }] = spec.podFailurePolicy.rules
    expect(onExitCodes).toMatchObject({ containerName: container.name, values: [wrong.exitCode] })
  })

  test('no command that it names is wrong usage', async () => {
    const page = await readFile(new URL('../../docs/airflow.md', import.meta.url), 'utf8')
    const commands = [...page.matchAll(/^ {4}(recgate .*)$/gm)].map(([, command = '']) => command)
    expect(commands).toHaveLength(5)
    for (const command of commands) {
      const { exitCode, stderr } = await run('sh', '-c', command)
      // The generations that they name aren't there: 1.
      expect({ command, stderr, exitCode }).toMatchObject({ exitCode: command.includes(' list ') ? 0 : 1 })
    }
  })
})

describe.skipIf(!hasPython)('docs/spark.md', () => {
  test('the cell that writes is Python', async () => {
    await writeFile(files.path('write.py'), blockWith('spark.md', 'python', '.write.mode('))
    const check = 'import ast, sys; ast.parse(open(sys.argv[1]).read())'
    expect(await run('python3', '-c', check, 'write.py')).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('the cell that publishes does, and raises what failed', async () => {
    const cell = blockWith('spark.md', 'python', 'subprocess.run(')
    await writeFile(files.path('publish.py'), `OUT = "${files.path('games-itemcf')}"\n${cell}`)
    const done = await run('python3', 'publish.py')
    expect(done).toMatchObject({ exitCode: 0, stderr: '' })
    expect(done.stdout).toMatch(/^(activated|unchanged): generation \d+, 200 rows\n$/)

    await writeFile(files.path('missing.py'), `OUT = "${files.path('nowhere')}"\n${cell}`)
    const failed = await run('python3', 'missing.py')
    expect(failed).toMatchObject({ exitCode: 1, stdout: '' })
    expect(failed.stderr).toMatch(/RuntimeError: .*nowhere/)
  })
})
