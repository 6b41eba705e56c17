import { OperationError } from '../domain/errors.ts'

/** What a file holds, as its name says. */
export type FileFormat =
  | { readonly kind: 'csv'; readonly delimiter: ',' | '\t'; readonly compression: Compression }
  /** `lines` holds one object a line; `any` also an array of objects, or objects over several lines. */
  | { readonly kind: 'json'; readonly layout: 'lines' | 'any'; readonly compression: Compression }
  /** Parquet compresses inside. */
  | { readonly kind: 'parquet'; readonly compression: 'uncompressed' }
  | SpooledHashes

/** Hashes on their way from Redis: one JSON object a line, all values text but two that recgate adds. */
export interface SpooledHashes {
  readonly kind: 'spooled-hashes'
  /** The key's first. */
  readonly columns: readonly [key: string, ...fields: string[]]
  /** Where each line's number stands; the latest of the lines with one key counts. */
  readonly ordinalColumn: string
  /** Where a line says `true` if its key may have come before. */
  readonly suspectColumn: string
  readonly hasSuspects: boolean
  readonly compression: 'uncompressed'
}

/** Named as DuckDB names them. */
export type Compression = 'uncompressed' | 'gzip' | 'zstd'

const compressions: Record<string, Compression> = { '': 'uncompressed', gz: 'gzip', zst: 'zstd' }

/**
 * The format by the name's extension, in upper or lower case.
 * @throws OperationError for any other extension.
 */
export function formatOf(file: string): FileFormat {
  const [, extension, suffix = ''] =
    /\.(csv|tsv|ndjson|jsonl|json|parquet)(?:\.(gz|zst))?$/.exec(file.toLowerCase()) ?? []
  const compression = compressions[suffix] ?? 'uncompressed'
  switch (extension) {
    case 'csv':
      return { kind: 'csv', delimiter: ',', compression }
    case 'tsv':
      return { kind: 'csv', delimiter: '\t', compression }
    case 'ndjson':
    case 'jsonl':
      return { kind: 'json', layout: 'lines', compression }
    case 'json':
      return { kind: 'json', layout: 'any', compression }
    case 'parquet':
      if (compression === 'uncompressed') return { kind: 'parquet', compression }
  }
  throw new OperationError(
    `${file}: not a kind of file that can be read; fit are .csv, .tsv, .ndjson, .jsonl and .json (each also with .gz or .zst), and .parquet`,
  )
}
