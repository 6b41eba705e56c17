import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalRedis } from '../../src/commands/local-redis.ts'
import { compile, repositoryOptions, strictestOptions } from '../clients/typescript/compile.ts'
import { type RunningCli, startCli } from '../support/cli.ts'
import { blocksOf, blockWith, putRecgate, runProgram } from '../support/pages.ts'
import { testRedis } from '../support/redis.ts'

/** The TypeScript of docs/clients.md, beside a demo, as the page has it: compiled, and run by Node. */

const blocks = blocksOf('clients.md')
const examples = blocks.flatMap(({ language, text, line }, index) =>
  language === 'ts' ? [{ line, text, shown: blocks[index + 1] }] : [],
)

let redis: LocalRedis
let directory: string
let programs: string
let demo: RunningCli
let data: string
let token: string

beforeAll(async () => {
  redis = await testRedis()
  directory = await mkdtemp(join(tmpdir(), 'recgate-clients-page-'))
  const env = { RECGATE_REDIS_URL: redis.url, RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
  const ports = ['--data-port', '0', '--admin-port', '0', '--ops-port', '0']
  demo = startCli(['demo', '--write-sample', 'sample', ...ports], { env, cwd: directory })
  await demo.written(/^Running until Ctrl-C\.$/m)
  data = /^Data +(http:.*)\/recommendations$/m.exec(demo.stdout())?.[1] ?? ''
  // Its `recgate` must not stand where the page makes a directory of that name.
  programs = join(directory, 'programs')
  await mkdir(programs)
  await putRecgate(programs)
  const script = `${blockWith('clients.md', 'sh', 'recgate client')}printf '\\n%s' "$TOKEN"`
  const { stdout, stderr } = await runProgram(['sh', '-ec', script], {
    programs,
    cwd: directory,
    env,
  })
  expect(stderr).toBe('')
  token = stdout.split('\n').at(-1)!
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  for (const { line, text } of examples)
    await writeFile(join(directory, `play-${line}.ts`), text.replaceAll('http://127.0.0.1:8080', data))
}, 240_000)
afterAll(async () => {
  await demo?.stop()
  await redis?.stop()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

test('has examples, and behind each what it prints', () => {
  expect(examples.length).toBe(3)
  for (const { shown } of examples) expect(shown?.language).toBe('text')
})

test('they compile under every strict option', async () => {
  await compile(directory, { options: strictestOptions, extends: repositoryOptions })
})

describe('they print what the page says', () => {
  test.each(examples)('line $line', async ({ line, shown }) => {
    const env = { TOKEN: token }
    const run = () => runProgram([process.execPath, `play-${line}.ts`], { programs, cwd: directory, env })
    let result = await run()
    // A request's deadline may pass on a machine under load, and a default is answered then: what is meant comes next.
    for (let tries = 1; tries < 10 && result.stdout !== shown?.text; tries++) result = await run()
    expect(result).toStrictEqual({ exitCode: 0, stdout: shown?.text, stderr: '' })
  })
})
