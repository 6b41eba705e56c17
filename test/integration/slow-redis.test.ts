import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findRedisServer, type LocalRedis, startRedisServer } from '../../src/commands/local-redis.ts'
import type { ActiveTable } from '../../src/domain/snapshot.ts'
import type { BreakerEvent } from '../../src/redis/breaker-event.ts'
import { redisReady } from '../../src/redis/client.ts'
import { createRecordReader, type GuardedRecordReader } from '../../src/redis/record-reader.ts'
import type { RecordReadResult } from '../../src/serving/ports.ts'
import { singleClient } from '../support/redis-clients.ts'
import { none, writeTable } from '../support/tables.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const binary = await findRedisServer()
if (binary === null) process.stderr.write('tests: a slow Redis is skipped; install redis-server\n')

const modelDeadlineMs = 50

/** Each read is of another row: those of one row at one time would share an answer. */
const rowCount = 2_000
const rowKeyOf = (index: number) => `row-${index % rowCount}`
let asked = 0

describe.skipIf(binary === null)('a Redis that fails reads', () => {
  let redis: LocalRedis
  let proxy: TcpProxy
  let hands: Redis
  let pid: number
  let table: ActiveTable
  let reads: Redis
  let reader: GuardedRecordReader
  let events: BreakerEvent[]

  beforeAll(async () => {
    redis = await startRedisServer(binary!)
    hands = singleClient('tables', redis.url)
    await redisReady(hands, 10_000)
    pid = Number(/^process_id:(\d+)/m.exec(await hands.info('server'))?.[1])
    const rowKeys = Array.from({ length: rowCount }, (_, index) => rowKeyOf(index))
    table = await writeTable(
      hands,
      Object.fromEntries(rowKeys.map((rowKey) => [rowKey, Buffer.from(rowKey)])),
    )
  })
  beforeEach(async () => {
    proxy = await startTcpProxy(Number(new URL(redis.url).port))
    reads = singleClient('reads', `redis://127.0.0.1:${proxy.port}`)
    events = []
    reader = createRecordReader(reads, { report: (event) => void events.push(event) })
    await redisReady(reads, 10_000)
    await untilReadAgain()
  })
  afterEach(async () => {
    process.kill(pid, 'SIGCONT')
    reads.disconnect()
    await proxy.stop()
  })
  afterAll(async () => {
    hands.disconnect()
    await redis.stop()
  })

  const rowOf = (index: number) => ({ rowKey: rowKeyOf(index), own: table, control: null })

  function read(deadlineMs = modelDeadlineMs, ofModelMs = deadlineMs): Promise<RecordReadResult> {
    const now = performance.now()
    return reader.read(rowOf(asked++), now + deadlineMs, now + ofModelMs)
  }

  /** Five reads every few milliseconds, until something is so. */
  async function readUntil(what: string, condition: () => boolean, ...deadlines: number[]) {
    const results: Promise<RecordReadResult>[] = []
    await until(what, () => {
      for (let index = 0; index < 5; index++) results.push(read(...deadlines))
      return condition()
    })
    return Promise.all(results)
  }

  const sharesOf = (results: readonly RecordReadResult[]) => {
    const share = (fits: (result: RecordReadResult) => boolean) =>
      results.filter(fits).length / results.length
    return {
      own: share(({ from }) => from === 'own'),
      deadline: share((result) => result.from === 'none' && result.cause === 'deadline'),
    }
  }
  const isOpen = () => reader.breakers.nodes().every((node) => node.isOpen)
  const forMs = (ms: number) => {
    const endAt = performance.now() + ms
    return () => performance.now() > endAt
  }
  /** Not by a deadline: these reads have none. */
  const expectStoreAtOnce = async () => {
    const results = await Promise.all(
      Array.from({ length: 100 }, () => read(Number.POSITIVE_INFINITY, modelDeadlineMs)),
    )
    expect(results).toEqual(results.map(() => none('store')))
  }
  const untilReadAgain = () =>
    until('it is read again', async () => {
      await pause(1)
      return (await read(10_000, modelDeadlineMs)).from === 'own'
    })
  const queuesOf = (client: Redis) =>
    client as unknown as Record<'commandQueue' | 'offlineQueue', { readonly length: number }>

  test('30 ms later than usual serves within the deadline', async () => {
    proxy.setWeather({ delayMs: () => 30 })
    const results = await readUntil('a second is over', forMs(1_000))
    expect(sharesOf(results).own).toBeGreaterThan(0.5)
    expect(events).toEqual([])
  })

  test('30 ms later than usual is not too slow because clients wait for less', async () => {
    proxy.setWeather({ delayMs: () => 30 })
    const results = await readUntil('a second is over', forMs(1_200), 5, modelDeadlineMs)
    expect(sharesOf(results).deadline).toBeGreaterThan(0.9)
    expect(events).toEqual([])
  })

  test('100 ms later than usual costs reads nothing any more after a second, but for a probe now and then', async () => {
    proxy.setWeather({ delayMs: () => 100 })
    await readUntil('the breaker opens', isOpen)
    expect(events).toMatchObject([
      {
        event: 'opened',
        node: `127.0.0.1:${proxy.port}`,
        reason: expect.stringMatching(/^answers take [6-9]\d|\d{3} ms$/),
      },
    ])
    // What was sent before has been answered by now.
    await hands.ping()
    await hands.config('RESETSTAT')
    const results = await readUntil('a second and a half are over', forMs(1_500))
    expect(results).toEqual(results.map(() => none('store')))
    await expectStoreAtOnce()
    const calls = Number(/^cmdstat_evalsha_ro:calls=(\d+)/m.exec(await hands.info('commandstats'))?.[1] ?? 0)
    expect(calls).toBeGreaterThan(0)
    // With pauses from 50 ms to a second.
    expect(calls).toBeLessThan(20)
    expect(reader.breakers.opened()).toBe(1)

    proxy.setWeather(null)
    await untilReadAgain()
    expect(events[1]).toMatchObject({ event: 'closed', node: `127.0.0.1:${proxy.port}` })
    const after = await readUntil('half a second is over', forMs(500))
    expect(sharesOf(after).own).toBeGreaterThan(0.5)
  })

  test('500 ms later than usual soon costs reads nothing, and is read again afterwards', async () => {
    proxy.setWeather({ delayMs: () => 500 })
    await readUntil('it is given up', () => reads.status !== 'ready' || isOpen())
    const results = await readUntil('a second and a half are over', forMs(1_500))
    expect(sharesOf(results).deadline).toBeLessThan(0.2)
    await expectStoreAtOnce()
    proxy.setWeather(null)
    await untilReadAgain()
  })

  test('that hangs for 5 s is not stormed, and nothing waits for it', async () => {
    const before = proxy.connections()
    process.kill(pid, 'SIGSTOP')
    const results = await readUntil('it hung for 5 s', forMs(5_000))
    // One at a time, each given half a second to answer, with pauses in between: 10 at most, and 5 to 9 as a rule.
    expect(proxy.connections() - before).toBeGreaterThan(2)
    expect(proxy.connections() - before).toBeLessThanOrEqual(10)
    expect(sharesOf(results).own).toBeLessThan(0.05)
    expect(sharesOf(results).deadline).toBeLessThan(0.3)
    const { commandQueue, offlineQueue } = queuesOf(reads)
    expect(offlineQueue.length).toBe(0)
    // A handshake's INFO, or a probe.
    expect(commandQueue.length).toBeLessThan(5)
    process.kill(pid, 'SIGCONT')
    await untilReadAgain()
    expect(isOpen()).toBe(false)
  })

  test('300 ms later than usual serves those who have a second, also over a connection that is made anew', async () => {
    proxy.setWeather({ delayMs: () => 300 })
    const before = proxy.connections()
    for (let round = 0; round < 5; round++) {
      const results = await Promise.all(Array.from({ length: 20 }, () => read(1_000)))
      expect(results.map(({ from }) => from)).toEqual(results.map(() => 'own'))
    }
    expect(proxy.connections() - before).toBe(0)
    reads.disconnect(true)
    await until('the connection is lost', () => reads.status !== 'ready')
    await until('it is read again', async () => (await read(1_000)).from === 'own')
    expect(events).toEqual([])
  })

  test('that is forgotten by the network is given up when the longest that reads have is over', async () => {
    const lost = new Promise<number>((resolve) => reads.once('close', () => resolve(performance.now())))
    await read(1_000)
    const startedAt = performance.now()
    proxy.forgetOpenOnes()
    const long = read(1_000)
    const results = await readUntil('it is given up', () => reads.status !== 'ready')
    expect((await lost) - startedAt).toBeGreaterThan(900)
    expect(['deadline', 'store']).toContain(((await long) as { cause?: string }).cause)
    expect(sharesOf(results).own).toBe(0)
    expect(queuesOf(reads).commandQueue.length).toBeLessThan(5)
    await untilReadAgain()
  })

  test('because the user may not read is not asked on, and a PING would not say so', async () => {
    await hands.acl('SETUSER', 'default', '-evalsha_ro', '-eval_ro')
    try {
      await readUntil('the breaker opens', isOpen)
      expect(events).toEqual([
        {
          event: 'opened',
          node: `127.0.0.1:${proxy.port}`,
          reason: expect.stringMatching(/^NOPERM .*'evalsha_ro'/),
        },
      ])
      expect(await reads.ping()).toBe('PONG')
      await expectStoreAtOnce()
      expect(isOpen()).toBe(true)
    } finally {
      await hands.acl('SETUSER', 'default', '+evalsha_ro', '+eval_ro')
    }
    await untilReadAgain()
    expect(events[1]).toMatchObject({ event: 'closed' })
  })

  test('isn’t one where it is this process that doesn’t turn, and what has arrived by then is taken', async () => {
    // Without the proxy, which stands still with this process.
    const direct = createRecordReader(hands, { report: (event) => void events.push(event) })
    let taken = 0
    for (let round = 0; round < 10; round++) {
      const reading = direct.read(rowOf(round), performance.now() + modelDeadlineMs)
      // Sent by then, and not answered yet.
      await nextTurn()
      const isOver = forMs(120)
      while (!isOver());
      if ((await reading).from === 'own') taken++
    }
    // All of them, unless a busy machine gives Redis no turn in 120 ms.
    expect(taken).toBeGreaterThan(5)
    expect(events).toEqual([])
  })

  test('keeps its connection while it is this process that stands still, and the answer lies in the kernel', async () => {
    const direct = singleClient('reads', redis.url)
    try {
      await redisReady(direct, 10_000)
      let lost = 0
      direct.on('close', () => lost++)
      reader = createRecordReader(direct, { report: (event) => void events.push(event) })
      for (let round = 0; round < 5; round++) {
        const reading = read()
        // Sent by then, and not answered yet.
        await nextTurn()
        expect(queuesOf(direct).commandQueue.length).toBe(1)
        const isOver = forMs(400)
        while (!isOver());
        await reading
        await until('it is answered', () => queuesOf(direct).commandQueue.length === 0)
        expect(lost).toBe(0)
      }
      expect(events).toEqual([])
    } finally {
      direct.disconnect()
    }
  })

  test('of connections that break again and again is left alone until they don’t', async () => {
    proxy.setWeather({ resetChance: 1 })
    await readUntil('it is given up', () => reads.status !== 'ready' || isOpen())
    await expectStoreAtOnce()
    proxy.setWeather(null)
    await untilReadAgain()
  })
})
