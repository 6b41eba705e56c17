import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Allocation,
  allocationDocument,
  compactAllocation,
  expandAllocation,
  slotOwners,
} from '../../src/domain/allocation.ts'
import { limits } from '../../src/domain/limits.ts'
import { appendAllocation, movedSlots, planAllocation } from '../../src/domain/planner.ts'

type Weights = Readonly<Record<string, number>>

const ids = ['alpha', 'bravo', 'constructor', 'delta', 'echo']

/** Points between 0 and 10,000: round ones, where weights coincide, and any other. */
const points = fc.oneof(
  fc.integer({ min: 0, max: 10 }).map((tenth) => tenth * 1_000),
  fc.integer({ min: 0, max: limits.slots }),
)

/** Weights of some of the versions, 0 among them: the rest is removed. */
const weightsArbitrary: fc.Arbitrary<Weights> = fc.shuffledSubarray(ids, { minLength: 1 }).chain((versions) =>
  fc.array(points, { minLength: versions.length - 1, maxLength: versions.length - 1 }).map((cuts) => {
    const borders = [0, ...cuts.sort((a, b) => a - b), limits.slots]
    return Object.fromEntries(versions.map((version, i) => [version, borders[i + 1]! - borders[i]!]))
  }),
)

const seriesArbitrary = (minLength: number, maxLength: number) =>
  fc.array(weightsArbitrary, { minLength, maxLength })

function weightOf(weights: Weights, version: string): number {
  return Object.hasOwn(weights, version) ? weights[version]! : 0
}

/** What no planner can undercut: the sum of the growing versions' gains. */
function minimumMoves(from: Weights, to: Weights): number {
  return ids.reduce((sum, version) => sum + Math.max(0, weightOf(to, version) - weightOf(from, version)), 0)
}

const sameWeights = (a: Weights, b: Weights) =>
  ids.every((version) => weightOf(a, version) === weightOf(b, version))

/** Every allocation that a series of weights leads to. */
function planSeries(series: readonly Weights[], history: readonly Allocation[] = []): Allocation[] {
  const planned: Allocation[] = []
  let kept = [...history]
  for (const weights of series) {
    const next = planAllocation(kept, weights)
    planned.push(next)
    kept = appendAllocation(kept, next)
  }
  return planned
}

const ownedBy = (allocation: Allocation, version: string) =>
  slotOwners(allocation).flatMap((owner, slot) => (owner === version ? [slot] : []))

describe('the planner', () => {
  test('moves exactly the theoretical minimum, versions added and removed', () => {
    fc.assert(
      fc.property(seriesArbitrary(2, 8), (series) => {
        const planned = planSeries(series)
        for (let i = 1; i < series.length; i++) {
          expect(movedSlots(planned[i - 1]!, planned[i]!)).toBe(minimumMoves(series[i - 1]!, series[i]!))
        }
      }),
      { numRuns: 100 },
    )
  })

  test('gives every version its basis points, and none to weight 0', () => {
    fc.assert(
      fc.property(seriesArbitrary(1, 6), (series) => {
        for (const [i, allocation] of planSeries(series).entries()) {
          expect(allocation.weights).toEqual(series[i])
          for (const version of ids) {
            expect(ownedBy(allocation, version).length).toBe(weightOf(series[i]!, version))
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  test('writes allocations that compact, expand and parse back to themselves, no sequence number twice', () => {
    fc.assert(
      fc.property(seriesArbitrary(1, 8), (series) => {
        const last = planSeries(series).at(-1)!
        const expanded = expandAllocation(last)
        expect(compactAllocation(last.weights, expanded)).toEqual(last)
        expect(new Set(expanded.sequences).size).toBe(limits.slots)
        expect(allocationDocument.parse(JSON.parse(JSON.stringify(last)))).toEqual(last)
      }),
      { numRuns: 60 },
    )
  })

  test('retraces every change exactly, sequence numbers included', () => {
    fc.assert(
      fc.property(seriesArbitrary(2, 6), (wayOut) => {
        const wayBack = wayOut.slice(0, -1).reverse()
        const planned = planSeries([...wayOut, ...wayBack])
        for (let i = 0; i < wayBack.length; i++) {
          expect(planned[wayOut.length + i]!.ranges).toEqual(planned[wayOut.length - 2 - i]!.ranges)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('keeps nested the players of a version that ramps against control, after other changes', () => {
    // The ramp takes no weights that the model had before it: an allocation that comes back from before the ramp lies
    // at the minimum from today's, but need not be nested with the ramp's other stops.
    const scenario = fc.record({
      before: seriesArbitrary(1, 4),
      pair: fc.shuffledSubarray(ids, { minLength: 2, maxLength: 2 }),
      stops: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 8 }),
    })
    fc.assert(
      fc.property(scenario, ({ before, pair: [ramping, control], stops }) => {
        const start = before.at(-1)!
        const shared = weightOf(start, ramping!) + weightOf(start, control!)
        fc.pre(shared > 0)
        const ramp = stops.map((stop) => {
          const weight = Math.round(stop * shared)
          return { ...start, [ramping!]: weight, [control!]: shared - weight }
        })
        fc.pre(ramp.every((weights) => before.slice(0, -1).every((former) => !sameWeights(former, weights))))
        const planned = planSeries([...before, ...ramp]).slice(before.length - 1)
        const players = planned.map((allocation) => ownedBy(allocation, ramping!))
        players.sort((a, b) => a.length - b.length)
        for (let i = 1; i < players.length; i++) {
          const larger = new Set(players[i])
          expect(players[i - 1]!.every((slot) => larger.has(slot))).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('does not look at the order in which versions are written', () => {
    fc.assert(
      fc.property(seriesArbitrary(1, 5), (series) => {
        const reversed = series.map((weights) => Object.fromEntries(Object.entries(weights).reverse()))
        // Compared as text: the stored form is the same too, byte for byte.
        expect(JSON.stringify(planSeries(reversed))).toBe(JSON.stringify(planSeries(series)))
      }),
      { numRuns: 60 },
    )
  })

  test('moves the minimum, and looks no farther back, once the history is trimmed at 32', () => {
    fc.assert(
      fc.property(seriesArbitrary(34, 44), (series) => {
        let trimmed: Allocation[] = []
        const whole: Allocation[] = []
        for (const weights of series) {
          const today = trimmed.at(-1)
          if (today !== undefined && sameWeights(today.weights, weights)) continue
          const next = planAllocation(trimmed, weights)
          if (today !== undefined) {
            expect(movedSlots(today, next)).toBe(minimumMoves(today.weights, weights))
            expect(planAllocation(whole, weights)).toEqual(next)
          }
          whole.push(next)
          trimmed = appendAllocation(trimmed, next)
          expect(trimmed).toHaveLength(Math.min(whole.length, 32))
        }
      }),
      { numRuns: 12 },
    )
  })
})
