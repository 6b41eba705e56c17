import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import { type RedisClient, redisReady } from '../../src/redis/client.ts'
import type { RedisRole } from '../../src/redis/client-options.ts'
import type { RecordReader, RecordReadResult } from '../../src/serving/ports.ts'
import { control, own, type Rows, shown, writeTable } from './tables.ts'
import type { TcpProxy, Weather } from './tcp-proxy.ts'
import { until } from './until.ts'

/** Reads whose records name their rows, so that a reply that went to another read shows. */

const count = 1_000

export interface TaggedTables {
  readonly own: ActiveTable
  readonly control: ActiveTable
}

/** Every third row is in control's table alone. */
export async function writeTaggedTables(client: RedisClient, buckets: number): Promise<TaggedTables> {
  const [ofOwn, ofControl]: Record<string, Uint8Array>[] = [{}, {}]
  for (let index = 0; index < count; index++) {
    if (index % 3 !== 0) ofOwn![`row-${index}`] = Buffer.from(`own ${index}`)
    ofControl![`row-${index}`] = Buffer.from(`control ${index}`)
  }
  const write = (rows: Rows) => writeTable(client, rows, buckets)
  return { own: await write(ofOwn!), control: await write(ofControl!) }
}

/**
 * 1,000 reads, in turns of the event loop whose replies overlap. `deadlineMs` is each read's; client's deadlines come in
 * between where they are short, so that late replies arrive among those that are waited for. Redis is given
 * `modelDeadlineMs` for each.
 */
async function readAtOnce(
  reader: RecordReader,
  tables: TaggedTables,
  deadlineMs: (index: number) => number,
  modelDeadlineMs: number,
): Promise<RecordReadResult[]> {
  const results: Promise<RecordReadResult>[] = []
  for (let index = 0; index < count; index++) {
    const now = performance.now()
    results.push(
      reader.read({ rowKey: `row-${index}`, ...tables }, now + deadlineMs(index), now + modelDeadlineMs),
    )
    if (index % 50 === 49) await pause(0)
  }
  return Promise.all(results)
}

/** How many reads had their record; any other record than the read's own fails the test. */
function countOwn(results: readonly RecordReadResult[]): number {
  const expected = (index: number) =>
    index % 3 === 0 ? control(`control ${index}`, 'unknown-row') : own(`own ${index}`)
  let answered = 0
  for (const [index, result] of results.entries()) {
    const answer = shown(result)
    if (answer.from !== 'none') {
      answered++
      // In Cluster control's row stands in where the own one's node is away.
      if (result.from === 'control' && result.cause === 'store')
        expect(answer).toEqual(control(`control ${index}`, 'store'))
      else expect(answer).toEqual(expected(index))
    } else expect(['store', 'deadline']).toContain(answer.cause)
  }
  return answered
}

interface BadNetwork {
  readonly name: string
  /** The time-outs of `reads` are meant for Redis, and would also meet a machine that is busy with tests. */
  readonly role: RedisRole
  readonly weather: Weather | null
  readonly deadlineMs: (index: number) => number
  /** Connections that are silent for as long are given up. */
  readonly modelDeadlineMs: number
  /** What the connections meet while reads are under way. */
  readonly meanwhile?: (proxy: TcpProxy) => void
  readonly rounds: number
  readonly expectAnswered: (answered: number) => void
}

const long = () => 20_000
const someShort = (index: number) => (index % 4 === 0 ? 1 + (index % 20) : 20_000)

export const badNetworks: readonly BadNetwork[] = [
  {
    name: 'replies in slices of 1 to 3 bytes',
    role: 'tables',
    weather: { sliceBytesMax: 3 },
    deadlineMs: long,
    modelDeadlineMs: 40_000,
    rounds: 1,
    expectAnswered: (answered) => expect(answered).toBe(count),
  },
  {
    name: 'sliced replies that are held up at random, past the deadlines of some',
    role: 'tables',
    weather: { sliceBytesMax: 64, delayMs: () => Math.random() * 60 },
    deadlineMs: someShort,
    modelDeadlineMs: 40_000,
    rounds: 3,
    expectAnswered: (answered) => {
      expect(answered).toBeGreaterThanOrEqual((3 * count * 3) / 4)
      expect(answered).toBeLessThan(3 * count)
    },
  },
  {
    name: 'connections that are reset in the midst of a reply',
    role: 'reads',
    weather: { sliceBytesMax: 200, resetChance: 0.03, delayMs: () => Math.random() * 5 },
    deadlineMs: someShort,
    modelDeadlineMs: 40_000,
    rounds: 10,
    expectAnswered: (answered) => {
      expect(answered).toBeGreaterThan(0)
      expect(answered).toBeLessThan(10 * count)
    },
  },
  {
    name: 'connections that are forgotten half-way, and replies held up before',
    role: 'reads',
    weather: { sliceBytesMax: 64, delayMs: () => 10 },
    deadlineMs: (index) => (index % 4 === 0 ? 5 : 500),
    modelDeadlineMs: 1_000,
    meanwhile: (proxy) => setTimeout(proxy.forgetOpenOnes, 15),
    rounds: 3,
    expectAnswered: (answered) => expect(answered).toBeLessThan(3 * count),
  },
]

/** Rounds of reads through proxies: each answer is the read's own, or none, and in the end everything is read again. */
export async function expectOwnAnswers(
  { weather, deadlineMs, modelDeadlineMs, meanwhile, rounds, expectAnswered }: BadNetwork,
  {
    proxies,
    ...read
  }: { proxies: readonly TcpProxy[]; client: RedisClient; reader: RecordReader; tables: TaggedTables },
): Promise<void> {
  const { client, reader, tables } = read
  let answered = 0
  for (let round = 0; round < rounds; round++) {
    await redisReady(client, 10_000)
    for (const proxy of proxies) {
      proxy.setWeather(weather)
      meanwhile?.(proxy)
    }
    answered += countOwn(await readAtOnce(reader, tables, deadlineMs, modelDeadlineMs))
    for (const proxy of proxies) proxy.setWeather(null)
    await until('every row is read again', async () => {
      await pause(0)
      return countOwn(await readAtOnce(reader, tables, long, modelDeadlineMs)) === count
    })
  }
  expectAnswered(answered)
}
