import { createHash } from 'node:crypto'
import { limits } from '../domain/limits.ts'

/**
 * A state file:
 *
 *     {"format":1,"name":"tenant.studio","bytes":1234,"sha256":"…"}\n     the header, one line
 *     {…}                                                                the value as JSON, `bytes` long
 *
 * The checksum covers the name, too: a file under another's name is as useless as a damaged one.
 */

const format = 1
const headerBytesMax = 512
const lineFeed = 0x0a

/** Header and body. Throws where the value is too large to be read again. */
export function encodeStateFile(name: string, value: unknown): readonly [Uint8Array, Uint8Array] {
  const body = Buffer.from(JSON.stringify(value))
  if (body.length > limits.stateFileBytesMax)
    throw new Error(`${body.length} bytes are more than the ${limits.stateFileBytesMax} of a state file`)
  const header = { format, name, bytes: body.length, sha256: checksum(name, body) }
  return [Buffer.from(`${JSON.stringify(header)}\n`), body]
}

/** The value, or why there is none, as words that follow "it ". */
export function decodeStateFile(name: string, file: Buffer): { value: unknown } | { reason: string } {
  if (file.length === 0) return { reason: 'is empty' }
  const end = file.subarray(0, headerBytesMax).indexOf(lineFeed)
  const header = parseJson(file.toString('utf8', 0, Math.max(end, 0)))
  if (end === -1 || !isObject(header) || typeof header['format'] !== 'number')
    return { reason: 'is no state file of recgate' }
  if (header['format'] !== format)
    return { reason: `is of format ${header['format']}, and this recgate reads format ${format}` }
  if (header['name'] !== name)
    return { reason: `is the file of ${JSON.stringify(header['name'])} under another name` }
  const body = file.subarray(end + 1)
  if (body.length !== header['bytes'])
    return { reason: `is not whole: ${body.length} of ${header['bytes']} bytes are there` }
  if (checksum(name, body) !== header['sha256']) return { reason: 'is damaged: its checksum is wrong' }
  const value = parseJson(body.toString('utf8'))
  return value === undefined ? { reason: 'holds no JSON' } : { value }
}

function checksum(name: string, body: Uint8Array): string {
  return createHash('sha256').update(`${format} ${name}\n`).update(body).digest('hex')
}

/** Undefined, which JSON can't say, where it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
