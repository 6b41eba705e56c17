import {
  type Allocation,
  compactAllocation,
  type ExpandedAllocation,
  expandAllocation,
  slotOwners,
} from './allocation.ts'
import { compareCodePoints } from './ids.ts'
import { limits } from './limits.ts'

/**
 * Plans which version owns each slot after a change of weights, so that as few players as possible change version,
 * and so that a change taken back gives every player back what they had.
 *
 * `history` holds the model's allocations from oldest to newest, the last one being today's; empty means that the
 * model gets its first. `weights` are basis points that sum to 10,000 (`basisPointsOf` makes them); a version of
 * weight 0 and one that isn't named are the same. Throws a RangeError for other weights.
 *
 * Moves the theoretical minimum of slots: the sum of what the growing versions gain.
 */
export function planAllocation(
  history: readonly Allocation[],
  weights: Readonly<Record<string, number>>,
): Allocation {
  const wanted = checkedWeights(weights)
  const recent = history.slice(-limits.allocationHistoryMax)
  const today = recent.at(-1)
  if (today === undefined) return firstAllocation(wanted)
  return wayBack(recent, today, wanted) ?? movedAllocation(recent, today, wanted)
}

/**
 * The history after a change, trimmed to what the planner looks at. An allocation that moves nothing takes the place
 * of today's: applying the same document again and again must not push out the ways back.
 */
export function appendAllocation(history: readonly Allocation[], next: Allocation): Allocation[] {
  const today = history.at(-1)
  const kept = today !== undefined && movedSlots(today, next) === 0 ? history.slice(0, -1) : history
  return [...kept, next].slice(-limits.allocationHistoryMax)
}

/** How many of the 10,000 slots change their version between two allocations. */
export function movedSlots(a: Allocation, b: Allocation): number {
  const before = slotOwners(a)
  const after = slotOwners(b)
  let moved = 0
  for (let slot = 0; slot < limits.slots; slot++) if (before[slot] !== after[slot]) moved++
  return moved
}

/** Basis points by version, in code-point order of ids: the order in which the planner takes them. */
type Weights = ReadonlyMap<string, number>

function checkedWeights(weights: Readonly<Record<string, number>>): Weights {
  let sum = 0
  for (const [version, points] of Object.entries(weights)) {
    if (!Number.isInteger(points) || points < 0) {
      throw new RangeError(`weight of "${version}" is ${points}, not a whole number of basis points`)
    }
    sum += points
  }
  if (sum !== limits.slots) throw new RangeError(`weights sum to ${sum} basis points, not to ${limits.slots}`)
  return new Map(Object.entries(weights).sort(([a], [b]) => compareCodePoints(a, b)))
}

/** Each version gets one run of slots; slot i has sequence number i. */
function firstAllocation(wanted: Weights): Allocation {
  const owners = [...wanted].flatMap(([version, points]) => Array<string>(points).fill(version))
  return compactAllocation(Object.fromEntries(wanted), { owners, sequences: owners.map((_, slot) => slot) })
}

/**
 * Step 1: an allocation with exactly the wanted weights that lies at the minimum from today's, as it was; null where
 * none does: one that lies farther off would move players for nothing. Of several, one that today's came right after
 * goes first, so that taking a change back undoes that very change (docs/decisions/0002); else the newest.
 */
function wayBack(recent: readonly Allocation[], today: Allocation, wanted: Weights): Allocation | null {
  const growths = growthsOf(today, wanted)
  let minimum = 0
  for (const growth of growths.values()) if (growth > 0) minimum += growth
  const fits = (allocation: Allocation) =>
    [...growthsOf(allocation, wanted).values()].every((growth) => growth === 0) &&
    movedSlots(today, allocation) === minimum
  const todaysRanges = JSON.stringify(today.ranges)
  const cameBeforeToday = (index: number) => JSON.stringify(recent[index + 1]?.ranges) === todaysRanges
  const former =
    recent.findLast((allocation, index) => fits(allocation) && cameBeforeToday(index)) ??
    recent.findLast(fits)
  return former === undefined ? null : { weights: Object.fromEntries(wanted), ranges: former.ranges }
}

/** Step 2: what shrinking versions release goes to growing ones, former owners first. */
function movedAllocation(recent: readonly Allocation[], today: Allocation, wanted: Weights): Allocation {
  const before = expandAllocation(today)
  const owners = [...before.owners]
  const sequences = [...before.sequences]
  const growths = growthsOf(today, wanted)
  const released = releasedSlots(before, growths)
  const needs = new Map([...growths].filter(([, growth]) => growth > 0))
  // Today's own allocation needs no leaving out: who owns a released slot today is shrinking, and so needs none.
  const formerOwners = recent.map(slotOwners).reverse()
  const take = (slot: number, version: string): void => {
    owners[slot] = version
    const need = needs.get(version)! - 1
    if (need > 0) needs.set(version, need)
    else needs.delete(version)
  }

  const remaining: number[] = []
  for (const slot of released) {
    const formerly = formerOwners.find((owned) => needs.has(owned[slot]!))
    if (formerly === undefined) remaining.push(slot)
    else take(slot, formerly[slot]!)
  }
  for (const slot of remaining) take(slot, firstOf(needs))

  let sequence = before.sequences.reduce((highest, current) => Math.max(highest, current), -1)
  for (const slot of released) sequences[slot] = ++sequence
  return compactAllocation(Object.fromEntries(wanted), { owners, sequences })
}

/**
 * What each version gains (or loses, below zero) in basis points, in code-point order of ids. One that either side
 * doesn't name, because it is new or removed, counts as 0 there.
 */
function growthsOf(from: Allocation, wanted: Weights): Map<string, number> {
  // A Map, since an object would answer for the version id "constructor" even where no weight names it.
  const current = new Map(Object.entries(from.weights))
  const versions = [...new Set([...current.keys(), ...wanted.keys()])].sort(compareCodePoints)
  return new Map(
    versions.map((version) => [version, (wanted.get(version) ?? 0) - (current.get(version) ?? 0)]),
  )
}

/** The slots that shrinking versions give up, each version's highest sequence numbers, highest of all first. */
function releasedSlots(
  { owners, sequences }: ExpandedAllocation,
  growths: ReadonlyMap<string, number>,
): number[] {
  const excess = new Map([...growths].filter(([, growth]) => growth < 0))
  const newestFirst = owners
    .map((_, slot) => slot)
    .filter((slot) => excess.has(owners[slot]!))
    .sort((a, b) => sequences[b]! - sequences[a]!)
  return newestFirst.filter((slot) => {
    const growth = excess.get(owners[slot]!)!
    if (growth === 0) return false
    excess.set(owners[slot]!, growth + 1)
    return true
  })
}

/** The first version in code-point order that still needs slots; gains and losses balance, so that there is one. */
function firstOf(needs: ReadonlyMap<string, number>): string {
  for (const version of needs.keys()) return version
  throw new Error('more slots were released than are needed')
}
