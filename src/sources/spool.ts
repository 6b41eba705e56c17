import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperationError } from '../domain/errors.ts'
import type { RowSource } from '../tables/ports.ts'
import { type OpenInputsOptions, openInputs } from './duckdb-source.ts'
import type { Input } from './input.ts'

/**
 * Rows that come from elsewhere than from a file are written to a temporary one first: they are read more than once,
 * and memory doesn't follow how many there are. The file is removed when the rows are closed, or can't be opened.
 * @param fill Writes the file at this path, and says what it is.
 */
export async function openSpooled(
  fill: (path: string) => Promise<Input>,
  options: OpenInputsOptions,
): Promise<RowSource> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-spool-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    const source = await openInputs([await fill(join(directory, 'rows'))], options)
    return {
      ...source,
      async close() {
        await source.close()
        await remove()
      },
    }
  } catch (cause) {
    await remove()
    throw cause
  }
}

/** What went wrong while rows of `name` were written to the temporary file. */
export function spoolError(name: string, cause: unknown): OperationError {
  const { code, message } = cause as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new OperationError(
    isFull
      ? `${name}: ${tmpdir()} has no room for the rows (${code}); TMPDIR may name another directory`
      : `${name}: can't be read: ${message}`,
    { cause },
  )
}
