import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type SilenceWatch, watchSilence } from '../../../src/redis/silence-watch.ts'

/** What the watch looks at, of ioredis' connections. */
class Connection {
  status = 'ready'
  commandQueue = { length: 0 }
  endedAfterMs: number | null = null
  readonly #madeAt = performance.now()
  stream = {
    bytesRead: 0,
    destroy: () => {
      this.endedAfterMs = performance.now() - this.#madeAt
      this.status = 'close'
    },
  }
}

let connections: Connection[]
let watch: SilenceWatch

beforeEach(() => {
  vi.useFakeTimers()
  connections = []
  watch = watchSilence(() => connections as unknown as Redis[])
})
afterEach(() => {
  watch.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** One that owes an answer from now on. */
function owing(): Connection {
  const connection = new Connection()
  connection.commandQueue.length = 1
  connections.push(connection)
  return connection
}

const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** When a connection is ended that owes an answer from now on, and says nothing. */
async function endOfSilence(status = 'ready'): Promise<number> {
  const connection = owing()
  connection.status = status
  for (let waitedMs = 0; connection.endedAfterMs === null && waitedMs < 60_000; waitedMs += 50)
    await passes(50)
  return connection.endedAfterMs ?? Number.POSITIVE_INFINITY
}

function expectAbout(foundMs: number, ms: number): void {
  expect(foundMs).toBeGreaterThanOrEqual(ms)
  expect(foundMs).toBeLessThanOrEqual(ms + 110)
}

test('250 ms of silence while an answer is due end a connection, and half a second one that is being made', async () => {
  watch.given(50)
  expectAbout(await endOfSilence(), 250)
  expectAbout(await endOfSilence('connect'), 500)
})

test('each connection is judged by itself', async () => {
  const [silent, busy, idle] = [owing(), owing(), owing()]
  idle.commandQueue.length = 0
  for (let round = 0; round < 100; round++) {
    busy.stream.bytesRead += 100
    await passes(200)
  }
  expectAbout(silent.endedAfterMs!, 250)
  expect([busy.endedAfterMs, idle.endedAfterMs]).toEqual([null, null])
})

test('silence begins when an answer is due, and again with each byte', async () => {
  const connection = owing()
  await passes(200)
  connection.commandQueue.length = 0
  await passes(60)
  connection.commandQueue.length = 1
  await passes(200)
  connection.stream.bytesRead++
  await passes(200)
  expect(connection.endedAfterMs).toBe(null)
  await passes(160)
  expect(connection.endedAfterMs).not.toBe(null)
})

test('reads that are given longer have it, also from a connection that is being made, and ten seconds at most', async () => {
  watch.given(1_000)
  watch.given(50)
  expectAbout(await endOfSilence(), 1_000)
  expectAbout(await endOfSilence('connect'), 1_000)
  watch.given(Number.POSITIVE_INFINITY)
  expectAbout(await endOfSilence(), 10_000)
})

test('what was given is remembered for as long as any read can wait, and not for ever', async () => {
  await passes(9_900)
  watch.given(10_000)
  expectAbout(await endOfSilence(), 10_000)
  await passes(20_000)
  expectAbout(await endOfSilence(), 250)
})

test('time in which this process stands still is nobody’s silence', async () => {
  const connection = owing()
  await passes(100)
  const now = performance.now.bind(performance)
  let stoodMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + stoodMs)
  for (let round = 0; round < 2; round++) {
    stoodMs += 400
    await passes(50)
  }
  expect(connection.endedAfterMs).toBe(null)
  await passes(150)
  expect(connection.endedAfterMs).not.toBe(null)
})

test('stopped, it looks no more', async () => {
  watch.stop()
  const connection = owing()
  await passes(60_000)
  expect(connection.endedAfterMs).toBe(null)
})
