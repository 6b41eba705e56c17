import { murmur3 } from './murmur3.ts'
import { type Format, formats, mediaTypes, type Reason, reasons } from './reasons.ts'

/**
 * What an answer says around its record. It depends only on model, version and reason, so it is made when the catalog
 * changes, and a request only picks it.
 */
interface AnswerHead {
  /**
   * Names and values in turn, as Node writes them. A request copies them and puts its own two values in, at
   * `etagIndex` and `contentLengthIndex`.
   */
  readonly headers: Readonly<Record<Format, readonly string[]>>
  /** The body's text before the record; a `}` closes it after. */
  readonly jsonPrefix: string
  /** Two 32-bit seeds a format: hashing the body with both gives the 64 bits of the ETag. */
  readonly etagSeeds: Readonly<Record<Format, readonly [number, number]>>
}

export const etagIndex = 9
export const contentLengthIndex = 11

export type AnswerHeads = Readonly<Record<Reason, AnswerHead>>

/** An answer that a better one may replace soon is kept by clients this long at most. */
const fallbackMaxAgeSeconds = 10

export function compileAnswerHeads(modelId: string, versionId: string, maxAgeSeconds: number): AnswerHeads {
  const heads = reasons.map(
    (reason) => [reason, compileHead(modelId, versionId, reason, maxAgeSeconds)] as const,
  )
  return Object.fromEntries(heads) as Record<Reason, AnswerHead>
}

function compileHead(modelId: string, versionId: string, reason: Reason, maxAgeSeconds: number): AnswerHead {
  const fallback = reason === 'stale' || reason === 'default'
  const maxAge = fallback ? Math.min(maxAgeSeconds, fallbackMaxAgeSeconds) : maxAgeSeconds
  const headersOf = (format: Format): readonly string[] => [
    'Content-Type',
    mediaTypes[format],
    'Cache-Control',
    `private, max-age=${maxAge}`,
    'Vary',
    'Accept, Authorization',
    'Recgate',
    `v=${versionId}, r=${reason}`,
    'ETag',
    '',
    'Content-Length',
    '',
  ]
  const seedsOf = (format: Format): readonly [number, number] => {
    const identity = [format, modelId, versionId, reason].join('\0')
    return [murmur3(identity, 0), murmur3(identity, 1)]
  }
  const perFormat = <T>(make: (format: Format) => T) =>
    Object.fromEntries(formats.map((format) => [format, make(format)])) as Record<Format, T>
  const intro = JSON.stringify({ model: modelId, version: versionId, reason })
  return {
    headers: perFormat(headersOf),
    jsonPrefix: `${intro.slice(0, -1)},"recommendation":`,
    etagSeeds: perFormat(seedsOf),
  }
}
