import { expect, test } from 'vitest'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { createColumnStatistics } from '../../../src/tables/column-statistics.ts'
import { mergeStatistics } from '../../../src/tables/merge-statistics.ts'

const values = Array.from({ length: 60 }, (_, index) => `v${index}`)
const schema = recordSchemaDocument.parse({
  score: { type: 'int', min: -100, max: 100 },
  games: { type: 'list', maxItems: 4, items: { type: 'uint', max: 1_000 } },
  segment: { type: 'enum', values },
  isNew: { type: 'bool', optional: true },
  never: { type: 'uint', max: 3, optional: true },
})
const names = Object.keys(schema)

/** Each shard knows other values, and other numbers of items, than the others. */
function rowOf(index: number): unknown[] {
  const segment = values[Math.floor((index * index) / 2_000) % 60]
  const games = Array.from(
    { length: index % 5 === 0 ? 0 : index % 4 },
    (_, item) => (index * 7 + item) % 1_000,
  )
  return [(index % 201) - 100, games, segment, index % 3 === 0 ? null : index % 3 === 1, null]
}

test('statistics of shards add up to those of all rows', () => {
  const whole = createColumnStatistics(schema, names)
  const shards = [100, 350, 351, 0, 199].map((rows) => ({
    rows,
    part: createColumnStatistics(schema, names),
  }))
  let index = 0
  for (const { rows, part } of shards)
    for (let row = 0; row < rows; row++, index++) for (const one of [whole, part]) one.add(rowOf(index))
  const merged = mergeStatistics(shards.map(({ part }) => JSON.parse(JSON.stringify(part.sums()))))
  const expected = whole.finish()
  expect(merged.means).toEqual(expected.means)
  expect(Object.keys(merged.means)).toEqual(['score', 'games'])
  const byValue = (shares: [string, number][] = []) => shares.map(([, share]) => share)
  expect(byValue(merged.shares['segment'])).toEqual(byValue(expected.shares['segment']))
  expect(merged.shares['segment']).toHaveLength(32)
  expect(new Map(merged.shares['isNew'])).toEqual(new Map(expected.shares['isNew']))
})
