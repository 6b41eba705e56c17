import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { findRedisServer } from '../../src/commands/local-redis.ts'
import { note, print, printTable } from '../../src/commands/output.ts'
import { type Run, writePage } from './page.ts'
import { play, type Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/**
 * `npm run faults [-- NAME…]`: the long form of every row, one after the other, with all figures judged; writes
 * docs/reliability.md. Ends with 1 where a row isn't reached, with 2 for a name that is none.
 */

// Every process that a row starts is ended with this one.
process.setMaxListeners(100)

const page = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))
const names = process.argv.slice(2)
const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name))

if (unknown.length > 0) {
  note(`no such row: ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const runs: Run[] = []
for (const scenario of scenarios.filter(({ name }) => names.length === 0 || names.includes(name))) {
  runs.push(await run(scenario))
  // After each, so that a run that is cut short has said what it knows.
  await writePage(page, runs, scenarios)
}
process.exit(runs.every(({ outcome }) => outcome?.findings.every(({ holds }) => holds)) ? 0 : 1)

async function run(scenario: Scenario): Promise<Run> {
  note(`${scenario.name}: ${scenario.fault}`)
  const startedAt = performance.now()
  const machine = await machineNow()
  const missing = (await scenario.missing?.()) ?? null
  const result = missing === null ? await played(scenario) : { outcome: null, reason: missing }
  const seconds = (performance.now() - startedAt) / 1000
  if (result.outcome === null) print(`${scenario.name}: not measured: ${result.reason}`)
  else
    printTable(
      [scenario.name, 'FOUND', 'MUST BE', ''],
      result.outcome.findings.map(({ what, found, bound, holds }) => [
        what,
        found,
        bound,
        holds ? '' : 'MISSED',
      ]),
    )
  return { scenario, ...result, seconds, machine, date: new Date().toISOString().slice(0, 10) }
}

async function played(scenario: Scenario): Promise<Pick<Run, 'outcome' | 'reason'>> {
  try {
    return { outcome: await play(scenario, { isLong: true }), reason: null }
  } catch (error) {
    // One row that breaks must not hide those after it.
    note(String((error as Error).stack))
    return { outcome: null, reason: `it broke off: ${(error as Error).message}` }
  }
}

/** What figures depend on, as it is when a row begins. */
async function machineNow(): Promise<string> {
  const redis = await findRedisServer()
  const version = redis === null ? 'no Redis' : execFileSync(redis, ['--version'], { encoding: 'utf8' })
  const engine = /v=(\S+)/.exec(version)?.[1] ?? version.trim()
  return (
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `${process.platform} ${release()}, Node ${process.version}, Redis ${engine}, load average ${loadavg()[0]!.toFixed(1)} before`
  )
}
