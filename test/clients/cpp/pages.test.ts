import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateCpp } from '../../../src/clients/cpp/generate-cpp.ts'
import { blocksOf } from '../../support/pages.ts'
import { type Demo, eventually, startDemo } from '../support/demo.ts'
import { sampleModels } from '../support/sample-models.ts'
import { compilers } from './compilers.ts'

/** The C++ of docs/clients.md, compiled and run against the demo, prints what stands behind it. */

const compiler = compilers[0]!
const missing = await compiler.missing()
if (missing !== null) process.stderr.write(`skipped: the C++ of docs/clients.md, for want of ${missing}\n`)

/** Programs of the section, each with what it prints; unreal.test.ts has those for Unreal, at the section's end. */
async function programsOfPage(): Promise<{ readonly code: string; readonly shown: string }[]> {
  const lines = (await readFile(new URL('../../../docs/clients.md', import.meta.url), 'utf8')).split('\n')
  const [first, last] = [lines.indexOf('## C++'), lines.indexOf('### Unreal')]
  const blocks = blocksOf('clients.md').filter(({ line }) => first >= 0 && line > first && line <= last)
  return blocks.flatMap(({ language, text }, index) =>
    language === 'cpp' ? [{ code: text, shown: blocks[index + 1]!.text }] : [],
  )
}

describe.skipIf(missing !== null)('the C++ of docs/clients.md', () => {
  let directory: string
  let demo: Demo

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-cpp-pages-'))
    demo = await startDemo(directory)
    for (const { path, text } of (await sampleModels()).flatMap((model) => generateCpp(model)))
      await writeFile(join(directory, path), text)
  }, 120_000)

  afterAll(async () => {
    await demo?.stop()
    await rm(directory, { recursive: true })
  })

  test('compiles and prints what it shows', async () => {
    const token = await demo.tokenFor('games')
    const programs = await programsOfPage()
    expect(programs.length).toBe(2)
    for (const [index, { code, shown }] of programs.entries()) {
      const source = join(directory, `page-${index}.cpp`)
      await writeFile(source, code)
      const program = join(directory, `page-${index}`)
      await compiler.build([source], program, { libraries: ['-lcurl'] })
      const play = async () => {
        const options = { env: { ...process.env, no_proxy: '*', GATEWAY: demo.gateway, TOKEN: token } }
        return (await promisify(execFile)(program, [], options)).stdout.trimEnd()
      }
      expect(await eventually(play, shown.trimEnd())).toBe(shown.trimEnd())
    }
  }, 240_000)
})
