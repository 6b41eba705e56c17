import { describe, expect, test } from 'vitest'
import type { Allocation, SlotRange } from '../../../src/domain/allocation.ts'
import { appendAllocation, movedSlots, planAllocation } from '../../../src/domain/planner.ts'

type Weights = Record<string, number>

/** The history that a series of weights leads to. */
function historyOf(...series: Weights[]): Allocation[] {
  return series.reduce<Allocation[]>(
    (history, weights) => appendAllocation(history, planAllocation(history, weights)),
    [],
  )
}

const ranges = (...expected: SlotRange[]) => expected

describe('the first allocation', () => {
  test('gives each version one run, in code-point order of ids', () => {
    expect(planAllocation([], { 'm-': 1_000, ma: 2_000, m_: 3_000, m1: 4_000 }).ranges).toEqual(
      ranges(['m-', 1_000, 0, 1], ['m1', 4_000, 1_000, 1], ['m_', 3_000, 5_000, 1], ['ma', 2_000, 8_000, 1]),
    )
  })

  test('keeps weights of 0, which own nothing', () => {
    expect(planAllocation([], { popular: 10_000, itemcf: 0 })).toEqual({
      weights: { popular: 10_000, itemcf: 0 },
      ranges: [['popular', 10_000, 0, 1]],
    })
  })
})

describe('a change', () => {
  test('takes the highest sequence numbers, highest first', () => {
    expect(historyOf({ a: 9_000, b: 1_000 }, { a: 8_000, b: 2_000 }).at(-1)).toEqual({
      weights: { a: 8_000, b: 2_000 },
      ranges: [
        ['a', 8_000, 0, 1],
        ['b', 1_000, 10_999, -1],
        ['b', 1_000, 9_000, 1],
      ],
    })
  })

  test('gives back last in, first out', () => {
    const history = historyOf({ a: 9_000, b: 1_000 }, { a: 8_000, b: 2_000 }, { a: 8_500, b: 1_500 })
    expect(history.at(-1)!.ranges).toEqual(
      ranges(['a', 8_000, 0, 1], ['a', 500, 11_000, 1], ['b', 500, 10_499, -1], ['b', 1_000, 9_000, 1]),
    )
  })

  test('releases across versions by sequence number, whoever owned them', () => {
    const history = historyOf({ a: 5_000, b: 3_000, c: 2_000 }, { a: 4_000, b: 2_000, c: 4_000 })
    expect(history.at(-1)!.ranges).toEqual(
      ranges(
        ['a', 4_000, 0, 1],
        ['c', 1_000, 11_999, -1],
        ['b', 2_000, 5_000, 1],
        ['c', 1_000, 10_999, -1],
        ['c', 2_000, 8_000, 1],
      ),
    )
  })

  test('gives slots to another growing version once their former owner has enough', () => {
    const history = historyOf(
      { a: 5_000, b: 3_000, c: 2_000 },
      { a: 4_000, b: 2_000, c: 4_000 },
      { a: 4_500, b: 2_500, c: 3_000 },
    )
    expect(history.at(-1)!.ranges).toEqual(
      ranges(
        ['a', 4_000, 0, 1],
        ['a', 500, 12_000, 1],
        ['b', 500, 12_500, 1],
        ['b', 2_000, 5_000, 1],
        ['c', 1_000, 10_999, -1],
        ['c', 2_000, 8_000, 1],
      ),
    )
  })

  test('prefers the most recent former owner', () => {
    const history = historyOf(
      { a: 10_000 },
      { a: 9_000, b: 1_000 },
      { a: 9_000, c: 1_000 },
      { a: 9_300, b: 300, c: 400 },
    )
    expect(history.at(-1)!.ranges).toEqual(
      ranges(['a', 9_000, 0, 1], ['c', 400, 11_000, 1], ['a', 300, 12_599, -1], ['b', 300, 12_299, -1]),
    )
  })

  test('gives what nobody owned before to the growing versions in code-point order', () => {
    expect(historyOf({ m: 10_000 }, { m: 7_000, z: 1_000, b: 2_000 }).at(-1)!.ranges).toEqual(
      ranges(['m', 7_000, 0, 1], ['z', 1_000, 12_999, -1], ['b', 2_000, 11_999, -1]),
    )
  })

  test('takes a new version before a known one that comes later in code-point order', () => {
    const history = historyOf({ m: 9_000, z: 1_000 }, { m: 6_000, z: 2_000, b: 2_000 })
    expect(history.at(-1)!.ranges).toEqual(
      ranges(['m', 6_000, 0, 1], ['z', 1_000, 12_999, -1], ['b', 2_000, 11_999, -1], ['z', 1_000, 9_000, 1]),
    )
  })

  test('counts a removed version, and one named like a method of every object, as 0', () => {
    const history = historyOf({ a: 6_000, b: 4_000 }, { a: 6_000, constructor: 4_000 })
    expect(history.at(-1)!.ranges).toEqual(ranges(['a', 6_000, 0, 1], ['constructor', 4_000, 13_999, -1]))
  })

  test('leaves the history that it is given alone', () => {
    const history = historyOf({ a: 9_000, b: 1_000 }, { a: 8_000, b: 2_000 })
    const before = structuredClone(history)
    planAllocation(history, { a: 1_000, b: 8_000, c: 1_000 })
    expect(history).toEqual(before)
  })
})

describe('a way back', () => {
  const ramp = [
    { a: 9_000, b: 1_000 },
    { a: 7_000, b: 3_000 },
    { a: 2_000, b: 8_000 },
  ]

  test('restores an allocation as it was, over several steps at once', () => {
    const history = historyOf(...ramp)
    expect(planAllocation(history, { b: 1_000, a: 9_000 })).toEqual(history[0])
  })

  test('takes weight 0 and absence for the same, and stores the weights as given', () => {
    const history = historyOf({ a: 9_000, b: 1_000, old: 0 }, { a: 7_000, b: 3_000 })
    expect(planAllocation(history, { a: 9_000, b: 1_000, fresh: 0 })).toEqual({
      weights: { a: 9_000, b: 1_000, fresh: 0 },
      ranges: history[0]!.ranges,
    })
  })

  test('is not taken where it would move more than the minimum', () => {
    const history = historyOf({ a: 5_000, b: 5_000 }, { a: 5_000, c: 5_000 }, { b: 5_000, c: 5_000 })
    const next = planAllocation(history, { a: 5_000, b: 5_000 })
    expect(movedSlots(history[2]!, next)).toBe(5_000)
    expect(next.ranges).not.toEqual(history[0]!.ranges)
    expect(next.ranges.map(([version]) => version)).toEqual(['b', 'a'])
  })

  test('is the newest of several', () => {
    const history = historyOf(
      { a: 5_000, b: 5_000 },
      { a: 5_000, c: 5_000 },
      { b: 5_000, c: 5_000 },
      { a: 5_000, b: 5_000 },
      { c: 10_000 },
    )
    expect(history[3]!.ranges).not.toEqual(history[0]!.ranges)
    expect(planAllocation(history, { a: 5_000, b: 5_000 })).toEqual(history[3])
  })

  test('is looked for among the last 32 allocations only', () => {
    const first = planAllocation([], { a: 5_000, b: 5_000 })
    const swapped: Allocation = {
      weights: first.weights,
      ranges: [
        ['b', 5_000, 0, 1],
        ['a', 5_000, 5_000, 1],
      ],
    }
    const away = planAllocation([first], { c: 10_000 })
    const filled = (count: number) => [swapped, ...Array<Allocation>(count).fill(away)]
    expect(planAllocation(filled(31), first.weights).ranges).toEqual(swapped.ranges)
    expect(planAllocation(filled(32), first.weights).ranges).not.toEqual(swapped.ranges)
  })
})

describe('weights that are none', () => {
  test.each([
    [{ a: 9_999 }, 'sum to 9999'],
    [{ a: 10_001, b: -1 }, 'weight of "b" is -1'],
    [{ a: 9_999.5, b: 0.5 }, 'weight of "a" is 9999.5'],
    [{}, 'sum to 0'],
  ])('%j are refused', (weights, message) => {
    expect(() => planAllocation([], weights as Weights)).toThrow(RangeError)
    expect(() => planAllocation([], weights as Weights)).toThrow(message)
  })
})

describe('movedSlots', () => {
  test('counts the slots whose version changes, not their sequence numbers', () => {
    const a: Allocation = {
      weights: { a: 6_000, b: 4_000 },
      ranges: [
        ['a', 6_000, 0, 1],
        ['b', 4_000, 6_000, 1],
      ],
    }
    const b: Allocation = {
      weights: { a: 6_000, b: 4_000 },
      ranges: [
        ['b', 4_000, 0, 1],
        ['a', 6_000, 9_999, -1],
      ],
    }
    expect(movedSlots(a, a)).toBe(0)
    expect(movedSlots(a, b)).toBe(8_000)
  })
})

describe('appendAllocation', () => {
  test('keeps the newest 32', () => {
    let history: Allocation[] = []
    for (let n = 1; n <= 40; n++) {
      history = appendAllocation(history, planAllocation(history, { a: 10_000 - n, b: n }))
    }
    expect(history.map((allocation) => allocation.weights['b'])).toEqual(
      Array.from({ length: 32 }, (_, i) => i + 9),
    )
  })

  test("puts an allocation that moves nothing in today's place", () => {
    const history = historyOf({ a: 9_000, b: 1_000 }, { a: 8_000, b: 2_000 })
    const next = planAllocation(history, { a: 8_000, b: 2_000, fresh: 0 })
    expect(appendAllocation(history, next)).toEqual([history[0], next])
    expect(next.weights).toEqual({ a: 8_000, b: 2_000, fresh: 0 })
  })
})
