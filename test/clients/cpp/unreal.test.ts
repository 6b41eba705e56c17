import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { generateCpp } from '../../../src/clients/cpp/generate-cpp.ts'
import { blocksOf, pageText } from '../../support/pages.ts'
import { until } from '../../support/until.ts'
import { type Demo, eventually, startDemo } from '../support/demo.ts'
import { sampleModels } from '../support/sample-models.ts'
import { type WatchedGateway, watchGateway } from '../support/watched-gateway.ts'
import { compilers, sanitizerFlags } from './compilers.ts'

/**
 * The files for Unreal in docs/clients.md, compiled as they stand there over a stub of the engine, which asks real
 * gateways: what a game gets of them, and when it gets nothing.
 */

const longMs = 60_000
const packed = 'application/vnd.recgate.packed'
/** The body of docs/clients.md's first example, with zeros within it. */
const body = Buffer.from('0120c0e5800801001bfa1f44b0', 'hex')
const builtIn = 'games 1 2 3'

/** What the page leaves to the game, and the tests set. */
const pageOptions = 'Options.base_url = "https://recommendations.example";'
const testOptions = `Options.base_url = std::getenv("GATEWAY");
		Options.deadline = std::chrono::milliseconds(std::atoi(std::getenv("DEADLINE_MS")));`

function filesOfPage(): { readonly name: string; readonly text: string }[] {
  const begins = pageText('clients.md').split('\n').indexOf('### Unreal')
  return blocksOf('clients.md').flatMap(({ language, text, line }) => {
    const [, name] = /^\/\/ (\w+\.h)\n/.exec(text) ?? []
    return language === 'cpp' && line > begins && name !== undefined ? [{ name, text }] : []
  })
}

function told(version: string, reason: string, error: string, games: string): string {
  return `LogTemp: recommendation: version ${version}, reason ${reason}, error ${error}\n${games}\n`
}

let root: string
let demo: Demo
let token: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'recgate-unreal-'))
  demo = await startDemo(root)
  token = await demo.tokenFor('games')
}, 120_000)

afterAll(async () => {
  await demo?.stop()
  await rm(root, { recursive: true })
})

for (const compiler of compilers) {
  const missing = await compiler.missing()
  if (missing !== null)
    process.stderr.write(`skipped: the files for Unreal by ${compiler.command}, for want of ${missing}\n`)

  // Unreal 5.0 to 5.2 compile as C++17, later ones as C++20.
  const standard = compiler.command === 'g++' ? 'c++17' : 'c++20'
  describe.skipIf(missing !== null)(
    `the page's files for Unreal, by ${compiler.command} as ${standard}`,
    () => {
      let program: string
      let watched: WatchedGateway

      beforeAll(async () => {
        const directory = await mkdtemp(join(root, 'game-'))
        await cp(new URL('unreal-stub', import.meta.url), directory, { recursive: true })
        await cp(new URL('program/unreal.cpp', import.meta.url), join(directory, 'unreal.cpp'))
        const files = filesOfPage()
        expect(files.map(({ name }) => name)).toEqual(['RecgateTransport.h', 'Recommendations.h'])
        expect(files[1]!.text).toContain(pageOptions)
        for (const { name, text } of files)
          await writeFile(join(directory, name), text.replace(pageOptions, testOptions))
        for (const { path, text } of (await sampleModels()).flatMap((model) => generateCpp(model)))
          await writeFile(join(directory, path), text)
        program = join(directory, 'game')
        const sources = ['unreal.cpp', 'HttpModule.cpp'].map((name) => join(directory, name))
        const flags = [...sanitizerFlags, `-std=${standard}`, '-I', directory]
        await compiler.build(sources, program, { flags, libraries: ['-lcurl'] })
      }, 240_000)

      beforeEach(async () => {
        watched = await watchGateway(demo.gateway)
      })

      afterEach(() => watched.stop())

      function start(scene: readonly string[], deadlineMs = longMs, gateway = watched.url) {
        // libcurl heeds proxies of the environment, and none is meant for loopback.
        const env = {
          ...process.env,
          no_proxy: '*',
          GATEWAY: gateway,
          DEADLINE_MS: `${deadlineMs}`,
          TOKEN: token,
        }
        return promisify(execFile)(program, scene, { env, timeout: longMs })
      }

      async function play(...args: Parameters<typeof start>): Promise<string> {
        return (await start(...args)).stdout
      }

      test('give the record and what analytics log, and the same again for a 304', async () => {
        const headers = { authorization: `Bearer ${token}` }
        const asked = `${demo.gateway}/recommendations?model=games`
        let answer: { version: string; reason: string; recommendation: { games: number[] } } | undefined
        await until('the gateway has the record in time', async () => {
          answer = JSON.parse(await (await fetch(asked, { headers })).text())
          return answer?.reason === 'split'
        })
        const games = `games ${answer!.recommendation.games.join(' ')}`
        const once = `a token\n${told(answer!.version, 'split', '', games)}`
        const shown = `${once}${once}the end\n`
        const again = () => {
          watched.forget()
          return play(['play', '2'])
        }
        expect(await eventually(again, shown)).toBe(shown)
        const [first, second] = watched.seen
        expect(first).toMatchObject({
          url: '/recommendations?model=games',
          status: 200,
          headers: { authorization: `Bearer ${token}`, accept: packed },
        })
        expect(first!.headers).not.toHaveProperty('if-none-match')
        expect(second!.status).toBe(304)
        expect(second!.headers['if-none-match']).toMatch(/^(W\/)?"/)
      })

      test('take a body as it is, zeros and all, behind an early hint', async () => {
        const recgate = { 'content-type': packed, recgate: 'v=zeros, r=split' }
        watched.meddle(() => ({ status: 200, headers: recgate, body, hints: { link: '</a>; rel=preload' } }))
        expect(await play(['play', '1'])).toBe(
          `a token\n${told('zeros', 'split', '', 'games 1 2 3')}the end\n`,
        )
      })

      test('give up a body that is longer than any record', async () => {
        watched.meddle(() => ({
          status: 200,
          headers: { 'content-type': packed },
          body: Buffer.alloc(65_537, 1),
        }))
        expect(await play(['play', '1'])).toBe(
          `a token\n${told('', 'built-in', 'network', builtIn)}the end\n`,
        )
      })

      test('give up a body that breaks off, however much of it came', async () => {
        const headers = {
          'content-type': packed,
          'content-length': `${body.length + 1}`,
          connection: 'close',
        }
        watched.meddle(() => ({ status: 200, headers, body }))
        expect(await play(['play', '1'])).toBe(
          `a token\n${told('', 'built-in', 'network', builtIn)}the end\n`,
        )
      })

      test('ask the game for another token when the gateway says that it has expired', async () => {
        const expired = Buffer.from('{"code":"token-expired","detail":"for a test"}')
        watched.meddle((answer, count) =>
          count > 1
            ? { ...answer, status: 200, headers: { 'content-type': packed }, body }
            : { status: 401, headers: { 'content-type': 'application/problem+json' }, body: expired },
        )
        const shown = `a token\nanother token\n${told('', '', '', 'games 1 2 3')}the end\n`
        expect(await play(['play', '1'])).toBe(shown)
      })

      test('stand in with the built-in record where the gateway hangs, when the deadline is over', async () => {
        watched.meddle(() => new Promise(() => undefined))
        expect(await play(['play', '1'], 300)).toBe(
          `a token\n${told('', 'built-in', 'deadline', builtIn)}the end\n`,
        )
        expect(watched.seen.length).toBe(1)
      })

      test.each([
        ['nobody listens', 'http://127.0.0.1:9'],
        ['the engine refuses the address at once', 'http://not-allowed.example'],
      ])('stand in where %s', async (_, gateway) => {
        const shown = `a token\n${told('', 'built-in', 'network', builtIn)}the end\n`
        expect(await play(['play', '1'], longMs, gateway)).toBe(shown)
      })

      test('keep to the clock, whatever the frames say that they took', async () => {
        const at: number[] = []
        watched.meddle(() => {
          at.push(performance.now())
          const headers = { 'content-type': packed, 'retry-after': '1' }
          return { status: at.length > 1 ? 200 : 503, headers, body }
        })
        // By the frames' own count the deadline is over with the first of them, and Retry-After with any.
        expect(await play(['slow'])).toBe(`a token\n${told('', '', '', 'games 1 2 3')}the end\n`)
        // The game waits from when it has the first answer, which is later than when that was sent.
        expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(1_000)
      })

      test('ask nothing where nobody has signed in, or the game has ended', async () => {
        expect(await play(['early'])).toBe('the end\n')
        expect(watched.seen).toEqual([])
      })

      test('call back nothing for the player before', async () => {
        watched.meddle(() => ({ status: 200, headers: { 'content-type': packed }, body }))
        expect(await play(['switch'])).toBe(`a token\na token\n${told('', '', '', 'games 1 2 3')}the end\n`)
      })

      test('call back nothing when the game has ended, neither for a late answer nor for the deadline', async () => {
        const ended = Promise.withResolvers<void>()
        watched.meddle(async (answer) => {
          await ended.promise
          return answer
        })
        const running = start(['leave'])
        let stdout = ''
        running.child.stdout!.on('data', (text: string) => {
          stdout += text
        })
        await until('the gateway is asked', () => watched.seen.length === 1)
        running.child.stdin!.end('leave\n')
        await until('the game has ended', () => stdout.endsWith('the end\n'))
        ended.resolve()
        expect((await running).stdout).toBe('a token\nthe end\n')
        expect(await play(['quit'], 50)).toBe('a token\nthe end\n')
      })
    },
  )
}
