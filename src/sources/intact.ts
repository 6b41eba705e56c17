import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { OperationError } from '../domain/errors.ts'
import type { Compression } from './format.ts'
import type { Input } from './input.ts'
import { isObjectUrl } from './object-store.ts'

/**
 * Refuses what DuckDB would misread: names that it takes for patterns, what is no file, empty files, and compressed files that were cut off or damaged.
 * @returns false for a file without a byte, where that is right.
 * @throws OperationError naming the file.
 */
export async function hasIntactBytes({ name: file, path, format, mayBeEmpty }: Input): Promise<boolean> {
  if (/[*?[\]]/.test(path)) {
    throw new OperationError(
      `${file}: DuckDB takes *, ?, [ and ] in a name for a pattern; rename or link the file`,
    )
  }
  // Parquet only; that it isn't there, or is cut off, its footer tells.
  if (isObjectUrl(path)) return true
  const stats = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new OperationError(
      `${file}: ${cause.code === 'ENOENT' ? 'no such file' : `can't be read (${cause.code})`}`,
    )
  })
  // A pipe could be read only once.
  if (!stats.isFile()) {
    throw new OperationError(
      `${file}: not a regular file; send its rows to standard input, as - with --format`,
    )
  }
  const { compression } = format
  const bytes =
    compression === 'uncompressed' ? stats.size : await decompressedBytes({ name: file, path }, compression)
  if (bytes === 0 && !mayBeEmpty) throw new OperationError(`${file}: the file is empty`)
  return bytes > 0
}

/**
 * Decompresses the whole file and drops it: DuckDB 1.5 takes a .gz or .zst that was cut off for a shorter file, so
 * that half a table would be published. This checks the end and the checksum.
 */
async function decompressedBytes(
  { name: file, path }: Pick<Input, 'name' | 'path'>,
  compression: Exclude<Compression, 'uncompressed'>,
): Promise<number> {
  let bytes = 0
  const counter = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      done()
    },
  })
  try {
    await pipeline(
      createReadStream(path),
      compression === 'gzip' ? createGunzip() : createZstdDecompress(),
      counter,
    )
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EACCES') throw new OperationError(`${file}: can't be read (${code})`)
    throw new OperationError(`${file}: not a whole ${compression} file (${message})`)
  }
  return bytes
}
