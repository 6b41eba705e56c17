import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, mkdir, rmdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ground } from '../scenario.ts'
import { cannotRunTopologies } from './machine.ts'
import { measurePeak, type Rate } from './measure-peak.ts'
import type { Stage } from './stage.ts'

/**
 * Holds a gateway to a tenth of a core, so that ten times what it can do can be asked of it by the same machine: by a
 * cgroup's quota, as Kubernetes holds a pod with `limits: { cpu: 100m }`, or where none can be made by cpulimit, which
 * stops and continues the process.
 */

const corePercent = 10
/** Kubernetes' own. */
const periodUs = 100_000
const quotaUs = (periodUs * corePercent) / 100
/** Of cgroups version 1, which a test may write into without the leave of whoever manages the machine's services. */
const cpuHierarchies = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct']
/** cpulimit begins with a guess, and finds its measure within seconds. */
const settleMs = 2_000

export async function cannotHoldCpu(): Promise<string | null> {
  const missing = await cannotRunTopologies()
  if (missing !== null) return missing
  if ((await findHierarchy()) !== null || (await findCpulimit()) !== null) return null
  return 'install cpulimit (Debian: apt-get install cpulimit), or let it make groups in /sys/fs/cgroup/cpu'
}

async function findHierarchy(): Promise<string | null> {
  for (const hierarchy of cpuHierarchies)
    if ((await can(`${hierarchy}/cpu.cfs_quota_us`, 'R_OK')) && (await can(hierarchy, 'W_OK')))
      return hierarchy
  return null
}

async function findCpulimit(): Promise<string | null> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const program = join(directory, 'cpulimit')
    if (await can(program, 'X_OK')) return program
  }
  return null
}

function can(path: string, mode: 'R_OK' | 'W_OK' | 'X_OK'): Promise<boolean> {
  return access(path, constants[mode]).then(
    () => true,
    () => false,
  )
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

/** Held by stops it has its share over seconds only: where it had more just then, there would have been so much less. */
export function atATenth({ perSecond, corePercent: taken }: Rate): number {
  return perSecond * Math.min(1, corePercent / taken)
}

async function limit(ground: Ground, pid: number): Promise<void> {
  const hierarchy = await findHierarchy()
  if (hierarchy === null) {
    await limitByStops(ground, pid)
    return
  }
  const group = `${hierarchy}/recgate-faults-${pid}`
  await mkdir(group)
  ground.onEnd(async () => {
    await writeFile(`${hierarchy}/cgroup.procs`, String(pid))
    await rmdir(group)
  })
  await writeFile(`${group}/cpu.cfs_period_us`, String(periodUs))
  await writeFile(`${group}/cpu.cfs_quota_us`, String(quotaUs))
  await writeFile(`${group}/cgroup.procs`, String(pid))
  ground.setting(`held by a cgroup’s quota of ${quotaUs / 1_000} ms every ${periodUs / 1_000} ms`)
}

async function limitByStops(ground: Ground, pid: number): Promise<void> {
  const parameters = ['--limit', String(corePercent), '--pid', String(pid), '--lazy']
  const child: ChildProcess = spawn((await findCpulimit())!, parameters, { stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  ground.onEnd(async () => {
    child.kill('SIGKILL')
    await exited
    // It stops and continues the process by turns, and may have left it stopped.
    process.kill(pid, 'SIGCONT')
  })
  ground.setting('held by cpulimit, which stops and continues it')
  await pause(settleMs)
}
