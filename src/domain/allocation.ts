import { z } from 'zod'
import { idRule, isId } from './ids.ts'
import { limits } from './limits.ts'
import { murmur3, shareOf } from './murmur3.ts'

/**
 * Neighbouring slots of one version whose sequence numbers run up (+1) or down (−1) by one:
 * version, length in slots, sequence number of the first slot, step.
 */
export type SlotRange = readonly [version: string, length: number, firstSequence: number, step: 1 | -1]

/**
 * Which version owns each of a model's 10,000 slots, as the catalog's state keeps it: ranges that follow one another
 * from slot 0. A sequence number orders the slots of a version by when it got them; within an allocation no two
 * slots share one. `weights` are basis points, and may name versions that own nothing.
 */
export interface Allocation {
  readonly weights: Readonly<Record<string, number>>
  readonly ranges: readonly SlotRange[]
}

/** An allocation written out, slot by slot. */
export interface ExpandedAllocation {
  readonly owners: readonly string[]
  readonly sequences: readonly number[]
}

/** The slot of a unit, 0 to 9,999. The NUL keeps (`L1`, `7f3a`) and (`L`, `17f3a`) apart, as a salt holds none. */
export function slotOf(salt: string, unit: string): number {
  return shareOf(murmur3(`${salt}\0${unit}`), limits.slots)
}

/** The version that owns each slot. */
export function slotOwners(allocation: Allocation): string[] {
  const owners: string[] = []
  for (const [version, length] of allocation.ranges) {
    for (let i = 0; i < length; i++) owners.push(version)
  }
  return owners
}

export function expandAllocation(allocation: Allocation): ExpandedAllocation {
  const sequences: number[] = []
  for (const [, length, firstSequence, step] of allocation.ranges) {
    for (let i = 0; i < length; i++) sequences.push(firstSequence + i * step)
  }
  return { owners: slotOwners(allocation), sequences }
}

/**
 * The stored form. Greedy: each range takes as many slots as run on from its first two, and one of a single slot has
 * step 1; so the same slots always give the same text.
 */
export function compactAllocation(
  weights: Readonly<Record<string, number>>,
  { owners, sequences }: ExpandedAllocation,
): Allocation {
  const ranges: SlotRange[] = []
  for (let start = 0; start < owners.length; ) {
    const owner = owners[start]!
    const first = sequences[start]!
    const step = owners[start + 1] === owner && sequences[start + 1] === first - 1 ? -1 : 1
    let length = 1
    while (owners[start + length] === owner && sequences[start + length] === first + length * step) length++
    ranges.push([owner, length, first, step])
    start += length
  }
  return { weights, ranges }
}

const versionId = z.string().refine(isId, `must be ${idRule}`)
const slotCount = z.int().min(1).max(limits.slots)
const sequence = z.int().min(0)
const slotRange = z.tuple([versionId, slotCount, sequence, z.union([z.literal(1), z.literal(-1)])])

/**
 * Reads an allocation back from the catalog's state. Only the planner writes it, so that a fault here means a damaged
 * or hand-edited state; it is refused before it can send players to other versions.
 */
export const allocationDocument = z
  .strictObject({
    weights: z.record(versionId, z.int().min(0).max(limits.slots)),
    ranges: z.array(slotRange).min(1).max(limits.slots),
  })
  .superRefine((allocation, context) => {
    for (const problem of allocationProblems(allocation)) {
      context.addIssue({ code: 'custom', message: problem })
    }
  })

function allocationProblems({ weights, ranges }: Allocation): string[] {
  const problems: string[] = []
  const owned = new Map<string, number>()
  let slots = 0
  for (const [version, length] of ranges) {
    owned.set(version, (owned.get(version) ?? 0) + length)
    slots += length
  }
  if (slots !== limits.slots) problems.push(`the ranges hold ${slots} slots, but must hold ${limits.slots}`)
  const weightOf = new Map(Object.entries(weights))
  for (const version of new Set([...weightOf.keys(), ...owned.keys()])) {
    const weight = weightOf.get(version) ?? 0
    const count = owned.get(version) ?? 0
    if (weight !== count) {
      problems.push(
        `"${version}" owns ${count} slots, but its weight of ${weight} basis points asks for ${weight}`,
      )
    }
  }
  const unfit = unfitSequence(ranges)
  if (unfit !== null) problems.push(`sequence numbers must be 0 or more, each for one slot; ${unfit} is not`)
  return problems
}

/** A sequence number that is negative or that two slots share; null where there is none. */
function unfitSequence(ranges: readonly SlotRange[]): number | null {
  const runs = ranges.map(([, length, first, step]) => {
    const last = first + (length - 1) * step
    return { low: Math.min(first, last), high: Math.max(first, last) }
  })
  runs.sort((a, b) => a.low - b.low)
  let free = 0
  for (const { low, high } of runs) {
    if (low < free) return low
    free = high + 1
  }
  return null
}
