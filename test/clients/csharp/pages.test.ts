import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningCli, runCli, startCli } from '../../support/cli.ts'
import { type Block, blocksOf } from '../../support/pages.ts'
import { testRedis } from '../../support/redis.ts'
import { compileProgram, missingMono, programFile, put } from './mono.ts'
import { runMono } from './mono-process.ts'
import { putSampleClients } from './sample-files.ts'

/** The C# of docs/unity.md and of docs/clients.md, compiled and run against the demo, prints what stands behind it. */

const missing = await missingMono()
if (missing !== null) process.stderr.write(`skipped: the C# of the pages, for want of ${missing}\n`)

const clientsPage = new URL('../../../docs/clients.md', import.meta.url)
const hasClientsPage = existsSync(clientsPage)
if (!hasClientsPage) process.stderr.write('skipped: the C# of docs/clients.md, which is not there\n')

/** Those of C#, each with the output that is shown behind it. */
function csharpBlocks(blocks: readonly Block[]): { readonly code: string; readonly shown: string | null }[] {
  return blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1]
    if (language !== 'csharp') return []
    return [{ code: text, shown: next?.language === 'text' ? next.text : null }]
  })
}

/** A request's deadline may pass on a machine under load, and a default is answered then: what is meant comes next. */
async function eventually(play: () => Promise<string>, shown: string): Promise<string> {
  let printed = await play()
  for (let tries = 1; printed !== shown && tries < 10; tries++) printed = await play()
  return printed
}

function sectionBlocks(): Block[] {
  const lines = readFileSync(clientsPage, 'utf8').split('\n')
  const first = lines.indexOf('## C#') + 1
  const next = lines.findIndex((line, index) => index >= first && line.startsWith('## '))
  const last = next < 0 ? lines.length : next
  return blocksOf('clients.md').filter(({ line }) => first > 0 && line > first && line <= last)
}

describe.skipIf(missing !== null)('the pages’ C#', () => {
  let directory: string
  let demo: RunningCli
  let data: string
  let clients: readonly string[]
  let tokens: ReadonlyMap<string, string>

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'recgate-csharp-pages-'))
    const redis = await testRedis()
    const env = { RECGATE_REDIS_URL: redis.url, RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
    const ports = ['--data-port', '0', '--admin-port', '0', '--ops-port', '0']
    demo = startCli(['demo', ...ports], { env, cwd: directory })
    await demo.written(/^Running until Ctrl-C\.$/m)
    data = /^Data +(http:.*)\/recommendations$/m.exec(demo.stdout())![1]!
    clients = await putSampleClients(directory)
    const tokenFor = async (model: string) => {
      const args = ['token', '--tenant', 'demo-studio', '--sub', '1000001', '--model', model]
      return [model, (await runCli(args, { env })).stdout.trim()] as const
    }
    tokens = new Map(await Promise.all(['games', 'starter-offer'].map(tokenFor)))
  }, 120_000)

  afterAll(async () => {
    await demo?.stop()
    await rm(directory, { recursive: true })
  })

  describe('of docs/unity.md', () => {
    const blocks = csharpBlocks(blocksOf('unity.md'))
    let program: string
    const page = (...args: readonly string[]) => runMono(program, args)

    beforeAll(async () => {
      program = join(directory, 'unity-page.exe')
      const files = blocks.map(({ code }, index) => put(directory, `block-${index}.cs`, code))
      await compileProgram({
        output: program,
        files: [
          ...clients,
          ...(await Promise.all(files)),
          ...['unity-page.cs', 'unity-stub.cs', 'framed-bytes.cs'].map(programFile),
        ],
        references: ['System.dll', 'System.Net.Http.dll'],
        defines: ['UNITY_2019_4_OR_NEWER', 'UNITY_2020_2_OR_NEWER'],
        // Unity fills in what the Inspector shows.
        silenced: [649],
      })
    })

    test.each([
      ['Recommendations', 'games'],
      ['Offer', 'starter-offer'],
    ])('%s plays and prints what the page shows', async (component, model) => {
      const { shown } = blocks.find(({ code }) => code.includes(`class ${component} :`))!
      expect(shown).not.toBeNull()
      const play = () => page('play', component, data, tokens.get(model)!)
      expect(await eventually(play, shown!)).toBe(shown)
    })

    test.each([
      ['Recommendations', 'games'],
      ['Offer', 'starter-offer'],
    ])('%s fetches again when it is activated again', async (component, model) => {
      const { shown } = blocks.find(({ code }) => code.includes(`class ${component} :`))!
      const play = () => page('again', component, data, tokens.get(model)!)
      const expected = `inactive, which leaves no coroutine\n${shown}`
      expect(await eventually(play, expected)).toBe(expected)
    })

    test('without a gateway the sample warns and shows the built-in record', async () => {
      const printed = await page('play', 'Recommendations', 'http://127.0.0.1:9', tokens.get('games')!)
      expect(printed.split('\n')).toEqual([
        expect.stringMatching(/^warning: network: no answer: ./),
        'for a newcomer player: 1, 2, 3',
        'exposure: model games, version , reason built-in',
        '',
      ])
    })

    test.each(['Recommendations', 'Offer'])(
      '%s can be destroyed before its first frame, and where its URL was refused',
      async (component) => {
        expect(await page('destroy', component, 'https://recommendations.example.com')).toBe('awake\n')
        expect(await page('destroy', component, 'recommendations')).toBe('ArgumentException\n')
      },
    )

    test('the token callback signs in once, and again when the token has expired', async () => {
      const texts = ['first', 'second']
      const server = createServer((_, response) => void response.end(texts.shift()))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      expect(await page('token', `http://127.0.0.1:${port}/`)).toBe('first\nfirst\nsecond\n')
      await new Promise((resolve) => server.close(resolve))
      expect(await page('token', `http://127.0.0.1:${port}/`)).toBe('none\nnone\nnone\n')
    })

    test('saved bytes are read, and for wrong ones the default record stands in', async () => {
      expect(await page('read', '0120c0e5800801001bfa1f44b0')).toBe('1, 2, 3\n')
      expect(await page('read', '0120c0e5')).toBe('warning: games: packed-truncated\n1, 2, 3\n')
    })
  })

  test.skipIf(!hasClientsPage)('of docs/clients.md', async () => {
    const blocks = csharpBlocks(sectionBlocks())
    expect(blocks.length).toBeGreaterThan(0)
    for (const [index, { code, shown }] of blocks.entries()) {
      const output = join(directory, `clients-${index}.exe`)
      const text = code.replaceAll('http://127.0.0.1:8080', data)
      await compileProgram({
        output,
        files: [...clients, await put(directory, `clients-${index}.cs`, text)],
        references: ['System.dll', 'System.Net.Http.dll'],
      })
      const play = () => runMono(output, [], { TOKEN: tokens.get('games')! })
      expect(await eventually(play, shown!)).toBe(shown)
    }
  })
})
