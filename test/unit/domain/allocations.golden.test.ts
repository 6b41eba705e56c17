import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Allocation, slotOf } from '../../../src/domain/allocation.ts'
import { planAllocation } from '../../../src/domain/planner.ts'
import { bucketOf, joinRowKey } from '../../../src/domain/row-key.ts'

/** Pinned, never regenerated: what stands there decides which version a live player has, and where a live row lies. */
const golden = JSON.parse(
  readFileSync(new URL('../../golden/allocations.json', import.meta.url), 'utf8'),
) as {
  changes: Allocation[]
  slots: [salt: string, unit: string, slot: number][]
  buckets: [values: string[], buckets: number, bucket: number][]
}

describe('golden/allocations.json', () => {
  test('each change of weights still leads to the same ranges', () => {
    expect(golden.changes).toHaveLength(11)
    for (const [i, { weights, ranges }] of golden.changes.entries()) {
      expect(planAllocation(golden.changes.slice(0, i), weights), `change ${i}`).toEqual({ weights, ranges })
    }
  })

  test('each unit still has the same slot', () => {
    expect(golden.slots).toHaveLength(12)
    for (const [salt, unit, slot] of golden.slots) expect(slotOf(salt, unit), unit).toBe(slot)
  })

  test('each row still lies in the same bucket', () => {
    expect(golden.buckets).toHaveLength(24)
    for (const [values, buckets, bucket] of golden.buckets) {
      expect(bucketOf(joinRowKey(values), buckets), `${values} of ${buckets}`).toBe(bucket)
    }
  })
})
