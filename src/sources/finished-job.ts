import { readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { OperationError } from '../domain/errors.ts'
import { isSparkPart } from './job-output.ts'

/** What lies in a directory. */
type NamesIn = (directory: string) => Promise<readonly string[]>

/**
 * Refuses files of a Spark job that still writes, or died: half of its rows would be a table. Spark writes `_SUCCESS`
 * when a job has ended; BigQuery has no such file, and its exports are taken as they are.
 * @returns those of the files that belong to a job known to have ended.
 * @throws OperationError naming the directory and what is missing.
 */
export async function requireFinishedJobs(
  files: readonly string[],
  allowUnfinished: boolean,
  namesIn: NamesIn = namesInDirectory,
): Promise<ReadonlySet<string>> {
  const finished = new Set<string>()
  const faults = new Map<string, string | null>()
  for (const file of files) {
    if (!isSparkPart(basename(file))) continue
    const directory = jobDirectory(file)
    if (!faults.has(directory)) faults.set(directory, faultOf(await namesIn(directory)))
    const fault = faults.get(directory)!
    if (fault === null) finished.add(file)
    else if (!allowUnfinished)
      throw new OperationError(
        `${directory}: ${fault}; wait for the job, or publish what is there with --allow-unfinished`,
      )
  }
  return finished
}

/** Marks stand at the top, above the directories `column=value` of a partitioned table. */
function jobDirectory(file: string): string {
  let directory = dirname(file)
  while (/^[^=]+=/.test(basename(directory))) directory = dirname(directory)
  return directory
}

async function namesInDirectory(directory: string): Promise<readonly string[]> {
  // One that can't be listed doesn't hold the files either, or they can't be opened: that is told there.
  return readdir(directory).catch(() => [])
}

function faultOf(found: readonly string[]): string | null {
  const names = new Set(found)
  // A job that adds to a directory leaves the _SUCCESS of the one before.
  if (names.has('_temporary')) return 'a job still writes here, or died while it did: there is _temporary'
  for (const name of names) {
    const [, job] = /^_started_(.+)$/.exec(name) ?? []
    if (job !== undefined && !names.has(`_committed_${job}`))
      return `a job still writes here, or died while it did: there is ${name} without _committed_${job}`
  }
  return names.has('_SUCCESS')
    ? null
    : 'the files are named as Spark names them, and _SUCCESS is missing, which Spark writes when a job has ended'
}
