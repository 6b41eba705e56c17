import { openStateDirectory } from '../../src/disk/state-directory.ts'

/** Writes two files for ever, as fast as it can, and prints each round that is on the disk: to be killed in the midst. */

const [path = ''] = process.argv.slice(2)
const state = openStateDirectory({
  path,
  delayMs: 0,
  report: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
})
for (let round = 1; ; round++) {
  const value = { round, text: String(round % 10).repeat(4_000_000) }
  for (const name of ['tenant.a', 'tenant.b']) state.write(name, value)
  while (state.writes().done < 2 * round) await new Promise((resolve) => setTimeout(resolve, 1))
  process.stdout.write(`${round}\n`)
}
