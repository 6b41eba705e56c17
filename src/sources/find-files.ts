import type { Dirent, Stats } from 'node:fs'
import { glob, readdir, stat } from 'node:fs/promises'
import { basename, isAbsolute, relative, resolve } from 'node:path'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { findObjects } from './find-objects.ts'
import { requireFinishedJobs } from './finished-job.ts'
import { formatOf } from './format.ts'
import type { Input } from './input.ts'
import { isPassedOver } from './job-output.ts'
import { isObjectUrl } from './object-store.ts'

export interface FindFilesOptions {
  /** Read what a job wrote also where nothing says that it ended. */
  readonly allowUnfinished?: boolean
}

/**
 * The files that arguments stand for: files as they are, directories and patterns (`*`, `?`, `[…]`, `**`) as Spark and
 * BigQuery leave them, without what jobs write beside their rows. Those of one directory or pattern come sorted by
 * name, and are of one kind.
 * @throws OperationError naming the argument or file, and what would be right.
 */
export async function findFiles(
  args: readonly string[],
  { allowUnfinished = false }: FindFilesOptions = {},
): Promise<readonly Input[]> {
  const objects = args.find(isObjectUrl)
  const file = args.find((arg) => !isObjectUrl(arg))
  if (objects !== undefined && file !== undefined)
    throw new OperationError(`${file} and ${objects}: files and objects are published one after the other`)
  const inputs =
    objects === undefined ? await inputsOf(args, allowUnfinished) : await findObjects(args, allowUnfinished)
  if (inputs.length > limits.sourceFilesMax)
    throw new OperationError(
      `${inputs.length} files are more than ${limits.sourceFilesMax}, which one publish may have; have the job write fewer, larger ones`,
    )
  requireDistinct(inputs)
  return inputs
}

async function inputsOf(args: readonly string[], allowUnfinished: boolean): Promise<readonly Input[]> {
  const files: string[] = []
  for (const arg of args) files.push(...(await expand(arg)))
  if (files.length === 0) throw new OperationError('no file to read rows from')
  const formats = files.map(formatOf)
  const finished = await requireFinishedJobs(files, allowUnfinished)
  return files.map((file, index) => ({
    name: file,
    path: file,
    format: formats[index]!,
    mayBeEmpty: finished.has(file),
  }))
}

async function expand(arg: string): Promise<readonly string[]> {
  const stats = await statOrNull(arg)
  if (stats?.isDirectory()) return filesIn(arg)
  // A file whose name looks like a pattern is met where files are opened.
  if (stats === null && isPattern(arg)) return filesMatching(arg)
  return [arg]
}

function isPattern(text: string): boolean {
  return /[*?[\]]/.test(text)
}

async function statOrNull(path: string): Promise<Stats | null> {
  // What else is wrong with it is told where it is opened.
  return stat(path).catch(() => null)
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new OperationError(`${directory}: can't be read (${cause.code})`)
  })
  const shown = directory.replace(/(?<=.)\/+$/, '')
  const files: string[] = []
  for (const entry of entries) {
    if (isPassedOver(entry.name)) continue
    const path = shown === '/' ? `/${entry.name}` : `${shown}/${entry.name}`
    if (await isDirectory(entry, path)) throw subdirectory(shown, path)
    files.push(path)
  }
  if (files.length === 0)
    throw new OperationError(
      `${directory}: the directory holds no files with rows; those that begin with _ or . are passed over`,
    )
  return oneKind(directory, files.sort())
}

async function isDirectory(entry: Dirent, path: string): Promise<boolean> {
  return entry.isSymbolicLink() ? ((await statOrNull(path))?.isDirectory() ?? false) : entry.isDirectory()
}

/** Their rows would lack what only the directory's name says, or be another table's. */
function subdirectory(directory: string, path: string): OperationError {
  const [, column] = /^([^=]+)=/.exec(basename(path)) ?? []
  return new OperationError(
    column === undefined
      ? `${path}: a directory within ${directory}, which is not read; name ${path} itself, or the files as '${directory}/*.…'`
      : `${path}: a partition, whose files lack the column "${column}"; name one partition as ${path}/, ` +
          `or all of them as '${directory}/${column}=*/' to read them without that column`,
  )
}

async function filesMatching(pattern: string): Promise<readonly string[]> {
  const files: string[] = []
  for (const path of (await matches(pattern)).sort()) {
    if ((await statOrNull(path))?.isDirectory()) files.push(...(await filesIn(path)))
    else files.push(path)
  }
  if (files.length === 0)
    throw new OperationError(
      `${pattern}: no file has a name of this pattern; those that begin with _ or . are passed over`,
    )
  return oneKind(pattern, files)
}

async function matches(pattern: string): Promise<string[]> {
  const paths: string[] = []
  const segments = pattern.split('/')
  const fixed = resolve(
    segments.slice(0, segments.findIndex(isPattern)).join('/') || (isAbsolute(pattern) ? '/' : '.'),
  )
  for await (const path of glob(pattern)) {
    // Only what a wildcard stands for: who writes _old/*.csv means it.
    if (relative(fixed, resolve(path)).split('/').some(isPassedOver)) continue
    paths.push(path)
    // A pattern such as /** would go on for long.
    if (paths.length > limits.sourceFilesMax * 10)
      throw new OperationError(`${pattern}: the pattern has too many matches; name fewer files`)
  }
  return paths
}

function oneKind(where: string, files: readonly string[]): readonly string[] {
  const kinds = new Map<string, string>()
  for (const file of files) {
    const kind = JSON.stringify(formatOf(file))
    if (!kinds.has(kind)) kinds.set(kind, file)
  }
  const [first, second] = kinds.values()
  if (second !== undefined)
    throw new OperationError(
      `${where}: files of different kinds, such as ${basename(first!)} and ${basename(second)}; name those that are meant`,
    )
  return files
}

function requireDistinct(inputs: readonly Input[]): void {
  const seen = new Set<string>()
  for (const { name } of inputs) {
    const path = resolve(name)
    if (seen.has(path)) throw new OperationError(`${name}: named twice; each file is read once`)
    seen.add(path)
  }
}
