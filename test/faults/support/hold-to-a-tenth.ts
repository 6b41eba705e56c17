import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ground } from '../scenario.ts'
import { cannotRunTopologies } from './machine.ts'
import { measurePeak, type Rate } from './measure-peak.ts'
import type { Stage } from './stage.ts'

/** Holds a gateway to a tenth of a core, so that ten times what it can do can be asked of it by the same machine. */

const corePercent = 10
/** cpulimit begins with a guess, and finds its measure within seconds. */
const settleMs = 2_000

export async function cannotHoldCpu(): Promise<string | null> {
  const missing = await cannotRunTopologies()
  if (missing !== null) return missing
  return (await findCpulimit()) === null ? 'install cpulimit (Debian: apt-get install cpulimit)' : null
}

async function findCpulimit(): Promise<string | null> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const program = join(directory, 'cpulimit')
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return program
  }
  return null
}

/** Until the ground is cleared. Answers the peak, in useful answers a second. */
export async function holdToATenth(ground: Ground, stage: Stage): Promise<number> {
  // Warm, before it is held: a tenth of a core compiles for half a minute.
  await measurePeak(stage, ground.isLong ? 4_000 : 1_000)
  await limit(ground, stage.gateway.pid())
  const measured = await measurePeak(stage, ground.isLong ? 15_000 : 1_500)
  const peak = atATenth(measured)
  ground.setting(
    `peak at ${corePercent} % of a core: ${Math.round(peak)}/s (${Math.round(measured.perSecond)}/s at ${measured.corePercent.toFixed(1)} %)`,
  )
  return peak
}

/** cpulimit holds the mean over seconds only: where it let more through just then, there would have been so much less. */
export function atATenth({ perSecond, corePercent: taken }: Rate): number {
  return perSecond * Math.min(1, corePercent / taken)
}

async function limit(ground: Ground, pid: number): Promise<void> {
  const parameters = ['--limit', String(corePercent), '--pid', String(pid), '--lazy']
  const child: ChildProcess = spawn((await findCpulimit())!, parameters, { stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  ground.onEnd(async () => {
    child.kill('SIGKILL')
    await exited
    // It stops and continues the process by turns, and may have left it stopped.
    process.kill(pid, 'SIGCONT')
  })
  await pause(settleMs)
}
