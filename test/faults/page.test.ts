import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Run, writePage } from './page.ts'
import type { Scenario } from './scenario.ts'

const scenario = (name: string): Scenario => ({
  name,
  fault: `fault ${name}`,
  mustHold: 'it holds',
  run: async () => undefined,
})
const rows = ['one', 'two', 'three'].map(scenario)

function run(row: number, date: string, p99: number): Run {
  const finding = {
    what: 'p99',
    found: `${p99} ms | ${p99}`,
    bound: '≤ 60 ms',
    holds: p99 <= 60,
    isFigure: true,
  }
  const outcome = { findings: [finding], settings: ['500 requests/s'] }
  return { scenario: rows[row]!, outcome, reason: null, seconds: 1, date, machine: 'a machine' }
}

test('a page keeps the rows that were not run, with their own dates, and says what is not reached', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-page-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, 'page.md')
  await writePage(file, [run(1, '2026-01-01', 70), run(0, '2026-01-01', 50)], rows)
  await writePage(file, [run(0, '2026-02-02', 61)], rows)
  const page = await readFile(file, 'utf8')
  const table = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('fault '))
  expect(table).toEqual([
    '| [fault one](#one) | **not reached**: p99: 61 ms \\| 61 (≤ 60 ms) | 2026-02-02 |',
    '| [fault two](#two) | **not reached**: p99: 70 ms \\| 70 (≤ 60 ms) | 2026-01-01 |',
    '| fault three | not run yet | |',
  ])
  expect(page.match(/^## /gm)).toHaveLength(2)
  expect(page).toContain('`npm run faults -- two`, 2026-01-01, 1 s, on a machine.')
})
