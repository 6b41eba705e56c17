import { etagIndex } from '../domain/answer-head.ts'
import { CodecError } from '../domain/codec/codec.ts'
import { murmur3, murmur3Bytes } from '../domain/murmur3.ts'
import type { Format } from '../domain/reasons.ts'
import type { Recommendation } from './ladder.ts'

export interface Representation {
  readonly format: Format
  readonly body: string | Uint8Array
  /** Names and values in turn, this answer's own; the value at `contentLengthIndex` is still to be set. */
  readonly headers: string[]
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
  const headers = head.headers[format].slice()
  if (format === 'packed') {
    expectRevision(packed)
    const etag = entityTag(murmur3Bytes(packed, first), murmur3Bytes(packed, second))
    headers[etagIndex] = etag
    return { format, body: packed, headers, etag }
  }
  const record = model.codec.toJsonText(packed)
  const etag = entityTag(murmur3(record, first), murmur3(record, second))
  headers[etagIndex] = etag
  return { format, body: `${head.jsonPrefix}${record}}`, headers, etag }
}

/** The same without headers and ETag: the body of the answer. */
export function representBody(
  { version, model, reason, packed }: Recommendation,
  format: Format,
): string | Uint8Array {
  if (format === 'json') return `${version.heads[reason].jsonPrefix}${model.codec.toJsonText(packed)}}`
  expectRevision(packed)
  return packed
}

/** What a glance can tell without decoding: no record is empty, or of revision 0. */
function expectRevision(packed: Uint8Array): void {
  if (!packed[0])
    throw new CodecError('revision-zero', 'the bits hold no record; what fits begins with its revision')
}

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Every two characters by their 12 bits, so that a tag is put together from six pieces. */
const pairs = Array.from({ length: 4096 }, (_, bits) => `${base64url[bits >>> 6]}${base64url[bits & 63]}`)

/** 64 bits as eleven characters; every header byte counts. */
function entityTag(high: number, low: number): string {
  const middle = ((high & 255) << 4) | (low >>> 28)
  const [first, second] = [pairs[high >>> 20], pairs[(high >>> 8) & 4095]]
  const [fourth, fifth] = [pairs[(low >>> 16) & 4095], pairs[(low >>> 4) & 4095]]
  return `"${first}${second}${pairs[middle]}${fourth}${fifth}${base64url[(low & 15) << 2]}"`
}
