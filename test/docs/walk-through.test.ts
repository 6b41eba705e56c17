import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningCli, startCli } from '../support/cli.ts'
import { type Block, blocksOf, putProgram, putRecgate, runProgram } from '../support/pages.ts'
import { engines } from '../support/redis.ts'

/**
 * docs/publishing.md, followed literally: every `sh` block, in one shell, from the first to the last. What the `text`
 * block behind it shows must come, and nothing else; each block ends with 0, since one that shows a failure prints its
 * exit code. The first block starts the demo, which goes on running.
 */

const [real] = engines
const curl = curlPath()
if (curl === null || real.skip)
  process.stderr.write(
    `tests: the walk-through of docs/publishing.md is skipped; it needs ${curl === null ? 'curl' : 'a real Redis: install redis-server, start Docker or set RECGATE_REDIS_URL'}\n`,
  )

interface Step {
  readonly block: Block
  /** What the page shows; null where it shows nothing. */
  readonly shown: string | null
}

const [first, ...steps] = stepsOf(blocksOf('publishing.md'))
const mark = 'end of block'

function stepsOf(blocks: readonly Block[]): Step[] {
  return blocks.flatMap((block, index) => {
    const next = blocks[index + 1]
    return block.language === 'sh' ? [{ block, shown: next?.language === 'text' ? next.text : null }] : []
  })
}

function curlPath(): string | null {
  try {
    return execFileSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

/** `…` stands for whatever is there; columns are as wide as their longest cell. */
function patternOf(shown: string): RegExp {
  const text = squeezed(shown)
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('…', '.*')
  return new RegExp(`^${text}$`)
}

function squeezed(text: string): string {
  return text.replace(/ +/g, ' ').trim()
}

describe.skipIf(curl === null || real.skip)('docs/publishing.md', () => {
  let directory: string
  let demo: RunningCli
  let results: ReadonlyMap<number, { output: string; exitCode: number }>

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-walk-through-'))
    const redis = await real.start()
    const env = { RECGATE_REDIS_URL: redis.url, RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
    const [, options = ''] = /^npm run demo -- (.*)\n$/.exec(first?.block.text ?? '') ?? []
    const ports = ['--data-port', '0', '--admin-port', '0', '--ops-port', '0']
    demo = startCli(['demo', ...options.split(' '), ...ports], { env, cwd: directory })
    await demo.written(/^Running until Ctrl-C\.$/m)
    const [, data = ''] = /^Data +(http:.*)\/recommendations$/m.exec(demo.stdout()) ?? []
    await putRecgate(directory)
    // A request's deadline may pass on a machine under load, and a default is answered then: what the player has comes next.
    await putProgram(
      directory,
      'curl',
      `for try in 1 2 3 4 5 6 7 8 9 10; do
  answer=$('${curl}' "$@")
  case $answer in *'"reason":"split"'*) break ;; esac
done
printf %s "$answer"`,
    )
    const script = steps.map(({ block }) => `${block.text}printf '\\n${mark} %s\\n' $?\n`).join('')
    const { stdout } = await runProgram(
      ['sh', '-c', `exec 2>&1\n${script.replaceAll('http://127.0.0.1:8080', data)}`],
      { programs: directory, cwd: directory, env },
    )
    const outputs = stdout.split(new RegExp(`\n${mark} (\\d+)\n`))
    results = new Map(
      steps.map(({ block }, index) => [
        block.line,
        { output: outputs[2 * index] ?? '', exitCode: Number(outputs[2 * index + 1]) },
      ]),
    )
    // Twenty processes one after the other: 9 s on a free machine, 40 s on one that four others load.
  }, 240_000)
  afterAll(async () => {
    await demo?.stop()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  test('starts with the demo', () => {
    expect(first?.block.text).toBe('npm run demo -- --write-sample sample\n')
    expect(demo.stdout()).toContain('Published  games/itemcf: 2880 rows, generation 2\n')
    expect(steps.length).toBeGreaterThan(10)
  })

  test.each(steps.map(({ block, shown }) => ({ line: block.line, text: block.text, shown })))(
    'line $line does what the page says',
    ({ line, text, shown }) => {
      const { output = '', exitCode } = results.get(line) ?? {}
      expect({ text, output, exitCode }).toEqual({ text, output, exitCode: 0 })
      expect(squeezed(output)).toMatch(patternOf(shown ?? ''))
    },
  )
})
