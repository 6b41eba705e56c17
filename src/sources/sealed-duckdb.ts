import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, quotedString } from '@duckdb/node-api'

import { allowObjects } from './object-store.ts'

/** A DuckDB that can read the given files and nothing else. Its tables lie in a file, compressed. */
export interface SealedDuckDb {
  connect(): Promise<DuckDBConnection>
  /** May be called more than once. */
  close(): Promise<void>
}

/**
 * Opens DuckDB and locks it: no other file or object, no other place in the network, no further extension, no setting to change, so that a user's SQL
 * reaches the input files alone (https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview).
 * What outgrows its memory spills into a directory of its own, removed by `close()`.
 * @param bufferBytesMax Memory for DuckDB's own buffers; what it hands out comes on top.
 */
export async function openSealedDuckDb(
  paths: readonly string[],
  bufferBytesMax: number,
): Promise<SealedDuckDb> {
  const directory = join(tmpdir(), `recgate-duckdb-${randomUUID()}`)
  await mkdir(directory, { mode: 0o700 })
  const instance = await DuckDBInstance.create(join(directory, 'tables'))
  const settings = [
    // A timestamp without a zone is UTC, wherever the machine stands.
    `TimeZone = 'UTC'`,
    'preserve_insertion_order = true',
    `memory_limit = '${bufferBytesMax}B'`,
    `temp_directory = ${quotedString(join(directory, 'spilled'))}`,
    'autoinstall_known_extensions = false',
    'autoload_known_extensions = false',
    `allowed_paths = [${paths.map(quotedString).join(', ')}]`,
    'enable_external_access = false',
    // Last: after it no SET works.
    'lock_configuration = true',
  ]
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    instance.closeSync()
    await rm(directory, { recursive: true, force: true })
  }
  const connection = await instance.connect()
  try {
    await allowObjects(connection, paths)
    for (const setting of settings) await connection.run(`SET ${setting}`)
  } catch (cause) {
    await close()
    throw cause
  } finally {
    connection.closeSync()
  }
  return { connect: () => instance.connect(), close }
}
