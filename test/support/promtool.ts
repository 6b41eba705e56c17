import { spawnSync } from 'node:child_process'

/** Prometheus' own checker, where the machine has it: Debian's package `prometheus`. */
export const hasPromtool = spawnSync('promtool', ['--version']).error === undefined

if (!hasPromtool)
  process.stderr.write(
    'skipping what promtool checks: there is none on PATH; `apt-get install prometheus` has it\n',
  )

/** What promtool has against it; empty: nothing. */
export function promtoolFaults(args: readonly string[], stdin = ''): string {
  const { status, stdout, stderr } = spawnSync('promtool', [...args], { input: stdin, encoding: 'utf8' })
  return status === 0 ? '' : `${stdout}${stderr}`
}
