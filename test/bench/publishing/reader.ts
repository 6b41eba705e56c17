import { createRecordReader } from '../../../src/redis/record-reader.ts'
import { testClient } from '../../support/redis-clients.ts'
import { testTools } from '../../support/studio.ts'
import { until } from '../../support/until.ts'
import { idOfRow, model, tenant, version } from './bench-studio.ts'

/**
 * A gateway's reads without the gateway, in a process of its own: so many a second whether answers come or not, each of
 * another row of the table that is active when it starts, timed from the turn in which it was given.
 *
 * Arguments: REDIS_URL ROWS READS_PER_SECOND. Sends `{}` when it reads, and what it met since the last time at every
 * message.
 */
export interface Waits {
  readonly reads: number
  readonly missed: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const [url = '', rows = '', readsPerSecond = ''] = process.argv.slice(2)
const tools = await testTools(url)
const own = await activeTable()
tools.close()
const client = testClient('reads', url)
const reader = createRecordReader(client)
await until('Redis is connected', () => client.status === 'ready')

let [waitsMs, missed]: [number[], number] = [[], 0]
const startedAt = performance.now()
let given = 0
setInterval(() => {
  const due = ((performance.now() - startedAt) / 1000) * Number(readsPerSecond)
  for (; given < due; given++) read()
}, 1)

function read(): void {
  const rowKey = idOfRow(Math.floor(Math.random() * Number(rows)))
  const givenAt = performance.now()
  // Longer than any read of this should take: the wait is what is asked for.
  void reader.read({ rowKey, own, control: null }, givenAt + 10_000).then(({ from }) => {
    waitsMs.push(performance.now() - givenAt)
    if (from !== 'own') missed++
  })
}

async function activeTable() {
  const { state } = await tools.generationCatalog({ who: 'bench', why: 'bench' }).read(tenant)
  const found = Object.entries(state.models[model]!.generations).find(
    ([, entry]) => entry.version === version && entry.state === 'active',
  )
  if (found === undefined) throw new Error('there is no active table to read')
  const [generation, entry] = found
  return { ...entry, generation: Number(generation), bucketPrefix: `rg:t:${tenant}:${model}:${generation}:` }
}

function takeWaits(): Waits {
  const sorted = waitsMs.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const taken = { reads: sorted.length, missed, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  ;[waitsMs, missed] = [[], 0]
  return taken
}

process.on('message', () => process.send?.(takeWaits()))
process.on('disconnect', () => process.exit(0))
process.send?.({})
