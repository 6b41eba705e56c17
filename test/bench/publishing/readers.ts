import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { note } from '../../../src/commands/output.ts'
import { median, range } from '../statistics.ts'
import { makeParquet, numericId } from './bench-studio.ts'
import { publishInProcess } from './publisher.ts'
import type { Waits } from './reader.ts'
import type { BenchSite } from './site.ts'
import type { Table } from './table.ts'

const readsPerSecond = 1_000
const quietMs = 3_000

/** How long reads wait while a table is published beside them, and while none is, in turns. */
export async function measureReaders(site: BenchSite, rows: number, repetitions: number): Promise<Table> {
  const files = [
    await makeParquet(site.directory, 'first', rows, numericId, 0),
    await makeParquet(site.directory, 'second', rows, numericId, 1),
  ]
  await site.reset()
  await site.publishFile(files[0]!)
  const reader = fork(new URL('reader.ts', import.meta.url), [site.url, String(rows), String(readsPerSecond)])
  await once(reader, 'message')
  const [quiet, busy]: [Waits[], Waits[]] = [[], []]
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    note(`readers: repetition ${repetition} of ${repetitions}`)
    await waitsOf(reader)
    await pause(quietMs)
    quiet.push(await waitsOf(reader))
    await publishInProcess(site.url, files[repetition % 2]!)
    busy.push(await waitsOf(reader))
  }
  reader.disconnect()
  const missed = [...quiet, ...busy].reduce((sum, waits) => sum + waits.missed, 0)
  if (missed > 0) throw new Error(`${missed} reads found nothing`)
  const rowOf = (name: string, all: readonly Waits[]) => [
    name,
    median(all.map(({ p50Ms }) => p50Ms)).toFixed(2),
    range(all.map(({ p99Ms }) => p99Ms)),
    range(all.map(({ maxMs }) => maxMs)),
    range(all.map(({ p99Ms }, index) => p99Ms / quiet[index]!.p99Ms)),
  ]
  return {
    head: [`${readsPerSecond} reads a second`, 'p50 ms', 'p99 ms', 'longest ms', 'p99, of a quiet Redis'],
    rows: [rowOf('quiet', quiet), rowOf(`${rows.toLocaleString('en')} rows published beside`, busy)],
  }
}

async function waitsOf(reader: ChildProcess): Promise<Waits> {
  reader.send({})
  const [waits] = await once(reader, 'message')
  return waits as Waits
}
