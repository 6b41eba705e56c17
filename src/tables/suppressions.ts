import { createHash } from 'node:crypto'
import { murmur3, murmur3Range } from '../domain/murmur3.ts'
import type { Suppressions } from './ports.ts'

/**
 * An erased unit is remembered by a hash, so that publishes can leave out its rows and nobody can read who it was:
 *
 *     hash     base64url of u32 murmur3 of the unit's UTF-8, seeded by the salt's murmur3 · 16 bytes of
 *              SHA-256 of salt, NUL, unit
 *     entry    MODEL:hash, or :hash for all models
 *
 * SHA-256 takes some 1 µs, which 10 M rows can't wait for; murmur3 lets one row of billions through to it that isn't
 * meant. Whoever has the salt can try units one by one: this hides players from readers of backups and histories, not
 * from whoever may read the whole catalog.
 */
const sumBytes = 4
const digestBytes = 16

/** 27 characters. */
export function suppressionHash(salt: string, unit: string): string {
  const bytes = Buffer.from(unit)
  const hash = Buffer.alloc(sumBytes + digestBytes)
  hash.writeUInt32BE(murmur3Range(bytes, 0, bytes.length, murmur3(salt)), 0)
  digestOf(salt, bytes).copy(hash, sumBytes)
  return hash.toString('base64url')
}

/** What stands for a unit in all models, or in some. */
export function suppressionEntries(hash: string, modelIds: readonly string[] | null): readonly string[] {
  return modelIds === null ? [`:${hash}`] : modelIds.map((modelId) => `${modelId}:${hash}`)
}

/** Whether the row whose key's UTF-8 stands in `data` from `start` to `end` is an erased unit's. */
export type IsSuppressed = (data: Uint8Array, start: number, end: number) => boolean

/** Which of a model's rows are left out; null where none can be. `unitPart` is the row key's part that names the unit. */
export function compileSuppressions(
  { salt, entries }: Suppressions,
  modelId: string,
  unitPart: number,
): IsSuppressed | null {
  const seed = murmur3(salt)
  // As signed numbers, which JavaScript keeps without an object each.
  const sums = new Set<number>()
  const digests = new Set<string>()
  for (const entry of entries) {
    const [ofModel, hash = ''] = entry.split(':')
    if (ofModel !== '' && ofModel !== modelId) continue
    const bytes = Buffer.from(hash, 'base64url')
    if (bytes.length !== sumBytes + digestBytes) continue
    sums.add(bytes.readInt32BE(0))
    digests.add(bytes.toString('latin1', sumBytes))
  }
  if (sums.size === 0) return null
  return (data, start, end) => {
    const from = partStart(data, start, unitPart)
    const to = partEnd(data, from, end)
    if (!sums.has(murmur3Range(data, from, to, seed) | 0)) return false
    return digests.has(digestOf(salt, data.subarray(from, to)).toString('latin1'))
  }
}

function digestOf(salt: string, unit: Uint8Array): Buffer {
  return createHash('sha256').update(`${salt}\0`).update(unit).digest().subarray(0, digestBytes)
}

/** NUL stands between the parts of a row key, and nowhere else. */
function partStart(data: Uint8Array, start: number, part: number): number {
  let at = start
  for (let left = part; left > 0; at++) if (data[at] === 0) left--
  return at
}

function partEnd(data: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && data[at] !== 0) at++
  return at
}
