import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { BreakerEvent } from '../../../src/redis/breaker-event.ts'
import { createNodeBreaker, type NodeBreaker, type Outcome } from '../../../src/redis/node-breaker.ts'

let events: BreakerEvent[]
/** What a probe meets from now on; null: no connection. */
let probed: (() => Outcome) | null
let probes: number[]
let breaker: NodeBreaker
/** Time by which this process didn't turn. */
let stoodMs: number

const answered = async () => null
const failed = async () => 'LOADING Redis is loading the dataset in memory'

/** Resolves after so long, as a reply that takes its time. */
const answeredAfter = (ms: number) => new Promise<null>((resolve) => setTimeout(() => resolve(null), ms))

beforeEach(() => {
  vi.useFakeTimers()
  ;[events, probes, probed, stoodMs] = [[], [], failed, 0]
  const probe = () => {
    if (probed === null) return null
    probes.push(performance.now())
    return probed()
  }
  breaker = createNodeBreaker('127.0.0.1:6379', probe, {
    clock: () => performance.now(),
    turningMs: () => performance.now() - stoodMs,
    report: (event) => void events.push(event),
  })
})

afterEach(() => {
  breaker.stop()
  vi.useRealTimers()
})

/** Sent one after the other, `everyMs` apart. */
async function observe(count: number, outcome: () => Outcome, everyMs = 0, deadlineMs = 50): Promise<void> {
  for (let index = 0; index < count; index++) {
    breaker.observe(outcome(), performance.now() + deadlineMs)
    await vi.advanceTimersByTimeAsync(everyMs)
  }
}

async function open(): Promise<void> {
  await observe(5, failed)
  expect(breaker.isOpen).toBe(true)
}

describe('it opens', () => {
  test('at five failures, where nothing else was sent, and says once why', async () => {
    await observe(4, failed)
    expect(breaker.isOpen).toBe(false)
    await observe(1, failed)
    expect(breaker.isOpen).toBe(true)
    await observe(5, failed)
    const reason = 'LOADING Redis is loading the dataset in memory'
    expect(events).toEqual([{ event: 'opened', node: '127.0.0.1:6379', reason }])
  })

  test('when more than half of a second’s calls failed, and not before', async () => {
    await observe(100, answered, 5)
    await observe(90, failed, 5)
    expect(breaker.isOpen).toBe(false)
    await observe(30, failed, 5)
    expect(breaker.isOpen).toBe(true)
  })

  test('not by failures that lie longer back', async () => {
    await observe(4, failed)
    await vi.advanceTimersByTimeAsync(600_000)
    await observe(4, failed)
    expect(breaker.isOpen).toBe(false)
    await observe(1, failed)
    expect(breaker.isOpen).toBe(true)
  })

  test('whatever becomes of the wall clock', async () => {
    await observe(1_000, answered, 5)
    vi.setSystemTime(Date.now() - 3_600_000)
    await observe(150, failed, 5)
    expect(breaker.isOpen).toBe(true)
  })

  test('not by a hiccup of 100 ms', async () => {
    for (let second = 0; second < 5; second++) {
      await observe(180, answered, 5)
      await observe(20, failed, 5)
    }
    expect(breaker.isOpen).toBe(false)
  })
})

describe('an answer is late', () => {
  test.each([
    ['the model’s deadline', 50, 49, false],
    ['the model’s deadline', 50, 60, true],
    ['a longer one', 200, 190, false],
    ['a longer one', 200, 210, true],
    // One model with a short deadline takes nothing from the others of its Redis.
    ['50 ms where the model gives less', 10, 45, false],
    ['50 ms where the model gives less', 10, 60, true],
  ])('by %s: %i ms, taking %i', async (_, deadlineMs, tookMs, isLate) => {
    await observe(5, () => answeredAfter(tookMs), 0, deadlineMs)
    await vi.advanceTimersByTimeAsync(300)
    expect(events.some(({ event }) => event === 'opened')).toBe(isLate)
    if (isLate) expect(events[0]).toMatchObject({ reason: `answers take ${tookMs} ms` })
  })

  test('not because this process didn’t turn', async () => {
    await observe(5, () => answeredAfter(100))
    stoodMs = 60
    await vi.advanceTimersByTimeAsync(300)
    expect(breaker.isOpen).toBe(false)
  })
})

describe('open', () => {
  test('it sends probes, longer apart each time and at most a second', async () => {
    await open()
    const openedAt = performance.now()
    await vi.advanceTimersByTimeAsync(10_000)
    const pauses = probes.map((at, index) => at - (probes[index - 1] ?? openedAt))
    const bounds = [100, 200, 400, 800, ...pauses.slice(4).map(() => 1_000)]
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(bounds[index]! / 2)
      expect(pause).toBeLessThanOrEqual(bounds[index]!)
    }
    expect(probes.length).toBeGreaterThanOrEqual(11)
    expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(4)
    expect(events).toHaveLength(1)
  })

  test('the first answer closes it, and nothing is probed any more', async () => {
    await open()
    probed = answered
    await vi.advanceTimersByTimeAsync(100)
    expect(breaker.isOpen).toBe(false)
    expect(events[1]).toMatchObject({ event: 'closed', node: '127.0.0.1:6379' })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(probes).toHaveLength(1)
  })

  test('what was counted before it closed is forgotten, and the probe counts as answered', async () => {
    await open()
    probed = answered
    await vi.advanceTimersByTimeAsync(100)
    await observe(3, failed)
    expect(breaker.isOpen).toBe(false)
    await observe(1, failed)
    expect(breaker.isOpen).toBe(true)
  })

  test('an answer that takes longer than those reads waited doesn’t', async () => {
    await observe(4, answered, 0, 10_000)
    await observe(5, failed)
    expect(breaker.isOpen).toBe(true)
    probed = () => answeredAfter(60)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(breaker.isOpen).toBe(true)
  })

  test('one that takes no longer than the reads waited that failed does', async () => {
    await observe(5, failed, 0, 200)
    probed = () => answeredAfter(150)
    await vi.advanceTimersByTimeAsync(500)
    expect(breaker.isOpen).toBe(false)
  })

  test('one probe at a time, however long it takes', async () => {
    await open()
    const { promise, resolve } = Promise.withResolvers<null>()
    probed = () => promise
    await vi.advanceTimersByTimeAsync(60_000)
    breaker.reached()
    expect(probes).toHaveLength(1)
    probed = answered
    resolve(null)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(probes).toHaveLength(2)
    expect(breaker.isOpen).toBe(false)
  })

  test('a new connection is probed at once', async () => {
    await open()
    probed = null
    await vi.advanceTimersByTimeAsync(5_000)
    expect([probes.length, breaker.isOpen]).toEqual([0, true])
    probed = answered
    breaker.reached()
    await vi.advanceTimersByTimeAsync(0)
    expect([probes.length, breaker.isOpen]).toEqual([1, false])
  })

  test('a wall clock that is set back doesn’t keep it so', async () => {
    await open()
    vi.setSystemTime(Date.now() - 3_600_000)
    probed = answered
    await vi.advanceTimersByTimeAsync(100)
    expect(breaker.isOpen).toBe(false)
  })

  test('outcomes of what was sent before don’t close it', async () => {
    breaker.observe(answeredAfter(20), performance.now() + 50)
    await open()
    await vi.advanceTimersByTimeAsync(40)
    expect(breaker.isOpen).toBe(true)
  })

  test('stopped, it asks no more', async () => {
    await open()
    breaker.stop()
    breaker.reached()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(probes).toEqual([])
  })
})
