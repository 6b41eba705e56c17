import { basename } from 'node:path'
import { OperationError } from '../domain/errors.ts'
import { requireFinishedJobs } from './finished-job.ts'
import { formatOf } from './format.ts'
import type { Input } from './input.ts'
import { isPassedOver } from './job-output.ts'
import { type ObjectList, openObjectList } from './object-store.ts'

/**
 * The objects that URLs stand for: one as it is, `s3://bucket/out/` with all objects directly below, or a pattern, as
 * `findFiles` does it for files. Only Parquet, which tells whether it is whole without being read to its end.
 */
export async function findObjects(
  urls: readonly string[],
  allowUnfinished: boolean,
): Promise<readonly Input[]> {
  // Before anything is asked for over the network.
  for (const url of urls) if (!isPattern(url)) requireParquet(url)
  const objects = await openObjectList(urls)
  try {
    const found: string[] = []
    for (const url of urls) found.push(...(await expand(url, objects)))
    found.forEach(requireParquet)
    await requireFinishedJobs(found, allowUnfinished, (directory) => marksIn(directory, objects))
    return found.map((path) => ({ name: path, path, format: formatOf(path), mayBeEmpty: false }))
  } finally {
    objects.close()
  }
}

function requireParquet(url: string): void {
  if (formatOf(url).kind === 'parquet') return
  throw new OperationError(
    `${url}: only Parquet is read from S3 and GCS, since others tell only at their end whether they are whole; copy it to a disk`,
  )
}

function isPattern(url: string): boolean {
  return /[*?[\]]|\/$/.test(url)
}

async function expand(url: string, objects: ObjectList): Promise<readonly string[]> {
  if (!isPattern(url)) return [url]
  const pattern = url.endsWith('/') ? `${url}*` : url
  const fixed = pattern.slice(0, pattern.search(/[^/]*[*?[]/))
  const found = (await objects.matching(pattern)).filter(
    (path) => !path.slice(fixed.length).split('/').some(isPassedOver),
  )
  if (found.length === 0)
    throw new OperationError(
      `${url}: no object has a name of this kind; those that begin with _ or . are passed over`,
    )
  return found.sort()
}

/** The names by which a job's state is told. */
async function marksIn(directory: string, objects: ObjectList): Promise<readonly string[]> {
  const marks = await objects.matching(`${directory}/_*`)
  const temporary = await objects.matching(`${directory}/_temporary/**`)
  return [...marks.map((path) => basename(path)), ...(temporary.length > 0 ? ['_temporary'] : [])]
}
