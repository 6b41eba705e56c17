import { expect, test } from 'vitest'
import { describeCollectorEvent } from '../../../src/tables/describe-collector-event.ts'

/** The words that operators read. */

test('tables that were collected are told by model, generation and why, without what their publish was', () => {
  const why = 'not active since 2026-03-01T00:00:00.000Z'
  const packed = { version: 'popular', rows: 1_000, memoryBytes: 39_000, buckets: 13 }
  const collected = [{ ...packed, modelId: 'games', generation: 7, why, manifest: null }]
  const event = { event: 'collected', tenantId: 'studio', collection: { collected, forgotten: 2 } } as const
  expect(describeCollectorEvent(event)).toEqual({
    level: 'info',
    fields: { tenant: 'studio', tables: [{ model: 'games', generation: 7, why }], forgotten: 2 },
    message: 'tables collected',
  })
})

test('a user that may only read is no fault, and is told what collects instead', () => {
  const error = new Error("NOPERM User gateway has no permissions to run the 'set' command")
  expect(describeCollectorEvent({ event: 'forbidden', error })).toEqual({
    level: 'info',
    fields: { reason: error.message },
    message: 'this user may not collect tables; `recgate tables collect` does, under one that may',
  })
})

test('a store that fails is a warning, with its words alone', () => {
  // ioredis hangs the command's arguments on its errors.
  const error = Object.assign(new Error('READONLY no write'), {
    command: { name: 'set', args: ['lease', 'holder-7'] },
  })
  const line = describeCollectorEvent({ event: 'failed', error })
  expect(line).toEqual({
    level: 'warn',
    fields: { reason: 'READONLY no write' },
    message: 'tables can not be collected; trying again',
  })
  expect(JSON.stringify(line)).not.toContain('holder-7')
})
