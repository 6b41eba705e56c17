import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { note } from '../../../src/commands/output.ts'
import { bucketCount, bucketOf } from '../../../src/domain/row-key.ts'
import { openRows } from '../../../src/sources/duckdb-source.ts'
import { median, range } from '../statistics.ts'
import { idOfRow, makeParquet, numericId } from './bench-studio.ts'
import type { BenchSite } from './site.ts'
import type { Table } from './table.ts'

/**
 * From Parquet to an active table, against what `redis-cli --pipe` loads in the same run from commands that were made
 * beforehand, and against a loader that writes one hash a player. Interleaved repetitions, so that what else the machine
 * does falls on all of them.
 */
export async function measureLoaders(site: BenchSite, rows: number, repetitions: number): Promise<Table> {
  const rivals = await makeRivals(site, rows)
  const rates = new Map<string, number[]>(rivals.map(({ name }) => [name, []]))
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    note(repetition === 0 ? 'loaders: warming up' : `loaders: repetition ${repetition} of ${repetitions}`)
    for (const rival of rivals) {
      await site.reset()
      const startedAt = performance.now()
      await rival.load()
      const rate = rival.rows / ((performance.now() - startedAt) / 1000)
      if (repetition > 0) rates.get(rival.name)!.push(rate)
    }
  }
  const [own] = rates.values()
  return {
    head: [`${rows} rows, ${repetitions} repetitions`, 'rows a second', 'recgate is so many times as fast'],
    rows: [...rates].map(([name, all]) => [
      name,
      Math.round(median(all)).toLocaleString('en'),
      range(own!.map((rate, index) => rate / all[index]!)),
    ]),
  }
}

interface Rival {
  readonly name: string
  readonly rows: number
  load(): Promise<unknown>
}

const recordBytes = 20

async function makeRivals(site: BenchSite, rows: number): Promise<readonly Rival[]> {
  /** The hash-a-player loader is slow, and its rows a second don't depend on how many there are. */
  const loaderRows = Math.min(rows, 200_000)
  const { directory, hands, url } = site
  const parquet = await makeParquet(directory, 'numeric', rows, numericId)
  const few = await makeParquet(directory, 'few', loaderRows, numericId)
  const oneField = await makeCommands(directory, 'one-field', rows, 1)
  const eightyFields = await makeCommands(directory, 'eighty-fields', rows, 80)
  return [
    { name: 'recgate publish, Parquet to active', rows, load: () => site.publishFile(parquet) },
    { name: 'redis-cli --pipe, one-field HSETs', rows, load: () => pipe(url, oneField) },
    { name: 'redis-cli --pipe, 80-field HSETs', rows, load: () => pipe(url, eightyFields) },
    { name: 'one hash a player, ioredis pipeline', rows: loaderRows, load: () => writeHashes(hands, few) },
  ]
}

/** Commands as bytes in a file, made beforehand: what is measured is loading alone. */
async function makeCommands(directory: string, name: string, rows: number, fields: number): Promise<string> {
  const buckets = bucketCount(rows)
  const record = 'r'.repeat(recordBytes)
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
  let text = ''
  for (let first = 0; first < rows; first += fields) {
    const count = Math.min(fields, rows - first)
    const ids = Array.from({ length: count }, (_, index) => idOfRow(first + index))
    const bucket = fields === 1 ? bucketOf(ids[0]!, buckets) : first / fields
    text += `*${2 + count * 2}\r\n${bulk('HSET')}${bulk(`rg:t:bench:games:1:${bucket}`)}`
    for (const id of ids) text += bulk(id) + bulk(record)
  }
  const file = join(directory, `${name}.resp`)
  await writeFile(file, text)
  return file
}

async function pipe(url: string, file: string): Promise<void> {
  const { port } = new URL(url)
  const child = spawn('redis-cli', ['-p', port, '--pipe'], { stdio: ['pipe', 'ignore', 'inherit'] })
  createReadStream(file).pipe(child.stdin)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`redis-cli --pipe ended with ${code}`)
}

/** What spark-redis does: a hash a player, each column a field of text. */
export async function writeHashes(client: Redis, file: string): Promise<void> {
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
