import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { OperationError } from '../domain/errors.ts'
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
    const { isParquet, compression, lastByte } = await endsOf(path)
    if (isParquet && kind !== 'parquet')
      throw new OperationError(
        `${name}: begins as Parquet does (PAR1), and --format says ${kind}; say --format parquet`,
      )
    // A sender that dies looks like one that has ended. Parquet, gzip and zstd tell at their end that they are whole.
    if (compression === 'uncompressed' && (kind === 'csv' || kind === 'tsv') && lastByte !== lineFeed)
      throw new OperationError(
        `${name}: the last line has no line break, so that it may have been cut off; end it with one`,
      )
    const suffix = kind === 'parquet' ? '' : suffixes[compression]
    return { name, path, format: formatOf(`${name}.${kind}${suffix}`), mayBeEmpty: false }
  }, options)
}

const suffixes = { uncompressed: '', gzip: '.gz', zstd: '.zst' } as const satisfies Record<
  Compression,
  string
>

const lineFeed = 0x0a

interface Ends {
  readonly isParquet: boolean
  readonly compression: Compression
  readonly lastByte: number
}

async function endsOf(path: string): Promise<Ends> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size === 0) throw new OperationError(`${name}: there is nothing in it`)
    const first = (await file.read(Buffer.alloc(4), 0, 4, 0)).buffer
    const last = (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer
    return {
      isParquet: first.toString('latin1') === 'PAR1',
      compression: compressionOf(first),
      lastByte: last[0]!,
    }
  } finally {
    await file.close()
  }
}

/** Neither beginning can be one of UTF-8 text. */
function compressionOf(firstBytes: Buffer): Compression {
  if (firstBytes.readUInt16BE() === 0x1f8b) return 'gzip'
  return firstBytes.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'uncompressed'
}
