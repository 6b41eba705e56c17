import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, quotedString } from '@duckdb/node-api'
import { Redis } from 'ioredis'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import { note, print, printTable } from '../../src/commands/output.ts'
import { publishWith } from '../../src/commands/publish.ts'
import type { Tools } from '../../src/compose.ts'
import { bucketCount, bucketOf } from '../../src/domain/row-key.ts'
import { openRows } from '../../src/sources/duckdb-source.ts'
import { applyDocument, testTools } from '../support/studio.ts'
import { median, range } from './statistics.ts'

/**
 * `npm run bench:publish`: from Parquet to an active table, against what `redis-cli --pipe` loads in the same run from
 * commands that were made beforehand, and against a loader that writes one hash a player. Interleaved repetitions, so
 * that what else the machine does falls on all of them. Then what a row takes of Redis' memory.
 */

const repetitions = Number(process.env['BENCH_REPETITIONS'] ?? 5)
const rows = Number(process.env['BENCH_ROWS'] ?? 1_000_000)
/** The hash-a-player loader is slow, and its rows a second don't depend on how many there are. */
const loaderRows = Math.min(rows, 200_000)
const recordBytes = 20
const [tenant, model, version] = ['bench', 'games', 'itemcf'] as const

const numericId = '1000000000 + i * 7'
const uuid = `CAST(md5(i::VARCHAR) AS VARCHAR)[1:8] || '-' || md5(i::VARCHAR)[9:12] || '-4' || md5(i::VARCHAR)[14:16] || '-8' || md5(i::VARCHAR)[18:20] || '-' || md5(i::VARCHAR)[21:32]`

interface Rival {
  readonly name: string
  readonly rows: number
  load(): Promise<void>
}

const directory = await mkdtemp(join(tmpdir(), 'recgate-bench-'))
const redis = await realRedis()
const tools = await testTools(redis.url)
const hands = new Redis(redis.url)
try {
  await report(await measure(await makeRivals()), await measureMemory())
} finally {
  hands.disconnect()
  tools.close()
  await redis.stop()
  await rm(directory, { recursive: true })
}

async function realRedis(): Promise<LocalRedis> {
  const binary = await findRedisServer()
  if (binary === null) throw new Error('benchmarks need a real Redis: install redis-server')
  return startRedisServer(binary)
}

/** Five ids, five scores, a percent and a time, as recommenders write them. */
async function makeParquet(name: string, count: number, playerId: string): Promise<string> {
  const file = join(directory, `${name}.parquet`)
  const list = (item: (index: number) => string) => `[${[1, 2, 3, 4, 5].map(item).join(', ')}]`
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (
    SELECT ${playerId} AS player_id,
      ${list((index) => `(hash(i * 5 + ${index}) % 4096)::INTEGER`)} AS games,
      ${list((index) => `round((hash(i * 7 + ${index}) % 1001) / 1000.0, 3)::DOUBLE`)} AS scores,
      round((hash(i) % 10001) / 100.0, 2)::DOUBLE AS percent,
      make_timestamp((1760000000000000 + (hash(i) % 8640) * 300000000)::BIGINT) AS played_at
    FROM range(${count}) numbers(i)) TO ${quotedString(file)} (FORMAT parquet)`)
  connection.closeSync()
  instance.closeSync()
  return file
}

async function applyTenant(to: Tools): Promise<void> {
  await applyDocument(to, {
    format: 1,
    tenant,
    issuers: [],
    models: {
      [model]: {
        key: [{ claim: 'sub', column: 'player_id' }],
        record: {
          games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
          scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
          percent: { type: 'fixed', min: 0, max: 100, step: 0.01 },
          played_at: { type: 'timestamp', from: '2025-01-01T00:00:00Z', resolutionSeconds: 300, bits: 24 },
        },
        default: 'none',
        versions: [version],
        control: version,
        weights: { [version]: 100 },
      },
    },
  })
}

async function publishFile(file: string): Promise<void> {
  const report = await publishWith(tools, [file], {
    tenant,
    model,
    version,
    sql: undefined,
    maxBadRows: 0,
    who: 'bench',
    why: 'bench',
  })
  if (Math.round(report.bytes / report.rows) > 60) throw new Error('rows are larger than this bench expects')
}

async function makeRivals(): Promise<readonly Rival[]> {
  const parquet = await makeParquet('numeric', rows, numericId)
  const few = await makeParquet('few', loaderRows, numericId)
  const oneField = await makeCommands('one-field', 1)
  const eightyFields = await makeCommands('eighty-fields', 80)
  return [
    { name: 'recgate publish, Parquet to active', rows, load: () => publishFile(parquet) },
    { name: 'redis-cli --pipe, one-field HSETs', rows, load: () => pipe(oneField) },
    { name: 'redis-cli --pipe, 80-field HSETs', rows, load: () => pipe(eightyFields) },
    { name: 'one hash a player, ioredis pipeline', rows: loaderRows, load: () => writeHashes(few) },
  ]
}

/** Commands as bytes in a file, made beforehand: what is measured is loading alone. */
async function makeCommands(name: string, fields: number): Promise<string> {
  const buckets = bucketCount(rows)
  const record = 'r'.repeat(recordBytes)
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
  let text = ''
  for (let first = 0; first < rows; first += fields) {
    const count = Math.min(fields, rows - first)
    const ids = Array.from({ length: count }, (_, index) => String(1_000_000_000 + (first + index) * 7))
    const bucket = fields === 1 ? bucketOf(ids[0]!, buckets) : first / fields
    text += `*${2 + count * 2}\r\n${bulk('HSET')}${bulk(`rg:t:bench:games:1:${bucket}`)}`
    for (const id of ids) text += bulk(id) + bulk(record)
  }
  const file = join(directory, `${name}.resp`)
  await writeFile(file, text)
  return file
}

async function pipe(file: string): Promise<void> {
  const { port } = new URL(redis.url)
  const child = spawn('redis-cli', ['-p', port, '--pipe'], { stdio: ['pipe', 'ignore', 'inherit'] })
  createReadStream(file).pipe(child.stdin)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`redis-cli --pipe ended with ${code}`)
}

/** What spark-redis does: a hash a player, each column a field of text. */
async function writeHashes(file: string, client = hands): Promise<void> {
  const source = await openRows([file])
  for await (const { rowCount, columns } of source.batches()) {
    const pipeline = client.pipeline()
    const [id, games, scores, percent, playedAt] = columns
    for (let row = 0; row < rowCount; row++) {
      const fields = [
        'percent',
        String(percent!.at(row)),
        'played_at',
        (playedAt!.at(row) as Date).toISOString(),
      ]
      for (const [index, game] of (games!.at(row) as readonly number[]).entries())
        fields.push(`game_${index + 1}`, String(game))
      for (const [index, score] of (scores!.at(row) as readonly number[]).entries())
        fields.push(`score_${index + 1}`, String(score))
      pipeline.hset(`player:${id!.at(row)}`, ...fields)
    }
    await pipeline.exec()
  }
  await source.close()
}

async function measure(rivals: readonly Rival[]): Promise<ReadonlyMap<string, readonly number[]>> {
  const rates = new Map<string, number[]>(rivals.map(({ name }) => [name, []]))
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    note(repetition === 0 ? 'warming up' : `repetition ${repetition} of ${repetitions}`)
    for (const rival of rivals) {
      await hands.flushall('SYNC')
      await applyTenant(tools)
      const startedAt = performance.now()
      await rival.load()
      const rate = rival.rows / ((performance.now() - startedAt) / 1000)
      if (repetition > 0) rates.get(rival.name)!.push(rate)
    }
  }
  return rates
}

interface MemoryRow {
  readonly layout: string
  readonly bytesPerRow: number
}

/** Redis' own account of its memory, before and after. */
async function measureMemory(): Promise<readonly MemoryRow[]> {
  const measured: MemoryRow[] = []
  for (const [name, playerId] of [
    ['numeric ids', numericId],
    ['UUIDs', uuid],
  ] as const) {
    const file = await makeParquet('memory', loaderRows, playerId)
    for (const [layout, load] of [
      [`packed in buckets, ${name}`, publishFile],
      [`one hash a player, ${name}`, writeHashes],
    ] as const) {
      await hands.flushall('SYNC')
      await applyTenant(tools)
      const before = await usedMemory()
      await load(file)
      measured.push({ layout, bytesPerRow: ((await usedMemory()) - before) / loaderRows })
    }
  }
  return measured
}

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await hands.info('memory'))?.[1])
}

async function report(
  rates: ReadonlyMap<string, readonly number[]>,
  memory: readonly MemoryRow[],
): Promise<void> {
  const [own, ...rivals] = [...rates]
  print(
    `${redis.engine}; Node ${process.version}; ${cpus().length} × ${cpus()[0]?.model}; ${rows} rows, ` +
      `${repetitions} repetitions; medians, (range)`,
  )
  const ratio = (all: readonly number[]) => range(own![1].map((rate, index) => rate / all[index]!))
  printTable(
    ['LOADER', 'ROWS/S', 'RECGATE IS SO MANY TIMES AS FAST'],
    [own!, ...rivals].map(([name, all]) => [name, Math.round(median(all)).toString(), ratio(all)]),
  )
  printTable(
    ['LAYOUT', 'BYTES A ROW'],
    memory.map(({ layout, bytesPerRow }) => [layout, bytesPerRow.toFixed(1)]),
  )
}
