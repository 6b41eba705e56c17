import { note } from '../../../src/commands/output.ts'
import { makeParquet, numericId, uuid } from './bench-studio.ts'
import { writeHashes } from './loaders.ts'
import type { BenchSite } from './site.ts'
import type { Table } from './table.ts'

/** The same players as one hash each: what a row takes doesn't depend on how many there are. */
const hashRows = 100_000

/** What a row takes of Redis' memory, by its own account, before and after. */
export async function measureMemory(site: BenchSite, sizes: readonly number[]): Promise<Table> {
  const rows: string[][] = []
  for (const [ids, playerId] of [
    ['numeric ids', numericId],
    ['UUIDs', uuid],
  ] as const) {
    note(`memory: ${ids}`)
    const few = await makeParquet(site.directory, 'few', hashRows, playerId)
    const hash = await bytesPerRow(site, hashRows, () => writeHashes(site.hands, few))
    rows.push([`one hash a player, ${ids}`, hashRows.toLocaleString('en'), hash.toFixed(1), '1'])
    for (const size of sizes) {
      const file = await makeParquet(site.directory, 'memory', size, playerId)
      const packed = await bytesPerRow(site, size, () => site.publishFile(file))
      rows.push([
        `packed in buckets, ${ids}`,
        size.toLocaleString('en'),
        packed.toFixed(1),
        `1/${(hash / packed).toFixed(1)}`,
      ])
    }
  }
  return { head: ['layout', 'rows', 'bytes a row', 'of a hash a player'], rows }
}

async function bytesPerRow(site: BenchSite, count: number, load: () => Promise<unknown>): Promise<number> {
  await site.reset()
  const before = await site.usedMemory()
  await load()
  return ((await site.usedMemory()) - before) / count
}
