import { murmur3, murmur3Bytes } from '../domain/murmur3.ts'
import type { Format } from '../domain/reasons.ts'
import type { Recommendation } from './ladder.ts'

export interface Representation {
  readonly format: Format
  readonly body: string | Uint8Array
  /** Names and values in turn; ETag and Content-Length come beside it. */
  readonly headers: readonly string[]
  /** With its quotes. */
  readonly etag: string
}

/**
 * Step 6: the stored bytes as they are, or as JSON. Throws CodecError where the bytes are damaged.
 * The ETag covers format, model, version, reason and body; not generation or catalog revision, so that a publish which
 * leaves a player's record as it was costs that player no bytes.
 */
export function represent(
  { version, model, reason, packed }: Recommendation,
  format: Format,
): Representation {
  const head = version.heads[reason]
  const [first, second] = head.etagSeeds[format]
  const headers = head.headers[format]
  if (format === 'packed') {
    const etag = entityTag(murmur3Bytes(packed, first), murmur3Bytes(packed, second))
    return { format, body: packed, headers, etag }
  }
  const record = model.codec.toJsonText(packed)
  const etag = entityTag(murmur3(record, first), murmur3(record, second))
  return { format, body: `${head.jsonPrefix}${record}}`, headers, etag }
}

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** 64 bits as eleven characters; every header byte counts. */
function entityTag(high: number, low: number): string {
  let text = '"'
  for (let shift = 26; shift >= 2; shift -= 6) text += base64url[(high >>> shift) & 63]
  text += base64url[((high & 3) << 4) | (low >>> 28)]
  for (let shift = 22; shift >= 4; shift -= 6) text += base64url[(low >>> shift) & 63]
  return `${text}${base64url[(low & 15) << 2]}"`
}
