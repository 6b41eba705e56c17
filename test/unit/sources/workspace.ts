import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, quotedString } from '@duckdb/node-api'
import { type OpenRowsOptions, openRows } from '../../../src/sources/duckdb-source.ts'
import type { RowBatch, RowSource, SourceValue } from '../../../src/tables/ports.ts'

/** A directory for one test file, with ways to put input files into it. */
export interface Workspace {
  readonly directory: string
  path(name: string): string
  /** Writes a file and returns its path. */
  write(name: string, content: string | Uint8Array): Promise<string>
  /** Writes a query's result as Parquet and returns its path. */
  writeParquet(name: string, query: string): Promise<string>
  remove(): Promise<void>
}

export async function createWorkspace(): Promise<Workspace> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-sources-'))
  const path = (name: string) => join(directory, name)
  return {
    directory,
    path,
    async write(name, content) {
      await writeFile(path(name), content)
      return path(name)
    },
    async writeParquet(name, query) {
      const instance = await DuckDBInstance.create(':memory:')
      const connection = await instance.connect()
      await connection.run(`COPY (${query}) TO ${quotedString(path(name))} (FORMAT parquet)`)
      connection.closeSync()
      instance.closeSync()
      return path(name)
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

export interface ReadRows {
  readonly columns: readonly string[]
  readonly rowsExpected: number | null
  /** Instants as RFC 3339 text, with milliseconds where there are any. */
  readonly rows: readonly (readonly SourceValue[])[]
  readonly batches: readonly Pick<RowBatch, 'file' | 'firstRow' | 'rowCount'>[]
}

/** Opens, reads all and closes. */
export async function readAll(
  files: string | readonly string[],
  options?: OpenRowsOptions,
): Promise<ReadRows> {
  return readSource(openRows(typeof files === 'string' ? [files] : files, options))
}

/** Reads all and closes. */
export async function readSource(opening: Promise<RowSource>): Promise<ReadRows> {
  const source = await opening
  try {
    const batches: ReadRows['batches'][number][] = []
    const rows: SourceValue[][] = []
    for await (const { file, firstRow, rowCount, columns } of source.batches()) {
      batches.push({ file, firstRow, rowCount })
      // Kept at once: lists and dates are only good until the next.
      for (let row = 0; row < rowCount; row++) rows.push(columns.map((column) => kept(column.at(row))))
    }
    const { columns, rowsExpected } = source
    return { columns, rowsExpected, rows, batches }
  } finally {
    await source.close()
  }
}

function kept(value: SourceValue): SourceValue {
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  if (Array.isArray(value)) return value.map(kept)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, kept(inner)]))
}

/** The message of the OperationError that reading ends in. */
export async function failureOf(
  files: string | readonly string[],
  options?: OpenRowsOptions,
): Promise<string> {
  return failureOfSource(() => openRows(typeof files === 'string' ? [files] : files, options))
}

/** The message of the OperationError that opening and reading end in. */
export async function failureOfSource(open: () => Promise<RowSource>): Promise<string> {
  try {
    await readSource(open())
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'OperationError') return cause.message
    throw cause
  }
  throw new Error('reading did not fail')
}
