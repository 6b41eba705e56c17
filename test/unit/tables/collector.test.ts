import { expect, test } from 'vitest'
import { OperationError } from '../../../src/domain/errors.ts'
import type { Collection } from '../../../src/tables/collect.ts'
import { type CollectorEvent, startCollector } from '../../../src/tables/collector.ts'
import { until } from '../../support/until.ts'

const nothing: Collection = { collected: [], forgotten: 0 }
const isForbidden = ({ message }: Error) => message.startsWith('NOPERM')

/** Runs until `done` says so; answers what was reported, and which tenants were asked for. */
async function run(
  collect: (tenantId: string, times: number) => Collection,
  done: (asked: readonly string[]) => boolean,
  tenants: (asked: readonly string[]) => readonly string[] = () => ['one', 'two'],
) {
  const events: CollectorEvent[] = []
  const asked: string[] = []
  const collector = startCollector({
    tenants: async () => tenants(asked),
    collect: async (tenantId) => {
      asked.push(tenantId)
      return collect(tenantId, asked.length)
    },
    everyMs: 2,
    isForbidden,
    report: (event) => events.push(event),
  })
  await until('it has run', () => done(asked))
  await collector.close()
  return { events, asked }
}

test('every tenant has its turn, again and again, and only what was done is told', async () => {
  const { events, asked } = await run(
    (tenantId, times) => (tenantId === 'two' && times === 4 ? { collected: [], forgotten: 3 } : nothing),
    (tenants) => tenants.length >= 6,
  )
  expect(asked.slice(0, 6)).toEqual(['one', 'two', 'one', 'two', 'one', 'two'])
  expect(events).toEqual([
    { event: 'collected', tenantId: 'two', collection: { collected: [], forgotten: 3 } },
  ])
})

test('another process’ turn is no failure, and one tenant’s failure holds up no other', async () => {
  const { events } = await run(
    (tenantId, times) => {
      if (times === 1) throw new OperationError('being collected already')
      if (tenantId === 'one' && times === 3) throw new Error('Connection is closed.')
      return nothing
    },
    (tenants) => tenants.length >= 6,
  )
  expect(events).toEqual([{ event: 'failed', error: new Error('Connection is closed.') }])
})

test('where Redis forbids it, that is told once, and nothing is tried again', async () => {
  const events: CollectorEvent[] = []
  let asked = 0
  const collector = startCollector({
    tenants: async () => ['one', 'two'],
    collect: async () => {
      asked++
      throw new Error("NOPERM this user has no permissions to run the 'set' command")
    },
    everyMs: 2,
    isForbidden,
    report: (event) => events.push(event),
  })
  await until('it is told', () => events.length > 0)
  // As many turns as the others had.
  const { asked: others } = await run(
    () => nothing,
    (tenants) => tenants.length >= 6,
  )
  expect(others.length).toBeGreaterThanOrEqual(6)
  await collector.close()
  expect([asked, events.length, events[0]!.event]).toEqual([1, 1, 'forbidden'])
})

test('a list of tenants out of reach is told, and asked for again', async () => {
  let fails = true
  const { events } = await run(
    () => nothing,
    (tenants) => tenants.length >= 2,
    () => {
      if (!fails) return ['one', 'two']
      fails = false
      throw new Error('Command timed out')
    },
  )
  expect(events).toEqual([{ event: 'failed', error: new Error('Command timed out') }])
})
