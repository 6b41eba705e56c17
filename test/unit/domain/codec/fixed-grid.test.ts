import { describe, expect, it } from 'vitest'
import {
  fixedFaults,
  fixedGrid,
  nearestStep,
  valueAt,
  wholeMilliseconds,
} from '../../../../src/domain/codec/fixed-grid.ts'

const fixed = (min: number, max: number, step: number) => ({ type: 'fixed' as const, min, max, step })

describe('fixedGrid', () => {
  it('counts in decimal, whatever binary floats make of it', () => {
    expect(fixedGrid(fixed(0, 20000, 0.1))).toEqual({
      minUnits: 0,
      stepUnits: 1,
      steps: 200_000,
      scale: 1,
      unitsPerOne: 10,
    })
    expect(fixedGrid(fixed(-1, 1, 0.25)).steps).toBe(8)
    expect(fixedGrid(fixed(0, 3e-7, 1e-7)).steps).toBe(3)
    expect(fixedGrid(fixed(0, 1e6, 1e3)).steps).toBe(1000)
  })

  it('gives every value as the double that its decimal text reads as', () => {
    const tenths = fixedGrid(fixed(0, 20000, 0.1))
    for (let step = 0; step <= 200_000; step += 7) expect(valueAt(tenths, step)).toBe(Number(`${step}e-1`))
    expect(valueAt(tenths, 3)).toBe(0.3)
    const thousandths = fixedGrid(fixed(-2, 2, 0.001))
    for (let step = 0; step <= 4000; step++)
      expect(valueAt(thousandths, step)).toBe(Number(`${step - 2000}e-3`))
  })

  it('has no negative zero', () => {
    expect(Object.is(valueAt(fixedGrid(fixed(-0, 1, 1)), 0), 0)).toBe(true)
    expect(Object.is(valueAt(fixedGrid(fixed(-0.5, 1, 0.5)), 1), 0)).toBe(true)
  })
})

describe('nearestStep', () => {
  const tenths = fixedGrid(fixed(0, 20000, 0.1))

  it.each([
    [0, 0],
    [-0, 0],
    [0.1 + 0.2, 3],
    [0.3, 3],
    [0.34, 3],
    [0.349999999999999, 3],
    [0.35, 4],
    [0.35000000000000003, 4],
    [19999.95, 200_000],
    [-0.05, 0],
    [-0.050000000000000003, 0],
    [-0.051, -1],
    [5e-324, 0],
  ])('takes %d to step %d', (value, step) => {
    expect(nearestStep(tenths, value) + 0).toBe(step)
  })

  it('decides halves in decimal: 1.005 is halfway, though its double lies below', () => {
    const hundredths = fixedGrid(fixed(0, 2, 0.01))
    expect(nearestStep(hundredths, 1.005)).toBe(101)
    expect(nearestStep(hundredths, 1.0049999999)).toBe(100)
    const negative = fixedGrid(fixed(-2, 0, 0.01))
    expect(nearestStep(negative, -1.005)).toBe(100)
    expect(nearestStep(negative, -1.0050001)).toBe(99)
  })

  it('rounds to coarse steps', () => {
    const fives = fixedGrid(fixed(-10, 10, 5))
    expect(
      [-12.5, -12.6, -7.5, -7.6, 0, 2.4, 2.5, 12.4, 12.5].map((value) => nearestStep(fives, value)),
    ).toEqual([0, -1, 1, 0, 2, 2, 3, 4, 5])
  })

  it('leaves the grid for huge values instead of overflowing into it', () => {
    expect(nearestStep(tenths, 1e308)).toBeGreaterThan(200_000)
    expect(nearestStep(tenths, -1e308)).toBeLessThan(0)
    expect(nearestStep(tenths, 2 ** 53)).toBeGreaterThan(200_000)
  })

  it('holds every step of a 53-bit grid', () => {
    const max = Number.MAX_SAFE_INTEGER
    const whole = fixedGrid(fixed(0, max, 1))
    for (const value of [0, 1, max - 1, max]) {
      expect(nearestStep(whole, value)).toBe(value)
      expect(valueAt(whole, value)).toBe(value)
    }
    const fine = fixedGrid(fixed(-999_999_999.999999, 999_999_999.999999, 0.000001))
    for (const step of [0, 1, 999_999_999_999_999, fine.steps - 1, fine.steps]) {
      expect(nearestStep(fine, valueAt(fine, step))).toBe(step)
    }
  })
})

describe('fixedFaults', () => {
  it.each([
    [0, 20000, 0.1],
    [0, 1, 0.001],
    [0, 0.3, 0.1],
    [-0.7, 0.7, 0.35],
    [5, 5, 1],
    [0, 1e-7, 1e-8],
    [0, Number.MAX_SAFE_INTEGER, 1],
  ])('takes %d to %d in steps of %d', (min, max, step) => {
    expect(fixedFaults(fixed(min, max, step), 'a')).toEqual([])
  })

  it.each([
    [0, 1, 0, 'a.step', "isn't above 0"],
    [0, 1, -0.1, 'a.step', "isn't above 0"],
    [1, 0, 0.1, 'a.max', 'below min'],
    [0, 20000, 0.3, 'a.step', 'with max 19999.8 or 20000.1 it would'],
    [0, 1, 1e-23, 'a.step', 'decimals'],
    [0, 9e15, 0.1, 'a.max', '15 digits'],
    [0, 2 ** 53, 1, 'a.max', '53 bits'],
    [-(2 ** 53 - 1), 2 ** 53 - 1, 1, 'a.max', '53 bits'],
  ])('refuses %d to %d in steps of %d', (min, max, step, path, problem) => {
    const faults = fixedFaults(fixed(min, max, step), 'a')
    expect(faults).toHaveLength(1)
    expect(faults[0]!.path).toBe(path)
    expect(faults[0]!.problem).toContain(problem)
  })
})

describe('wholeMilliseconds', () => {
  it('tells exactly, or not at all', () => {
    expect([60, 1, 0.001, 0.29, 86400].map(wholeMilliseconds)).toEqual([60_000, 1000, 1, 290, 86_400_000])
    expect([0.0001, 1.0005, 1e-7].map(wholeMilliseconds)).toEqual([null, null, null])
  })
})
