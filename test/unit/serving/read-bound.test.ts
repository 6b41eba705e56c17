import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import { createReadBound, type ReadBound, type ReadPace } from '../../../src/serving/read-bound.ts'

/** One read after another. */
function reads(bound: ReadBound, count: number, pace: ReadPace): void {
  for (let read = 0; read < count; read++) {
    if (!bound.enter()) throw new Error('a read alone was shed')
    bound.leave(pace)
  }
}

/** How many can be in flight at one time; they stay there. */
function fill(bound: ReadBound): number {
  let entered = 0
  while (bound.enter()) entered++
  return entered
}

test('lets as many in as it says, and one more for each that leaves', () => {
  const bound = createReadBound(100)
  expect([bound.size(), fill(bound), bound.inFlight()]).toEqual([100, 100, 100])
  bound.leave('quick')
  expect(bound.inFlight()).toBe(99)
  expect([bound.enter(), bound.enter()]).toEqual([true, false])
})

test('a store that stays slow brings it down to the least, never further, and it comes back when the store is quick', () => {
  const bound = createReadBound(4_096)
  reads(bound, 10_000, 'slow')
  expect(bound.size()).toBe(limits.readsInFlightMin)
  reads(bound, 100_000, 'quick')
  expect(bound.size()).toBe(4_096)
})

test('it halves once for all reads that were under way', () => {
  const bound = createReadBound(4_096)
  expect(fill(bound)).toBe(4_096)
  for (let read = 0; read < 4_096; read++) bound.leave('slow')
  expect(bound.size()).toBe(2_048)
})

test('a few slow reads among quick ones are no reason to shrink', () => {
  const bound = createReadBound(1_000)
  for (let round = 0; round < 1_000; round++) {
    reads(bound, 5, 'quick')
    reads(bound, 4, 'slow')
  }
  expect(bound.size()).toBe(1_000)
})

test('reads that say nothing change nothing', () => {
  const bound = createReadBound(1_000)
  reads(bound, 10_000, 'neutral')
  expect(bound.size()).toBe(1_000)
})

describe('against a store that answers so many reads in the time they have', () => {
  /** Each round the store answers `capacity` reads quickly enough, if no more are in flight; all are slow otherwise. */
  function answeredInTime(bound: ReadBound, capacity: number, offered: number, rounds: number): number[] {
    return Array.from({ length: rounds }, () => {
      let entered = 0
      while (entered < offered && bound.enter()) entered++
      const pace = entered > capacity ? 'slow' : 'quick'
      for (let read = 0; read < entered; read++) bound.leave(pace)
      return pace === 'quick' ? entered : 0
    })
  }

  test.each([20, 150, 900])(
    '%i: most of that is used, where a bound that stays would answer none',
    (capacity) => {
      const rounds = answeredInTime(createReadBound(4_096), capacity, 10_000, 2_000)
      const mean = rounds.slice(200).reduce((sum, each) => sum + each, 0) / 1_800
      expect(mean).toBeGreaterThan(capacity * 0.5)
      expect(rounds.at(-1)).toBeLessThanOrEqual(capacity)
    },
  )
})

test('one that is smaller than the least stays as it is', () => {
  const bound = createReadBound(1)
  reads(bound, 100, 'slow')
  expect(bound.size()).toBe(1)
  reads(bound, 100, 'quick')
  expect(bound.size()).toBe(1)
})
