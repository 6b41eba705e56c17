import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningCli, runCli, startCli } from '../support/cli.ts'
import { engines } from '../support/redis.ts'
import { until } from '../support/until.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-demo-test-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** A PATH on which there is Node and nothing else, so that `demo` finds no Redis. */
async function nodeOnly(): Promise<string> {
  const path = await mkdtemp(join(directory, 'path-'))
  await symlink(process.execPath, join(path, 'node'))
  return path
}

/** Three ports that are free now, taken together so that they differ. */
async function freePorts(): Promise<string[]> {
  const servers = [createServer(), createServer(), createServer()]
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
  )
  const ports = servers.map((server) => String((server.address() as { port: number }).port))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const portOptions = ([data = '', admin = '', ops = '']: string[]) => [
  '--data-port',
  data,
  '--admin-port',
  admin,
  '--ops-port',
  ops,
]

/** The commands that the tour prints, each as it stands there. */
function curlLines(tour: string): string[] {
  return [...tour.matchAll(/^ {2}(curl (?:.*\\\n)*.*)$/gm)].map(([, line = '']) => line)
}

interface Answer {
  readonly model: string
  readonly version: string
  readonly reason: string
  readonly recommendation: unknown
}

const shell = (line: string) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile('sh', ['-c', line], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    )
  })

/** Runs a printed curl line literally; where there is no curl, asks the same URL with the same headers. */
async function runPrinted(line: string, hasCurl: boolean): Promise<string> {
  if (hasCurl) {
    const { code, stdout, stderr } = await shell(line)
    expect({ line, code, stderr: code === 0 ? '' : stderr }).toEqual({ line, code: 0, stderr: '' })
    return stdout
  }
  const headers = [...line.matchAll(/-H '(.*?): (.*?)'/g)].map(
    ([, name = '', value = '']) => [name, value] as [string, string],
  )
  const response = await fetch(/'(http:.*?)'/.exec(line)?.[1] ?? '', { headers })
  const body = Buffer.from(await response.arrayBuffer())
  if (!line.includes('recgate decode')) return body.toString()
  const decode = ['decode', '--document', 'config/demo/tenant.yaml', '--model', 'games']
  return (await runCli(decode, { stdin: body })).stdout
}

test('demo: engine, curl lines that work, busy ports, sample files, the end', async () => {
  const env = { PATH: await nodeOnly(), RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
  const [ports, otherPorts] = [await freePorts(), await freePorts()]
  const [sample, otherSample] = [join(directory, 'sample'), join(directory, 'deep', 'other')]
  const demos: RunningCli[] = []
  const start = (chosen: string[], files: string) => {
    const running = startCli(['demo', ...portOptions(chosen), '--write-sample', files], { env })
    demos.push(running)
    return running
  }
  try {
    const [demo, other] = [start(ports, sample), start(otherPorts, otherSample)]
    await Promise.all([demo.written(/^Running until Ctrl-C\.$/m), other.written(/^Running until Ctrl-C\.$/m)])
    const tour = demo.stdout()
    expect(demo.stderr()).toBe('')
    expect(tour).toMatch(
      /^Redis {6}js-redis-server \(in process, for trying things only\), redis:\/\/127\.0\.0\.1:\d+$/m,
    )
    expect(tour).toMatch(/^Published {2}games\/popular: 3000 rows, generation 1$/m)
    expect(tour).toMatch(/^Published {2}games\/itemcf: 2880 rows, generation 2$/m)
    expect(tour).toMatch(/^Published {2}starter-offer\/seasonal: 12 rows, generation 1$/m)
    expect(tour).toContain(`Sample     files in ${sample}`)
    expect(tour).toContain(`Data       http://127.0.0.1:${ports[0]}/recommendations`)

    const lines = curlLines(tour)
    expect(lines).toHaveLength(3)
    const hasCurl = (await shell('curl --version')).code === 0
    const run = (index: number) => runPrinted(lines[index]!, hasCurl)
    // The sample's deadline of 50 ms may pass on a machine under load, which then answers with the default: ask again.
    let answer: Answer | undefined
    await until('the first line gives the player’s own record', async () => {
      answer = JSON.parse(await run(0)) as Answer
      return answer.reason === 'split'
    })
    expect(answer).toMatchObject({ model: 'games', reason: 'split' })
    await until('the second line gives the same, packed and decoded again', async () =>
      isDeepStrictEqual(JSON.parse(await run(1)), answer?.recommendation),
    )
    await until('the third line gives the public model', async () => {
      const { model, version, reason } = JSON.parse(await run(2)) as Answer
      expect([model, version]).toEqual(['starter-offer', 'seasonal'])
      return reason === 'split'
    })

    const ready = await fetch(`http://127.0.0.1:${ports[2]}/readyz`)
    expect(ready.status).toBe(200)

    const again = await runCli(['demo', ...portOptions(ports)], { env })
    expect(again).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr:
        `busy on 127.0.0.1: ${ports[0]} (choose another with --data-port), ${ports[1]} (choose another with --admin-port), ` +
        `${ports[2]} (choose another with --ops-port). Does another demo run? End it with Ctrl-C.\n`,
    })

    const names = (await readdir(sample)).sort()
    expect(names).toEqual(['games-itemcf.ndjson', 'games-popular.csv', 'starter-offer.csv', 'tenant.yaml'])
    expect((await readdir(otherSample)).sort()).toEqual(names)
    for (const name of names)
      expect(await readFile(join(sample, name), 'utf8')).toBe(await readFile(join(otherSample, name), 'utf8'))

    // The printed export lets other commands reach the demo's Redis.
    const url = /^ {2}export RECGATE_REDIS_URL=(.*)$/m.exec(tour)?.[1] ?? ''
    const file = (name: string) => join(sample, name)
    const [check, publish, show] = await Promise.all([
      runCli(['catalog', 'check', file('tenant.yaml')]),
      runCli(
        [
          'publish',
          file('games-itemcf.ndjson'),
          '--tenant',
          'demo-studio',
          '--model',
          'games',
          '--version',
          'itemcf',
        ],
        { env: { RECGATE_REDIS_URL: url } },
      ),
      runCli(['catalog', 'apply', file('tenant.yaml')], { env: { RECGATE_REDIS_URL: url } }),
    ])
    expect(check).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('tenant demo-studio') })
    expect(publish).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^unchanged: generation 2 of games\/itemcf has the same 2880 rows/),
    })
    expect(show).toMatchObject({ exitCode: 0, stdout: 'tenant demo-studio: nothing changes\n' })

    for (const running of [demo, other]) running.signal('SIGINT')
    for (const running of [demo, other]) {
      const { exitCode, stdout, stderr } = await running.exited
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(stdout).toMatch(/\nstopped\n$/)
    }
  } finally {
    await Promise.all(demos.map((demo) => demo.stop()))
  }
})

test('demo whose Redis of RECGATE_REDIS_URL has ended says how to have one started', async () => {
  const env = {
    PATH: await nodeOnly(),
    RECGATE_REDIS_URL: 'redis://127.0.0.1:1',
    RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json'),
  }
  const { exitCode, stderr } = await runCli(['demo', ...portOptions(await freePorts())], { env })
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr:
      "Redis at 127.0.0.1:1 can't be reached: connect ECONNREFUSED 127.0.0.1:1\n" +
      'RECGATE_REDIS_URL names it; unset RECGATE_REDIS_URL to have one started\n',
  })
})

const [real] = engines
test.skipIf(real.skip)(
  'demo takes the Redis of RECGATE_REDIS_URL, shows no password, leaves no files',
  async () => {
    const redis = await real.start()
    // Redis takes any password for a user who needs none.
    const url = new URL(redis.url)
    url.username = 'default'
    url.password = 'geheim'
    const env = {
      RECGATE_REDIS_URL: url.href,
      RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json'),
      TMPDIR: await mkdtemp(join(directory, 'tmp-')),
    }
    const demo = startCli(['demo', ...portOptions(await freePorts())], { env })
    try {
      await demo.written(/^Running until Ctrl-C\.$/m)
      expect(demo.stdout()).toMatch(/^Redis {6}the one of RECGATE_REDIS_URL, /m)
      expect(demo.stdout() + demo.stderr()).not.toContain('geheim')
      expect(await readdir(env.TMPDIR)).toEqual([])
      demo.signal('SIGINT')
      expect((await demo.exited).exitCode).toBe(0)
    } finally {
      await demo.stop()
    }
  },
)
