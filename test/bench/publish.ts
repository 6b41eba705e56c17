import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { print } from '../../src/commands/output.ts'
import { measureLargeTable } from './publishing/large-table.ts'
import { measureLoaders } from './publishing/loaders.ts'
import { measureMemory } from './publishing/memory.ts'
import { measureReaders } from './publishing/readers.ts'
import { openBenchSite } from './publishing/site.ts'
import { markdownOf, type Table } from './publishing/table.ts'

/**
 * `npm run bench:publish`: publishing against other loaders, what a row takes of memory, what readers notice, and what
 * a large table costs. Prints its tables, and writes them into docs/performance.md.
 */

const repetitions = Number(process.env['BENCH_REPETITIONS'] ?? 5)
const rows = Number(process.env['BENCH_ROWS'] ?? 1_000_000)
const largeRows = Number(process.env['BENCH_LARGE_ROWS'] ?? 10 * rows)

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
const [begin, end] = ['<!-- bench:publish -->', '<!-- /bench:publish -->'] as const

const site = await openBenchSite()
try {
  const tables = [
    await measureLoaders(site, rows, repetitions),
    await measureMemory(site, [rows / 10, rows, largeRows]),
    await measureReaders(site, rows, repetitions),
    await measureLargeTable(site, largeRows),
  ]
  const text = describe(tables)
  print(text)
  await writeInto(page, text)
} finally {
  await site.close()
}

function describe(tables: readonly Table[]): string {
  const day = new Date().toISOString().slice(0, 10)
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${site.engine}`
  const parts = [`${day}, ${machine}. Medians, with their range.`, ...tables.map(markdownOf)]
  return parts.join('\n\n')
}

async function writeInto(file: string, text: string): Promise<void> {
  const before = await readFile(file, 'utf8')
  const [from, to] = [before.indexOf(begin), before.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} has no place for it: ${begin} … ${end}`)
  await writeFile(file, `${before.slice(0, from)}${begin}\n${text}\n${before.slice(to)}`)
}
