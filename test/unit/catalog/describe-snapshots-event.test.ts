import { expect, test } from 'vitest'
import { describeSnapshotsEvent } from '../../../src/catalog/describe-snapshots-event.ts'
import { limits } from '../../../src/domain/limits.ts'

/** The words that operators read; that each is said once is held where the events are made. */

test('a catalog that runs backwards says what to run, above every revision that is served', () => {
  const tenants = [
    { tenantId: 'a', servedRevision: 7, storedRevision: 5 },
    { tenantId: 'b', servedRevision: 1_841, storedRevision: 1_840 },
  ]
  const { level, fields, message } = describeSnapshotsEvent({ event: 'backwards', tenants })
  expect(level).toBe('error')
  expect(message).toMatch(/ recgate catalog apply FILE… --revision-above 1841$/)
  expect(fields).toEqual({
    count: 2,
    tenants: [
      { tenant: 'a', servedRevision: 7, storedRevision: 5 },
      { tenant: 'b', servedRevision: 1_841, storedRevision: 1_840 },
    ],
  })
})

test('a catalog of thousands that vanishes is one line of bounded length', () => {
  const tenants = Array.from({ length: 5_000 }, (_, index) => ({
    tenantId: `t${index}`,
    servedRevision: index,
  }))
  const { fields, message } = describeSnapshotsEvent({ event: 'vanished', tenants })
  expect(fields['count']).toBe(5_000)
  expect(fields['tenants']).toHaveLength(limits.tenantsLoggedMax)
  expect(message).toMatch(/--revision-above 4999$/)
  const over = describeSnapshotsEvent({ event: 'over', tenantIds: tenants.map(({ tenantId }) => tenantId) })
  expect(over.fields['tenants']).toHaveLength(limits.tenantsLoggedMax)
})

test('what is served meanwhile is said, and what is not', () => {
  const error = new Error('no route')
  expect(describeSnapshotsEvent({ event: 'unreachable', error, served: true }).message).toContain(
    'what was loaded is served',
  )
  expect(describeSnapshotsEvent({ event: 'unreachable', error, served: false }).message).not.toContain(
    'served',
  )
  const broken = { event: 'broken', tenantId: 'a', error } as const
  expect(describeSnapshotsEvent({ ...broken, served: true }).message).toContain('the last good one is')
  expect(describeSnapshotsEvent({ ...broken, served: false }).message).toContain(
    'there is no earlier good one',
  )
})
