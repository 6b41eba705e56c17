/**
 * The values of a `fixed` field: whole steps from `min` to `max`, in decimal.
 *
 * Binary floats have no 0.1, so everything is counted in units of 10^−scale, the finest digit of min, max and step:
 *
 *     { min: 0, max: 20000, step: 0.1 }   →   scale 1, minUnits 0, stepUnits 1, steps 200000
 *     value(k) = (minUnits + k × stepUnits) / 10^scale
 *
 * Whole numbers below 2^53 and powers of ten up to 10^22 are exact doubles and a division rounds once, so value(k)
 * is the double that the decimal text reads as: 0.3, never 0.30000000000000004.
 */
import type { Fault } from '../errors.ts'
import type { FixedField } from './record-field.ts'

export interface FixedGrid {
  readonly minUnits: number
  readonly stepUnits: number
  /** Steps from min to max; one less than there are values. */
  readonly steps: number
  readonly scale: number
  /** 10^scale. */
  readonly unitsPerOne: number
}

/** Powers of ten above it aren't exact as doubles. */
const scaleMax = 22
/** Every decimal of 15 digits survives the way into a double and back (C's DBL_DIG); with 16 some don't. */
const fractionUnitsMax = 999_999_999_999_999

/** `digits / 10^scale`. */
interface Decimal {
  readonly digits: bigint
  readonly scale: number
}

/** The decimal that a person means by a double: the shortest one that reads as it. */
function decimalOf(value: number): Decimal {
  const [mantissa, exponent] = String(value).split('e')
  const [whole, fraction = ''] = mantissa!.split('.')
  const digits = BigInt(whole! + fraction)
  const scale = fraction.length - Number(exponent ?? 0)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

function unitsOf(decimal: Decimal, scale: number): bigint {
  return decimal.digits * 10n ** BigInt(scale - decimal.scale)
}

/** A positive number of seconds in milliseconds; null where it isn't whole milliseconds. */
export function wholeMilliseconds(seconds: number): number | null {
  const decimal = decimalOf(seconds)
  return decimal.scale > 3 ? null : Number(unitsOf(decimal, 3))
}

/** What a `fixed` field would be packed as, before anybody asked whether it can. */
function exactGrid({ min, max, step }: FixedField) {
  const decimals = [decimalOf(min), decimalOf(max), decimalOf(step)] as const
  const scale = Math.max(...decimals.map((decimal) => decimal.scale))
  const [minUnits, maxUnits, stepUnits] = decimals.map((decimal) => unitsOf(decimal, scale))
  return { scale, minUnits: minUnits!, maxUnits: maxUnits!, stepUnits: stepUnits! }
}

/** The grid of a field that `fixedFaults` has nothing against. */
export function fixedGrid(field: FixedField): FixedGrid {
  const { scale, minUnits, maxUnits, stepUnits } = exactGrid(field)
  return {
    minUnits: Number(minUnits),
    stepUnits: Number(stepUnits),
    steps: Number((maxUnits - minUnits) / stepUnits),
    scale,
    unitsPerOne: 10 ** scale,
  }
}

export function fixedFaults(field: FixedField, path: string): Fault[] {
  const { min, max, step } = field
  if (step <= 0) return [{ path: `${path}.step`, problem: `${step} isn't above 0; a step goes upwards` }]
  if (max < min) return [{ path: `${path}.max`, problem: `${max} is below min; it must be ${min} or more` }]
  const { scale, minUnits, maxUnits, stepUnits } = exactGrid(field)
  if (scale > scaleMax) {
    const problem = `min, max and step have ${scale} decimals; at most ${scaleMax} can be told exactly`
    return [{ path: `${path}.step`, problem }]
  }
  const rest = (maxUnits - minUnits) % stepUnits
  if (rest !== 0n) {
    const below = Number(maxUnits - rest) / 10 ** scale
    const above = Number(maxUnits - rest + stepUnits) / 10 ** scale
    const problem = `${step} doesn't divide ${min} to ${max} into whole steps; with max ${below} or ${above} it would`
    return [{ path: `${path}.step`, problem }]
  }
  const unitsMax = BigInt(scale === 0 ? Number.MAX_SAFE_INTEGER : fractionUnitsMax)
  if (-minUnits > unitsMax || maxUnits > unitsMax || minUnits > unitsMax || -maxUnits > unitsMax) {
    const problem =
      scale === 0
        ? `min and max must lie within ±${Number.MAX_SAFE_INTEGER} (53 bits)`
        : `min and max with ${scale} decimals have more than 15 digits, which a double can't hold; use a coarser step or narrower bounds`
    return [{ path: `${path}.max`, problem }]
  }
  if (maxUnits - minUnits > Number.MAX_SAFE_INTEGER) {
    const problem = `max − min must be at most ${Number.MAX_SAFE_INTEGER} (53 bits)`
    return [{ path: `${path}.max`, problem }]
  }
  return []
}

/** The value that stands `step` steps above min. */
export function valueAt(grid: FixedGrid, step: number): number {
  return (grid.minUnits + step * grid.stepUnits) / grid.unitsPerOne
}

/**
 * Steps from min to the nearest value of the grid; halfway between two, the upper one. Below 0 or above
 * `grid.steps` where the value rounds to none. `value` is finite.
 */
export function nearestStep(grid: FixedGrid, value: number): number {
  const units = Math.round(value * grid.unitsPerOne)
  const offset = units - grid.minUnits
  // Where dividing back gives the very same double, `units` is what was meant, digit for digit.
  const exact = Math.abs(units) <= fractionUnitsMax && units / grid.unitsPerOne === value
  if (!exact || !Number.isSafeInteger(offset)) return nearestStepExactly(grid, value)
  const remainder = offset % grid.stepUnits
  const above = remainder < 0 ? remainder + grid.stepUnits : remainder
  const step = (offset - above) / grid.stepUnits
  return above >= grid.stepUnits - above ? step + 1 : step
}

/** For values with finer digits than the grid's: slower, and right for every double. */
function nearestStepExactly(grid: FixedGrid, value: number): number {
  const decimal = decimalOf(value)
  const scale = Math.max(decimal.scale, grid.scale)
  const finer = 10n ** BigInt(scale - grid.scale)
  const stepUnits = BigInt(grid.stepUnits) * finer
  // floor(offset / step + 1/2), in whole numbers; BigInt division cuts towards zero.
  const dividend = 2n * (unitsOf(decimal, scale) - BigInt(grid.minUnits) * finer) + stepUnits
  const divisor = 2n * stepUnits
  const quotient = dividend / divisor
  return Number(dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient)
}
