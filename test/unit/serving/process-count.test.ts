import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { countProcesses } from '../../../src/serving/process-count.ts'

const everyMs = 1_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A count whose beats find, one after the other, what stands there; an error is thrown. */
function scene(...beats: (number | Error)[]) {
  const [counts, forbidden, lived]: [number[], string[], number[]] = [[], [], []]
  let left = 0
  const count = countProcesses({
    roll: {
      async beat(liveMs) {
        lived.push(liveMs)
        const next = beats.shift() ?? 1
        if (next instanceof Error) throw next
        return next
      },
      async leave() {
        left++
      },
    },
    everyMs,
    onCount: (processes) => counts.push(processes),
    isForbidden: ({ message }) => message.startsWith('NOPERM'),
    onForbidden: ({ message }) => forbidden.push(message),
  })
  /** At most a quarter longer than `everyMs` lies between two beats. */
  const nextBeat = async () => {
    const before = lived.length
    await vi.advanceTimersByTimeAsync(everyMs * 0.75 - 1)
    expect(lived).toHaveLength(before)
    await vi.advanceTimersToNextTimerAsync()
    expect(lived).toHaveLength(before + 1)
  }
  return { count, counts, forbidden, lived, nextBeat, left: () => left }
}

test('knows how many live when it has started', async () => {
  const { count, counts, lived } = scene(3)
  expect(count.current()).toBe(1)
  await count.start()
  expect([count.current(), counts, lived]).toEqual([3, [3], [everyMs * limits.heartbeatsMissedMax]])
})

test('more are believed at once, fewer at the second beat, since a store that lost everything learns in between', async () => {
  const { count, counts, nextBeat } = scene(3, 1, 3, 4, 2, 2)
  await count.start()
  for (let beat = 0; beat < 3; beat++) await nextBeat()
  expect(counts).toEqual([3, 4])
  await nextBeat()
  expect(count.current()).toBe(4)
  await nextBeat()
  expect([count.current(), counts]).toEqual([2, [3, 4, 2]])
})

describe('a store that does not take it', () => {
  test('leaves the last known share, 1 at first', async () => {
    const away = new Error('Connection is closed.')
    const { count, counts, forbidden, nextBeat } = scene(away, 5, away, away, away)
    await count.start()
    expect(count.current()).toBe(1)
    for (let beat = 0; beat < 4; beat++) await nextBeat()
    expect([count.current(), counts, forbidden]).toEqual([5, [5], []])
  })

  test('because it is forbidden is told once, and again when it was allowed in between', async () => {
    const no = new Error("NOPERM this user has no permissions to run the 'zadd' command")
    const { count, forbidden, nextBeat } = scene(no, no, no, 2, no, no)
    await count.start()
    for (let beat = 0; beat < 5; beat++) await nextBeat()
    expect(forbidden).toEqual([no.message, no.message])
    expect(count.current()).toBe(2)
  })
})

test('says goodbye when it closes, and beats no more', async () => {
  const { count, lived, left } = scene()
  await count.start()
  await count.close()
  await vi.advanceTimersByTimeAsync(everyMs * 10)
  expect([lived.length, left()]).toEqual([1, 1])
})
