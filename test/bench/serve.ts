import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import { note, print, printTable } from '../../src/commands/output.ts'
import { loadDevelopmentKey, signDevelopmentToken } from '../../src/jwt/development-key.ts'
import { applyDocument, publishRows, rowsOf, testTools } from '../support/studio.ts'
import { type Load, runLoad, writeLoadScript } from './load.ts'
import { median, range } from './statistics.ts'

/**
 * `npm run bench`: the gateway, packed and as JSON, against an empty Fastify route that gets the same requests.
 * Interleaved repetitions in one run, so that what else the machine does falls on all of them.
 */

const repetitions = Number(process.env['BENCH_REPETITIONS'] ?? 5)
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4)
const connections = Number(process.env['BENCH_CONNECTIONS'] ?? 192)
const players = 2_000
const tenant = 'bench'

interface Target {
  readonly name: string
  readonly child: ChildProcess
  readonly url: string
  readonly script: string
}

interface Sample extends Load {
  readonly cpuMicrosecondsPerRequest: number
}

const directory = await mkdtemp(join(tmpdir(), 'recgate-bench-'))
const redis = await realRedis()
const keyFile = join(directory, 'key.json')
await publishTables(redis.url)
const targets = await startTargets()
try {
  await report(await measure())
} finally {
  for (const child of new Set(targets.map((target) => target.child))) child.disconnect()
  await redis.stop()
}

/** A benchmark on the in-process engine would measure that engine. */
async function realRedis(): Promise<LocalRedis> {
  const binary = await findRedisServer()
  if (binary === null) throw new Error('benchmarks need a real Redis: install redis-server')
  return startRedisServer(binary)
}

async function publishTables(redisUrl: string): Promise<void> {
  const tools = await testTools(redisUrl)
  const fixed = { type: 'fixed', min: 0, max: 1, step: 0.001 }
  await applyDocument(tools, {
    format: 1,
    tenant,
    issuers: [],
    models: {
      games: {
        key: [{ claim: 'sub', column: 'player_id' }],
        record: {
          segment: { type: 'enum', values: ['newcomer', 'casual', 'regular'], room: 16, default: 'newcomer' },
          hours_played: { type: 'fixed', min: 0, max: 20_000, step: 0.1 },
          games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
          scores: { type: 'list', maxItems: 5, items: fixed },
        },
        // Every answer must be the work of a read: no default, and no deadline that a stalled machine runs into.
        default: 'none',
        deadlineMs: 5_000,
        versions: ['popular', 'itemcf'],
        control: 'popular',
        weights: { popular: 50, itemcf: 50 },
      },
    },
  })
  const columns = ['player_id', 'segment', 'hours_played', 'games', 'scores']
  for (const [index, version] of ['popular', 'itemcf'].entries()) {
    const rows = Array.from({ length: players }, (_, player) => [
      playerId(player),
      'regular',
      player / 10,
      [1 + index, 17, 102, 68, player % 4000],
      [1, 0.95, 0.891, 0.797, 0.784],
    ])
    await publishRows(tools, [tenant, 'games', version], rowsOf(columns, rows))
  }
  tools.close()
}

function playerId(player: number): string {
  return String(100_000 + player * 7)
}

async function startTargets(): Promise<Target[]> {
  const key = await loadDevelopmentKey(keyFile)
  const tokens = await Promise.all(
    Array.from({ length: players }, (_, player) =>
      signDevelopmentToken({
        key,
        tenantId: tenant,
        claims: { sub: playerId(player), model: 'games' },
        lifetimeSeconds: 3_600,
      }),
    ),
  )
  const scriptFor = (name: string, accept: string) =>
    writeLoadScript(
      directory,
      name,
      tokens.map((token) => ({ Accept: accept, Authorization: `Bearer ${token}` })),
    )
  const packed = await scriptFor('packed', 'application/vnd.recgate.packed')
  const json = await scriptFor('json', 'application/json')
  const empty = await start(['empty'])
  const gateway = await start(['gateway', redis.url, keyFile])
  return [
    { name: 'empty route', script: packed, ...empty },
    { name: 'gateway, packed', script: packed, ...gateway },
    { name: 'gateway, JSON', script: json, ...gateway },
  ]
}

async function start(parameters: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(new URL('./target.ts', import.meta.url), parameters, { execArgv: [] })
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  return { child, url }
}

async function cpuMicroseconds(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [message] = (await once(child, 'message')) as [{ cpuMicroseconds: number }]
  return message.cpuMicroseconds
}

async function measure(): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(targets.map(({ name }) => [name, []]))
  for (const { url, script } of targets) await runLoad(url, script, { seconds: 2, connections })
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    note(`repetition ${repetition} of ${repetitions}`)
    for (const { name, child, url, script } of targets) {
      const before = await cpuMicroseconds(child)
      const load = await runLoad(url, script, { seconds, connections })
      if (load.notOk > 0) throw new Error(`${name}: ${load.notOk} requests failed`)
      const cpuMicrosecondsPerRequest = ((await cpuMicroseconds(child)) - before) / load.requests
      samples.get(name)!.push({ ...load, cpuMicrosecondsPerRequest })
    }
  }
  return samples
}

async function report(samples: ReadonlyMap<string, readonly Sample[]>): Promise<void> {
  const rival = samples.get('empty route')!
  const rows = [...samples].map(([name, all]) => {
    const ratio = all.map((sample, index) => sample.requestsPerSecond / rival[index]!.requestsPerSecond)
    const cpuRatio = all.map(
      (sample, index) => rival[index]!.cpuMicrosecondsPerRequest / sample.cpuMicrosecondsPerRequest,
    )
    return [
      name,
      Math.round(median(all.map((sample) => sample.requestsPerSecond))).toString(),
      range(ratio),
      median(all.map((sample) => sample.cpuMicrosecondsPerRequest)).toFixed(1),
      range(cpuRatio),
      median(all.map((sample) => sample.p99Ms)).toFixed(2),
    ]
  })
  print(
    `${redis.engine}; Node ${process.version}; ${cpus().length} × ${cpus()[0]?.model}; ` +
      `${repetitions} repetitions of ${seconds} s, ${connections} connections, ${players} players; medians, (range)`,
  )
  printTable(['TARGET', 'REQUESTS/S', 'OF EMPTY', 'CPU µs', 'OF EMPTY BY CPU', 'P99 ms'], rows)
}
