import { describe, expect, test } from 'vitest'
import { limits } from '../../../src/domain/limits.ts'
import type { ActiveTable, CompiledVersion } from '../../../src/domain/snapshot.ts'
import { createNearCache } from '../../../src/serving/near-cache.ts'
import { NearRow } from '../../../src/serving/near-row.ts'
import type { RecordReadResult } from '../../../src/serving/ports.ts'
import { compiledModel } from './model.ts'

const tableOf = (generation: number): ActiveTable => ({
  generation,
  token: `token-${generation}`,
  buckets: 4,
  rows: 1,
  bucketPrefix: `rg:t:studio:games:${generation}:`,
})
const model = compiledModel('games')
const serving = (version: CompiledVersion, active: number | null, previous: number | null) => ({
  ...version,
  table: active === null ? null : tableOf(active),
  previousPrefix: previous === null ? null : tableOf(previous).bucketPrefix,
})

const own = (text: string): RecordReadResult => ({ from: 'own', bytes: Buffer.from(text) })
const unknownRow: RecordReadResult = { from: 'none', cause: 'unknown-row' }

/** A tenant whose clock is set by hand, and rows of it as requests make them. */
function scene({ freshMs = 0, staleMs = 60_000 } = {}) {
  const time = { ms: 1_000 }
  const copies = createNearCache(1_000_000).copiesOf({ id: 'studio', erasures: 0 })
  const rowOf = (active: number | null, previous: number | null = null, rowKey = 'row') => {
    const control = serving(model.control, 90, null)
    const version = serving(model.versions.get('v2')!, active, previous)
    const row = new NearRow(rowKey, version, { freshMs, staleMs, control }, copies)
    return {
      heard: (result: RecordReadResult) => row.heard(result, time.ms),
      distrust: (whose: 'own' | 'control') => row.distrust(whose),
      stale: () => row.stale(time.ms),
      fresh: () => row.fresh(time.ms),
    }
  }
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  return {
    time,
    rowOf,
    stale: (row: ReturnType<typeof rowOf>) => text(row.stale()),
    fresh: (row: ReturnType<typeof rowOf>) => {
      const found = row.fresh()
      return found?.from === 'own' ? text(found.bytes) : found
    },
  }
}

describe('a stale copy', () => {
  test('answers for staleMs, from the last answer of Redis on', () => {
    const { time, rowOf, stale } = scene({ staleMs: 60_000 })
    const row = rowOf(1)
    expect(stale(row)).toBeNull()
    row.heard(own('record'))
    time.ms += 60_000
    expect(stale(row)).toBe('record')
    expect(stale(rowOf(1))).toBe('record')
    time.ms += 1
    expect(stale(row)).toBeNull()
    row.heard(own('record'))
    time.ms += 30_000
    row.heard(own('record'))
    time.ms += 59_999
    expect(stale(row)).toBe('record')
  })

  test.each([
    [3_600_000, limits.nearCacheRenewMs],
    [5_000, 500],
  ])('of %i ms is renewed after %i, so that it never looks a tenth older than that', (staleMs, renewMs) => {
    const { time, rowOf, stale } = scene({ staleMs })
    const row = rowOf(1)
    row.heard(own('first'))
    time.ms += renewMs - 1
    row.heard(own('second'))
    expect(stale(row)).toBe('first')
    // Another token's requests have a row of their own.
    rowOf(1).heard(own('third'))
    expect(stale(row)).toBe('third')
    time.ms += 1
    row.heard(own('fourth'))
    expect(stale(row)).toBe('fourth')
  })

  test('is kept where staleSeconds says so, and not at all where both are 0', () => {
    const { rowOf, stale, fresh } = scene({ staleMs: 0 })
    rowOf(1).heard(own('record'))
    expect([stale(rowOf(1)), fresh(rowOf(1))]).toEqual([null, null])
  })

  test('of the generation before stands in until the active one has its own', () => {
    const { rowOf, stale } = scene()
    rowOf(1).heard(own('of 1'))
    const after = rowOf(2, 1)
    expect(stale(after)).toBe('of 1')
    after.heard(own('of 2'))
    expect(stale(after)).toBe('of 2')
    // Rolled back from 2: nothing leads to its copies.
    expect(stale(rowOf(1))).toBe('of 1')
    expect(stale(rowOf(3, 1))).toBe('of 1')
    expect(stale(rowOf(3))).toBeNull()
  })

  test('of a row that is no more is given up in both generations, also between two answers that say the same', () => {
    const { rowOf, stale } = scene()
    rowOf(1).heard(own('of 1'))
    const row = rowOf(2, 1)
    row.heard(own('of 2'))
    row.heard(unknownRow)
    expect(stale(row)).toBeNull()
    row.heard(own('of 2'))
    expect(stale(row)).toBe('of 2')
  })

  test('of control stands in for a version that has none, and for one without a table', () => {
    const { rowOf, stale } = scene()
    const bytes = Buffer.from('of control')
    rowOf(1).heard({ from: 'control', cause: 'table-damaged', bytes })
    expect(stale(rowOf(1))).toBe('of control')
    expect(stale(rowOf(null))).toBe('of control')
    expect(stale(rowOf(1, null, 'other'))).toBeNull()
    const damaged = rowOf(1)
    damaged.heard(own('own'))
    damaged.heard({ from: 'control', cause: 'table-damaged', bytes })
    expect(stale(damaged)).toBe('own')
    damaged.heard({ from: 'control', cause: 'unknown-row', bytes })
    expect(stale(damaged)).toBe('of control')
  })

  test.each(['store', 'deadline', 'client-deadline', 'table-damaged', 'no-table'] as const)(
    'outlives the cause %s',
    (cause) => {
      const { rowOf, stale } = scene()
      const row = rowOf(1)
      row.heard(own('record'))
      row.heard({ from: 'none', cause })
      expect(stale(row)).toBe('record')
    },
  )
})

describe('a fresh copy', () => {
  test('answers for freshMs, and each read renews it', () => {
    const { time, rowOf, fresh } = scene({ freshMs: 500 })
    expect(fresh(rowOf(1))).toBeNull()
    for (const text of ['first', 'second']) {
      rowOf(1).heard(own(text))
      time.ms += 500
      expect(fresh(rowOf(1))).toBe(text)
      time.ms += 1
      expect(fresh(rowOf(1))).toBeNull()
    }
  })

  test('is the own row of the active generation, and nothing else', () => {
    const { rowOf, fresh } = scene({ freshMs: 500 })
    rowOf(1).heard(own('of 1'))
    expect(fresh(rowOf(2, 1))).toBeNull()
    const row = rowOf(2)
    row.heard({ from: 'control', cause: 'unknown-row', bytes: Buffer.from('of control') })
    expect(fresh(row)).toBeNull()
    expect(fresh(rowOf(null))).toBeNull()
    row.heard(unknownRow)
    expect(fresh(row)).toBeNull()
  })

  test('is none where the model has no such time', () => {
    const { rowOf, fresh } = scene({ freshMs: 0 })
    rowOf(1).heard(own('record'))
    expect(fresh(rowOf(1))).toBeNull()
  })
})

describe('a copy that turned out to be wrong', () => {
  const ofControl: RecordReadResult = { from: 'control', cause: 'store', bytes: Buffer.from('of control') }

  test('as the own row’s answers no more, and the next one stands in for it', () => {
    const { rowOf, fresh, stale } = scene({ freshMs: 500 })
    rowOf(1).heard(own('before'))
    rowOf(2).heard(ofControl)
    const row = rowOf(2, 1)
    row.heard(own('broken'))
    row.distrust('own')
    expect([fresh(row), stale(row)]).toEqual([null, 'before'])
    expect(stale(rowOf(2))).toBe('of control')
  })

  test('as control’s leaves the own one', () => {
    const { rowOf, stale } = scene()
    rowOf(1).heard(own('record'))
    rowOf(2).heard(ofControl)
    rowOf(2).distrust('control')
    expect([stale(rowOf(1)), stale(rowOf(2))]).toEqual(['record', null])
  })

  test('since the own table lacks the row, while control could not be asked, leaves control’s', () => {
    const { rowOf, stale } = scene()
    rowOf(1).heard(own('of 1'))
    rowOf(2).heard(ofControl)
    const row = rowOf(2, 1)
    row.heard({ from: 'none', cause: 'table-damaged', ownIsUnknown: true })
    expect(stale(row)).toBe('of control')
  })
})
