import { expect, test } from 'vitest'
import type { Cause } from '../../../src/domain/reasons.ts'
import { createBoundedRead } from '../../../src/serving/bounded-reads.ts'
import type { RecordReadResult } from '../../../src/serving/ports.ts'
import type { ReadPace } from '../../../src/serving/read-bound.ts'
import { compiledModel } from './model.ts'

const model = compiledModel('games', { deadlineMs: 100 })
const row = { rowKey: 'a', own: null, control: null }
const own: RecordReadResult = { from: 'own', bytes: new Uint8Array([1]) }
const none = (cause: Cause): RecordReadResult => ({ from: 'none', cause })

/** Reads once, from a reader that takes so long; says what came and what the bound was told. */
async function readOnce(found: RecordReadResult, tookMs: number, byClient = false, of = model) {
  let nowMs = 0
  const told: ReadPace[] = []
  const read = createBoundedRead(
    {
      async read() {
        nowMs += tookMs
        return found
      },
    },
    { enter: () => true, leave: (pace) => void told.push(pace), inFlight: () => 0, size: () => 1 },
    () => nowMs,
  )
  const result = await read(row, of, { at: byClient ? 5 : 100, modelAt: 100 })
  return { result, told }
}

test.each<[string, RecordReadResult, number, ReadPace]>([
  ['a record that was soon there', own, 50, 'quick'],
  ['a record that took more than half the time', own, 51, 'slow'],
  ['an unknown row', none('unknown-row'), 1, 'quick'],
  ['a damaged table', none('table-damaged'), 60, 'slow'],
  ['a read that came too late', none('deadline'), 100, 'slow'],
  ['a store that failed', none('store'), 99, 'neutral'],
  ['a version without a table', none('no-table'), 0, 'neutral'],
])('%s', async (_, found, tookMs, pace) => {
  expect(await readOnce(found, tookMs)).toEqual({ result: found, told: [pace] })
})

test('a model that allows little says nothing of a store that is quick for others', async () => {
  const hasty = compiledModel('games', { deadlineMs: 5 })
  expect((await readOnce(own, 4, false, hasty)).told).toEqual(['quick'])
  expect((await readOnce(own, 26, false, hasty)).told).toEqual(['slow'])
})

test('a read that began when most of its time was gone is not quick because it ended soon', async () => {
  expect((await readOnce(none('deadline'), 12)).told).toEqual(['neutral'])
})

test('a client without patience says nothing of the store', async () => {
  const { result, told } = await readOnce(none('deadline'), 5, true)
  expect([result, told]).toEqual([none('client-deadline'), ['neutral']])
})

test('beyond the bound nothing is read', async () => {
  const read = createBoundedRead(
    { read: () => Promise.reject(new Error('read')) },
    { enter: () => false, leave: () => expect.unreachable(), inFlight: () => 0, size: () => 1 },
  )
  expect(await read(row, model, { at: 100, modelAt: 100 })).toEqual(none('shed'))
})
