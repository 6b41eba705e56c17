import type { Fault } from './errors.ts'
import { limits } from './limits.ts'

/** Basis points of each version, summing to 10,000; or everything that is wrong. */
export type BasisPoints =
  | { readonly basisPoints: Readonly<Record<string, number>> }
  | { readonly faults: readonly Fault[] }

/**
 * Turns weights in percent, with at most two decimals, into whole basis points. They must sum to exactly 100, and are
 * never repaired: a studio that meant something else has to say what. `path` is where the weights stand in their
 * document; faults of one weight carry `PATH.VERSION`.
 */
export function basisPointsOf(percents: Readonly<Record<string, number>>, path = 'weights'): BasisPoints {
  const faults: Fault[] = []
  const basisPoints = new Map<string, number>()
  let sum = 0
  for (const [version, percent] of Object.entries(percents)) {
    const problem = weightProblem(version, percent)
    if (problem !== null) faults.push({ path: `${path}.${version}`, problem })
    // Adding 0 turns -0, which JSON can carry, into 0.
    const points = Math.round(percent * 100) + 0
    basisPoints.set(version, points)
    sum += points
  }
  // A sum over weights that aren't weights would only mislead.
  if (faults.length === 0 && sum !== limits.slots)
    faults.push({ path, problem: sumProblem(basisPoints, sum) })
  return faults.length > 0 ? { faults } : { basisPoints: Object.fromEntries(basisPoints) }
}

function weightProblem(version: string, percent: number): string | null {
  if (!(percent >= 0 && percent <= 100)) {
    return `the weight of "${version}" is ${percent}, but must be a percentage from 0 to 100`
  }
  // Exact, because dividing by 100 gives the double nearest to the decimal, which is also what parsing it gives.
  if (Math.round(percent * 100) / 100 === percent) return null
  const below = Math.floor(percent * 100) / 100
  const above = Math.ceil(percent * 100) / 100
  return `the weight of "${version}" is ${percent}, but may have two decimals at most, such as ${below} or ${above}`
}

function sumProblem(basisPoints: ReadonlyMap<string, number>, sum: number): string {
  const listed = [...basisPoints].map(([version, points]) => `${version} ${points / 100}`).join(', ')
  const gap = Math.abs(limits.slots - sum) / 100
  const direction = sum < limits.slots ? 'missing' : 'too much'
  return `the weights sum to ${sum / 100}${listed && ` (${listed})`}, but must sum to exactly 100: ${gap} ${direction}`
}
