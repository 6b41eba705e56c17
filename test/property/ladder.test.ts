import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cause, causes } from '../../src/domain/reasons.ts'
import type { ActiveTable, CompiledVersion } from '../../src/domain/snapshot.ts'
import { climbDown } from '../../src/serving/ladder.ts'
import { createNearCache } from '../../src/serving/near-cache.ts'
import { NearRow } from '../../src/serving/near-row.ts'
import type { RecordReadResult } from '../../src/serving/ports.ts'
import { compiledModel } from '../unit/serving/model.ts'

/** Whatever Redis answered before and answers now, the answer is the first rung that the design allows. */

const staleMs = 1_000
const model = compiledModel('games', { staleMs })
const tableOf = (generation: number): ActiveTable => ({
  generation,
  token: `token-${generation}`,
  buckets: 4,
  rows: 1,
  bucketPrefix: `rg:t:studio:games:${generation}:`,
})
const control: CompiledVersion = {
  ...model.control,
  table: tableOf(1),
  previousPrefix: tableOf(2).bucketPrefix,
}
const assigned: CompiledVersion = {
  ...model.versions.get('v2')!,
  table: tableOf(3),
  previousPrefix: tableOf(4).bucketPrefix,
}
const games = { ...model, control }

/** Places of copies in the order in which they may answer. */
const places = [3, 4, 1, 2] as const

const age = fc.option(fc.integer({ min: 0, max: 2 * staleMs }))
const scene = fc.record({
  ages: fc.tuple(age, age, age, age),
  cause: fc.constantFrom(...causes),
  found: fc.constantFrom('own', 'control', 'none'),
  hasDefault: fc.boolean(),
})
const now = 10_000

function climb({ ages, cause, found, hasDefault }: typeof scene extends fc.Arbitrary<infer T> ? T : never) {
  const copies = createNearCache(1_000_000).copiesOf({ id: 'studio', erasures: 0 })
  for (const [index, generation] of places.entries()) {
    const kept = ages[index]
    if (kept !== null && kept !== undefined)
      copies.keep(`${tableOf(generation).bucketPrefix}row`, Buffer.from(`copy ${generation}`), now - kept)
  }
  const row = new NearRow('row', assigned, games, copies)
  const bytes = Buffer.from(`live ${found}`)
  const result: RecordReadResult =
    found === 'own'
      ? { from: 'own', bytes }
      : found === 'control'
        ? { from: 'control', bytes, cause }
        : { from: 'none', cause }
  const asked = { ...games, defaultRecord: hasDefault ? Buffer.from('default') : null }
  const outcome = climbDown(asked, { version: assigned, reason: 'split' }, result, row, now)
  if ('refused' in outcome) return outcome.refused
  expect(outcome.version).toBe(assigned)
  expect(outcome.cause).toBe(found === 'own' ? null : cause)
  return `${outcome.reason}: ${Buffer.from(outcome.packed).toString()}`
}

const isAnswer = (cause: Cause) => cause === 'unknown-row' || cause === 'no-table'

describe('the ladder', () => {
  test('gives the first rung that there is', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const { ages, cause, found, hasDefault } = given
        const copy = places.find((_, index) => (ages[index] ?? Number.POSITIVE_INFINITY) <= staleMs)
        const last = hasDefault
          ? 'default: default'
          : cause === 'unknown-row'
            ? 'record-not-found'
            : 'store-unavailable'
        const expected =
          found === 'own'
            ? 'split: live own'
            : found === 'control'
              ? 'sibling: live control'
              : copy !== undefined && !isAnswer(cause)
                ? `stale: copy ${copy}`
                : last
        expect(climb(given)).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  test('never gives a copy of a row that Redis said it does not have, from whatever generation', () => {
    const said = fc.constantFrom<RecordReadResult>(
      { from: 'none', cause: 'unknown-row' },
      { from: 'control', cause: 'unknown-row', bytes: Buffer.from('control') },
    )
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...places)), said, (kept, unknown) => {
        const copies = createNearCache(1_000_000).copiesOf({ id: 'studio', erasures: 0 })
        for (const generation of kept)
          copies.keep(`${tableOf(generation).bucketPrefix}row`, Buffer.from(`copy ${generation}`), now)
        const row = new NearRow('row', assigned, games, copies)
        row.heard(unknown, now)
        const copy = row.stale(now)
        const text = copy === null ? null : Buffer.from(copy).toString()
        expect(text).toBe(unknown.from === 'none' ? null : 'control')
      }),
    )
  })
})
