import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { makeDirectories } from './make-directories.ts'
import { decodeStateFile, encodeStateFile } from './state-file.ts'
import { temporaryPath, temporarySuffix, writeWhole } from './write-whole.ts'

/**
 * Values that a process finds again when it starts, each in a file of its own. Reading never fails: a file that can't
 * be trusted is passed over. Writing happens in the background, and never fails either: what can't be written is tried
 * again, and what is served goes on without it.
 *
 * Several processes may share a directory: every write is a whole file that takes the place of the old one.
 */
export interface StateDirectory {
  /**
   * What was written last, or null where nothing is there that can be trusted.
   *
   * @param check gives the value its type; throws where it isn't what was to be written
   */
  read<T>(name: string, check: (value: unknown) => T): Promise<T | null>
  /** Soon, and once for many that come in a row. `value` must not change any more; it stands in memory until it is written. */
  write(name: string, value: unknown): void
  /** The names that begin so, in order. */
  names(prefix: string): Promise<readonly string[]>
  /** Where the value of that name lies. */
  fileOf(name: string): string
  /** Writes since the process began. */
  writes(): { readonly done: number; readonly failed: number }
  /** Writes what still waits, once. Later writes are ignored. */
  close(): Promise<void>
}

export type StateDirectoryEvent =
  | { readonly event: 'passed-over'; readonly file: string; readonly reason: string }
  /** Once, until all could be written again. */
  | { readonly event: 'write-failed'; readonly file: string; readonly reason: string }
  | { readonly event: 'write-resumed' }

export interface StateDirectoryOptions {
  readonly path: string
  readonly report: (event: StateDirectoryEvent) => void
  /** Between the first of several writes in a row and the file. */
  readonly delayMs?: number
  /** After a write that failed. */
  readonly retryMs?: number
}

const extension = '.state'
/** Safe in every file system, whether or not it tells cases apart. */
const namePattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/

/** Creates the directory where it isn't there. Throws OperationError where it can't be written. */
export function openStateDirectory(options: StateDirectoryOptions): StateDirectory {
  const { report, delayMs = 250, retryMs = 10_000 } = options
  const path = resolve(options.path)
  prepare(path)

  /** What waits to be written; of several under one name the last. */
  const pending = new Map<string, unknown>()
  let [done, failed] = [0, 0]
  let failing = false
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | null = null
  let closed = false

  const fileOf = (name: string) => {
    if (!namePattern.test(name)) throw new Error(`${JSON.stringify(name)} is no name of a state file`)
    return join(path, name + extension)
  }

  function schedule(afterMs: number): void {
    if (timer !== undefined || writing !== null || closed) return
    timer = setTimeout(() => {
      timer = undefined
      writing = writePending().finally(() => {
        writing = null
        if (pending.size > 0) schedule(failing ? retryMs : delayMs)
      })
    }, afterMs)
    timer.unref()
  }

  /** One file after the other: never two writes of one, and the event loop turns between them. */
  async function writePending(): Promise<void> {
    let failures = 0
    for (const name of [...pending.keys()]) {
      const value = pending.get(name)
      pending.delete(name)
      try {
        await writeWhole(fileOf(name), encodeStateFile(name, value))
        done++
      } catch (error) {
        failed++
        failures++
        // Unless a newer one has come meanwhile.
        if (!pending.has(name)) pending.set(name, value)
        if (!failing) report({ event: 'write-failed', file: fileOf(name), reason: (error as Error).message })
        failing = true
      }
    }
    if (failures === 0 && failing) {
      failing = false
      report({ event: 'write-resumed' })
    }
  }

  return {
    fileOf,
    async read(name, check) {
      const file = fileOf(name)
      try {
        const { size } = await stat(file)
        if (size > limits.stateFileBytesMax + 1_024)
          throw new Error(`is larger than ${limits.stateFileBytesMax} bytes`)
        const decoded = decodeStateFile(name, await readFile(file))
        if ('reason' in decoded) throw new Error(decoded.reason)
        return check(decoded.value)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        report({ event: 'passed-over', file, reason: (error as Error).message })
        return null
      }
    },
    write(name, value) {
      // The name is checked now: a wrong one is a fault of the caller, not of the disk.
      fileOf(name)
      if (closed) return
      pending.set(name, value)
      schedule(delayMs)
    },
    async names(prefix) {
      try {
        return (await readdir(path))
          .filter((file) => file.startsWith(prefix) && file.endsWith(extension))
          .map((file) => file.slice(0, -extension.length))
          .filter((name) => namePattern.test(name))
          .sort()
      } catch (error) {
        report({ event: 'passed-over', file: path, reason: (error as Error).message })
        return []
      }
    },
    writes: () => ({ done, failed }),
    async close() {
      closed = true
      clearTimeout(timer)
      await writing
      if (!failing) await writePending()
    },
  }
}

/** Finds out now, and not at the first write hours later, whether files can be written. */
function prepare(path: string): void {
  try {
    makeDirectories(path, 0o700)
    const probe = temporaryPath(join(path, 'probe'))
    writeFileSync(probe, '', { flag: 'wx', mode: 0o600 })
    rmSync(probe)
    removeLeftovers(path)
  } catch (error) {
    throw new OperationError(`${path} can't be written: ${(error as Error).message}`)
  }
}

/** Temporary files of writers that died. A fresh one may be another process' that is just being written. */
function removeLeftovers(path: string): void {
  for (const name of readdirSync(path)) {
    if (!name.startsWith('.') || !name.endsWith(temporarySuffix)) continue
    const stats = statSync(join(path, name), { throwIfNoEntry: false })
    if (stats !== undefined && Date.now() - stats.mtimeMs > limits.stateTemporaryMsMax)
      rmSync(join(path, name), { force: true })
  }
}
