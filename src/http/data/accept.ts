import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'
import { limits } from '../../domain/limits.ts'
import { type Format, mediaTypes } from '../../domain/reasons.ts'

/** Clients send few different `Accept` headers, and always the same: each is weighed once. */
const weighed = new LRUCache<string, { readonly format: Format | null }>({
  max: limits.acceptCacheEntriesMax,
})

/** The format that an `Accept` header prefers (RFC 9110, 12.5.1); JSON where it has no preference; null: neither, or too long. */
export function preferredFormat(accept: string | undefined): Format | null {
  if (!accept || accept === '*/*' || accept === mediaTypes.json) return 'json'
  if (accept === mediaTypes.packed) return 'packed'
  if (accept.length > limits.acceptCharactersMax) return null
  const known = weighed.get(accept)
  if (known !== undefined) return known.format
  const format = weigh(accept)
  weighed.set(accept, { format })
  return format
}

/** Some HTTP libraries ask for a charset; JSON has one only (RFC 8259), so that it says nothing. */
const charset = /;\s*charset\s*=\s*[^;,]*/gi

function weigh(accept: string): Format | null {
  const preferred = new Negotiator({ headers: { accept: accept.replace(charset, '') } }).mediaType([
    mediaTypes.json,
    mediaTypes.packed,
  ])
  if (preferred === mediaTypes.json) return 'json'
  return preferred === mediaTypes.packed ? 'packed' : null
}
