import { describe, expect, test } from 'vitest'
import { basisPointsOf } from '../../../src/domain/weights.ts'

describe('basisPointsOf', () => {
  test('turns percents into basis points, zeros included', () => {
    expect(basisPointsOf({ popular: 90.01, itemcf: 9.99, retired: 0 })).toEqual({
      basisPoints: { popular: 9_001, itemcf: 999, retired: 0 },
    })
  })

  test('takes every weight of two decimals for exactly what it says', () => {
    for (let points = 0; points <= 10_000; points++) {
      const percents = {
        a: Number((points / 100).toFixed(2)),
        b: Number(((10_000 - points) / 100).toFixed(2)),
      }
      expect(basisPointsOf(percents)).toEqual({ basisPoints: { a: points, b: 10_000 - points } })
    }
  })

  test('takes -0 for 0', () => {
    const result = basisPointsOf({ a: 100, b: -0 })
    expect('basisPoints' in result && Object.is(result.basisPoints['b'], 0)).toBe(true)
  })

  test.each([
    [33.333, 'the weight of "itemcf" is 33.333, but may have two decimals at most, such as 33.33 or 33.34'],
    [0.1 + 0.2, 'the weight of "itemcf" is 0.30000000000000004, but may have two decimals at most'],
    [0.001, 'the weight of "itemcf" is 0.001, but may have two decimals at most, such as 0 or 0.01'],
    [-1, 'the weight of "itemcf" is -1, but must be a percentage from 0 to 100'],
    [100.01, 'the weight of "itemcf" is 100.01, but must be a percentage from 0 to 100'],
    [Number.POSITIVE_INFINITY, 'the weight of "itemcf" is Infinity, but must be'],
    [Number.NaN, 'the weight of "itemcf" is NaN, but must be'],
  ])('refuses a weight of %d, naming version, value and what would be right', (percent, problem) => {
    expect(basisPointsOf({ popular: 50, itemcf: percent }, 'models.games.weights')).toEqual({
      faults: [{ path: 'models.games.weights.itemcf', problem: expect.stringContaining(problem) }],
    })
  })

  test.each([
    [
      { popular: 90, itemcf: 9.99 },
      'the weights sum to 99.99 (popular 90, itemcf 9.99), but must sum to exactly 100: 0.01 missing',
    ],
    [
      { popular: 90, itemcf: 10.5 },
      'the weights sum to 100.5 (popular 90, itemcf 10.5), but must sum to exactly 100: 0.5 too much',
    ],
    [{}, 'the weights sum to 0, but must sum to exactly 100: 100 missing'],
  ])('refuses %j, naming the actual sum', (percents, problem) => {
    expect(basisPointsOf(percents)).toEqual({ faults: [{ path: 'weights', problem }] })
  })

  test('never repairs thirds', () => {
    expect(basisPointsOf({ a: 33.33, b: 33.33, c: 33.33 })).toHaveProperty(
      'faults.0.problem',
      expect.stringContaining('0.01 missing'),
    )
  })

  test('names every unfit weight at once, and then no sum', () => {
    expect(basisPointsOf({ a: 120, b: -20 })).toEqual({
      faults: [
        expect.objectContaining({ path: 'weights.a' }),
        expect.objectContaining({ path: 'weights.b' }),
      ],
    })
  })
})
