import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { RowSource } from '../tables/ports.ts'
import type { OpenInputsOptions } from './duckdb-source.ts'
import { type Compression, formatOf } from './format.ts'
import { openSpooled, spoolError } from './spool.ts'

/** What standard input may hold; CSV, TSV and JSON may be compressed by gzip or zstd, which their first bytes tell. */
export const inputKinds = ['csv', 'tsv', 'ndjson', 'json', 'parquet'] as const
export type InputKind = (typeof inputKinds)[number]

const name = 'standard input'

/**
 * Opens what a stream holds as rows, once it has ended.
 * @throws OperationError when it is empty, cut off or not of that kind.
 */
export function openStream(
  stream: Readable,
  kind: InputKind,
  options: OpenInputsOptions,
): Promise<RowSource> {
  return openSpooled(async (path) => {
    try {
      await pipeline(stream, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    } catch (cause) {
      throw spoolError(name, cause)
    }
    const suffix = kind === 'parquet' ? '' : suffixes[await compressionOf(path)]
    return { name, path, format: formatOf(`${name}.${kind}${suffix}`), mayBeEmpty: false }
  }, options)
}

const suffixes = { uncompressed: '', gzip: '.gz', zstd: '.zst' } as const satisfies Record<
  Compression,
  string
>

/** Neither beginning can be one of UTF-8 text. */
async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer.readUInt16BE() === 0x1f8b) return 'gzip'
    return buffer.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'uncompressed'
  } finally {
    await file.close()
  }
}
