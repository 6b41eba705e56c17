import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { note } from '../../../src/commands/output.ts'
import { activate } from '../../../src/tables/activate.ts'
import { removeTable } from '../../../src/tables/remove-table.ts'
import { rollBack } from '../../../src/tables/roll-back.ts'
import { makeParquet, model, numericId, tenant, version } from './bench-studio.ts'
import { publishInProcess } from './publisher.ts'
import type { Waits } from './reader.ts'
import type { BenchSite } from './site.ts'
import type { Table } from './table.ts'

/** What only a large table shows: the publisher's memory, how long a switch takes, how long collecting holds Redis. */
export async function measureLargeTable(site: BenchSite, rows: number): Promise<Table> {
  const { tools, hands } = site
  const files = [
    await makeParquet(site.directory, 'first', rows, numericId, 0),
    await makeParquet(site.directory, 'second', rows, numericId, 1),
  ]
  await site.reset()
  note('large table: first publish')
  const first = await publishInProcess(site.url, files[0]!)
  note('large table: second publish')
  const second = await publishInProcess(site.url, files[1]!)
  const services = {
    store: tools.tables,
    catalog: tools.generationCatalog({ who: 'bench', why: 'bench' }),
    now: () => new Date(),
  }
  const place = { tenantId: tenant, modelId: model }
  const rollback = await secondsOf(() => rollBack(services, { ...place, versionId: version }))
  const activation = await secondsOf(() =>
    activate(services, { ...place, generation: 2 }, { despiteGates: true }),
  )

  const reader = fork(new URL('reader.ts', import.meta.url), [site.url, String(rows), '1000'])
  await once(reader, 'message')
  const take = async () => {
    reader.send({})
    return (await once(reader, 'message'))[0] as Waits
  }
  await pause(3_000)
  const quiet = await take()
  await hands.config('SET', 'slowlog-log-slower-than', '500')
  await hands.slowlog('RESET')
  note('large table: taking one away')
  const { state } = await services.catalog.read(tenant)
  const { buckets } = state.models[model]!.generations['1']!
  const collecting = await secondsOf(() => removeTable(tools.tables, { ...place, generation: 1 }, buckets))
  const busy = await take()
  reader.disconnect()
  const slow = (await hands.slowlog('GET', 1_000)) as readonly (readonly [number, number, number])[]
  const longestMs = Math.max(0, ...slow.map(([, , microseconds]) => microseconds / 1_000))
  const megabytes = (bytes: number | null) => (bytes === null ? 'unknown' : `${Math.round(bytes / 1e6)} MB`)
  return {
    head: [`${rows.toLocaleString('en')} rows`, 'measured'],
    rows: [
      ['publish, first and second', `${first.seconds.toFixed(1)} s and ${second.seconds.toFixed(1)} s`],
      [
        'most memory that the publisher had',
        `${megabytes(first.residentBytesMax)} and ${megabytes(second.residentBytesMax)}`,
      ],
      ['rollback', `${(rollback * 1_000).toFixed(0)} ms`],
      ['activation', `${(activation * 1_000).toFixed(0)} ms`],
      ['taking the old generation away', `${collecting.toFixed(1)} s`],
      [
        'commands over 0.5 ms meanwhile, by SLOWLOG',
        slow.length === 0 ? 'none' : `${slow.length}, the longest ${longestMs.toFixed(1)} ms`,
      ],
      [
        'longest wait of 1,000 reads a second meanwhile',
        `${busy.maxMs.toFixed(1)} ms (quiet: ${quiet.maxMs.toFixed(1)}), p99 ${busy.p99Ms.toFixed(2)} ms (quiet: ${quiet.p99Ms.toFixed(2)})`,
      ],
    ],
  }
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}
