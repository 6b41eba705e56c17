import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { OperationError } from '../domain/errors.ts'
import type { Compression } from './format.ts'

/**
 * Refuses what DuckDB would misread: names that it takes for patterns, directories (it reads all files in them),
 * empty files, and compressed files that were cut off or damaged.
 * @throws OperationError naming the file.
 */
export async function requireIntactFile(file: string, compression: Compression): Promise<void> {
  if (/[*?[\]]/.test(file)) {
    throw new OperationError(
      `${file}: DuckDB takes *, ?, [ and ] in a name for a pattern; rename or link the file`,
    )
  }
  const stats = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    throw new OperationError(
      `${file}: ${cause.code === 'ENOENT' ? 'no such file' : `can't be read (${cause.code})`}`,
    )
  })
  if (!stats.isFile()) {
    throw new OperationError(
      `${file}: ${stats.isDirectory() ? 'a directory' : 'not a regular file'}; name the files`,
    )
  }
  const bytes = compression === 'uncompressed' ? stats.size : await decompressedBytes(file, compression)
  if (bytes === 0) throw new OperationError(`${file}: the file is empty`)
}

/**
 * Decompresses the whole file and drops it: DuckDB 1.5 takes a .gz or .zst that was cut off for a shorter file, so
 * that half a table would be published. This checks the end and the checksum.
 */
async function decompressedBytes(file: string, compression: 'gzip' | 'zstd'): Promise<number> {
  let bytes = 0
  const counter = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      done()
    },
  })
  try {
    await pipeline(
      createReadStream(file),
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
