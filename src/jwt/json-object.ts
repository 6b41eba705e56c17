/**
 * The JSON object that bytes hold, or null. Stricter than `JSON.parse`, because others read the same token: a parser
 * that keeps the first of two equal names, skips a byte order mark or repairs broken UTF-8 would see another token
 * than the one that is checked here. Names must therefore be unique at every depth (RFC 7515 section 4, RFC 7519
 * section 4), and the bytes be UTF-8 without a mark (RFC 8259 section 8.1).
 */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const text = strictUtf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return countColons(text) === countMembers(value) ? (value as Record<string, unknown>) : null
  } catch {
    // Not UTF-8 or not JSON: decoding and parsing text have no other way to fail.
    return null
  }
}

/** A byte order mark stays in the text, where `JSON.parse` refuses it. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text that has been parsed: within it, a quote that no backslash precedes opens or closes a string. */
const strings = /"[^"\\]*(?:\\.[^"\\]*)*"/g

/** Outside strings each colon belongs to one member, those included that a later one of the same name replaced. */
function countColons(json: string): number {
  return json.replace(strings, '').split(':').length - 1
}

/** The members of all objects within a value. Not recursive: a text may nest deeper than the stack reaches. */
function countMembers(value: object): number {
  const found = [value]
  let members = 0
  for (const object of found) {
    const values: unknown[] = Object.values(object)
    if (!Array.isArray(object)) members += values.length
    for (const inner of values) if (typeof inner === 'object' && inner !== null) found.push(inner)
  }
  return members
}
