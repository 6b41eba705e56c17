import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ground } from '../scenario.ts'
import { cannotRunTopologies } from './machine.ts'

/** Holds a process to a part of a core, so that ten times what it can do can be asked of it by the same machine. */

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

export async function cannotHoldCpu(): Promise<string | null> {
  return (
    (await cannotRunTopologies()) ??
    ((await findCpulimit()) === null ? 'install cpulimit (Debian: apt-get install cpulimit)' : null)
  )
}

/** cpulimit begins with a guess, and finds its measure within seconds. */
const settleMs = 2_000

/** Until the ground is cleared. `percent` of one core. */
export async function holdCpu(ground: Ground, pid: number, percent: number): Promise<void> {
  const parameters = ['--limit', String(percent), '--pid', String(pid), '--lazy']
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
