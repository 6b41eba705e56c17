import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'
import { limits } from '../../domain/limits.ts'
import { type Format, mediaTypes } from '../../domain/reasons.ts'

/** The format that an `Accept` header prefers (RFC 9110, 12.5.1); JSON where it has no preference; null: neither, or too long. */
type PreferredFormat = (accept: string | undefined) => Format | null

/** @param types the two forms of one answer */
export function createPreferredFormat(types: Readonly<Record<Format, string>>): PreferredFormat {
  /** Clients send few different `Accept` headers, and always the same: each is weighed once. */
  const weighed = new LRUCache<string, { readonly format: Format | null }>({
    max: limits.acceptCacheEntriesMax,
  })

  return (accept) => {
    if (!accept || accept === '*/*' || accept === types.json) return 'json'
    if (accept === types.packed) return 'packed'
    if (accept.length > limits.acceptCharactersMax) return null
    const known = weighed.get(accept)
    if (known !== undefined) return known.format
    const format = weigh(accept, types)
    weighed.set(accept, { format })
    return format
  }
}

/** Of one record. */
export const preferredFormat = createPreferredFormat(mediaTypes)

/** Some HTTP libraries ask for a charset; JSON has one only (RFC 8259), so that it says nothing. */
const charset = /;\s*charset\s*=\s*[^;,]*/gi

function weigh(accept: string, types: Readonly<Record<Format, string>>): Format | null {
  const preferred = new Negotiator({ headers: { accept: accept.replace(charset, '') } }).mediaType([
    types.json,
    types.packed,
  ])
  if (preferred === types.json) return 'json'
  return preferred === types.packed ? 'packed' : null
}
