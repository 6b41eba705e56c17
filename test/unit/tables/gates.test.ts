import { describe, expect, test } from 'vitest'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { gateDefaults, resolveGates } from '../../../src/domain/gates.ts'
import type { TableStatistics } from '../../../src/domain/table-statistics.ts'
import { createColumnStatistics } from '../../../src/tables/column-statistics.ts'
import { describeFinding, failedGates, type MeasuredGeneration } from '../../../src/tables/gates.ts'

const record = recordSchemaDocument.parse({
  level: { type: 'int', min: -100, max: 100 },
  hours: { type: 'fixed', min: 0, max: 20, step: 0.5, default: 2 },
  games: { type: 'list', maxItems: 3, items: { type: 'uint', max: 1_000 } },
  segment: { type: 'enum', values: ['a', 'b', '__proto__'], default: 'a' },
  paying: { type: 'bool', optional: true },
  name: { type: 'string', maxBytes: 20, optional: true },
})

const statistics: TableStatistics = {
  means: { level: 10, hours: 5, games: 500 },
  shares: {
    segment: [
      ['a', 0.6],
      ['b', 0.4],
    ],
    paying: [['false', 0.9]],
  },
}
const measured = (more: Partial<MeasuredGeneration> = {}): MeasuredGeneration => ({
  record,
  rows: 1_000,
  bytes: 20_000,
  rowsRead: 1_000,
  badRows: 0,
  statistics,
  previous: { rows: 1_000, statistics, retainedKeys: { kept: 1_000, sampled: 1_000 } },
  ...more,
})
const failed = (more: Partial<MeasuredGeneration>, gates = gateDefaults) =>
  failedGates(gates, measured(more)).map(({ gate, field, found }) => [gate, field, found])
const previous = (more: Partial<NonNullable<MeasuredGeneration['previous']>>) => ({
  previous: { rows: 1_000, statistics, retainedKeys: null, ...more },
})

describe('the gates', () => {
  test('let the same table through again', () => {
    expect(failed({})).toEqual([])
  })

  test('stand exactly at what they allow', () => {
    const strict = { ...gateDefaults, minRows: 1_000, maxBytes: 20_000, maxBadRowShare: 0.1 }
    expect(failed({ rowsRead: 1_000, badRows: 100 }, strict)).toEqual([])
    expect(failed({ rows: 999, bytes: 20_001, rowsRead: 1_000, badRows: 101 }, strict)).toEqual([
      ['minRows', null, 999],
      ['maxBytes', null, 20_001],
      ['maxBadRowShare', null, 0.101],
    ])
    expect(failed(previous({ retainedKeys: { kept: 500, sampled: 1_000 } }))).toEqual([])
    expect(failed(previous({ retainedKeys: { kept: 499, sampled: 1_000 } }))).toEqual([
      ['minRetainedKeys', null, 0.499],
    ])
  })

  test('measure a mean’s change by the field’s range, up and down', () => {
    const before = { ...statistics, means: { level: -41, hours: 10.5, games: 251 } }
    expect(failed(previous({ statistics: before }))).toEqual([
      ['maxMeanChange', 'level', 0.255],
      ['maxMeanChange', 'hours', 0.275],
    ])
  })

  test('name the value whose share changed most, one that is new or gone too', () => {
    const before: TableStatistics = {
      means: {},
      shares: {
        segment: [
          ['b', 0.5],
          ['__proto__', 0.5],
        ],
        paying: [['true', 1]],
      },
    }
    expect(failed(previous({ statistics: before }))).toEqual([
      ['maxEnumShareChange', 'segment=a', 0.6],
      ['maxEnumShareChange', 'paying=true', 1],
    ])
  })

  test('compare only what both have', () => {
    const before = { means: { gone: 1 }, shares: { gone: [['x', 1] as [string, number]] } }
    expect(failed(previous({ statistics: before }))).toEqual([])
    expect(failed({ previous: null })).toEqual([])
  })

  test('compare with no table of few rows, however it differs', () => {
    const other = { means: { level: -100 }, shares: {} }
    const retainedKeys = { kept: 0, sampled: 99 }
    expect(failed(previous({ rows: 99, statistics: other, retainedKeys }))).toEqual([])
    expect(failed(previous({ rows: 100, statistics: other, retainedKeys }))).toHaveLength(2)
  })

  test('take their defaults one by one', () => {
    expect(resolveGates(undefined)).toEqual(gateDefaults)
    expect(resolveGates({ minRows: 7, maxBytes: undefined })).toEqual({ ...gateDefaults, minRows: 7 })
  })

  test('say in one line what they want', () => {
    const lines = failedGates(
      { ...gateDefaults, minRows: 2_000 },
      measured({
        statistics: { means: { level: 80 }, shares: { segment: [['b', 1]] } },
        ...previous({ retainedKeys: { kept: 1, sampled: 3 } }),
      }),
    ).map(describeFinding)
    expect(lines).toEqual([
      'minRows: 1000 rows; at least 2000 are wanted',
      "minRetainedKeys: 33.33 % of the active generation's row keys are still there; at least 50 % are wanted",
      'maxMeanChange: the mean of level moves by 35 % of its range; at most 25 % are allowed',
      'maxEnumShareChange: the share of segment=b changes by 60 %; at most 25 % are allowed',
    ])
  })
})

describe('column statistics', () => {
  test('count what is packed: stand-ins for what is absent, all of a list’s items, numbers as text or bigint', () => {
    const columns = createColumnStatistics(record, ['segment', 'games', 'hours', 'level', 'paying', 'name'])
    columns.add(['a', [1, 2, 3], 4, 10, true, 'x'])
    columns.add([null, [], null, 20n, null, null])
    columns.add(['__proto__', [6], 3, -6, false, 'y'])
    columns.add(['a', [8, null], 3, 0, false, 'y'])
    expect(columns.finish()).toEqual({
      means: { games: 4, hours: 3, level: 6 },
      shares: {
        segment: [
          ['a', 0.75],
          ['__proto__', 0.25],
        ],
        paying: [
          ['false', 0.5],
          ['true', 0.25],
        ],
      },
    })
  })

  test('of no rows are none', () => {
    expect(createColumnStatistics(record, ['level', 'segment']).finish()).toEqual({
      means: {},
      shares: { segment: [] },
    })
  })
})
