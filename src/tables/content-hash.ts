import { murmur3Range } from '../domain/murmur3.ts'

/**
 * The same for the same rows in whatever order: 64 bits of sums over rows, and their number. Sums can be added up and
 * taken apart again: several publishers of one generation need no other pass over its rows, and neither has an erasure.
 *
 *     digest   base64url of u32 sum of murmur3 with seed 0 · u32 sum of murmur3 with seed 0x9747b28c · u64 rows
 */
export interface ContentHash {
  /** A row is its key's UTF-8 and its packed record, one after the other. */
  add(data: Uint8Array, start: number, end: number): void
  remove(data: Uint8Array, start: number, end: number): void
  /** Rows of another content, none of which stands here. */
  merge(digest: string): void
  /** Of those that were added and not removed. */
  readonly rows: number
  /** Row keys and records; those of merged contents aren't known. */
  readonly bytes: number
  /** 22 characters. */
  digest(): string
}

export function createContentHash(): ContentHash {
  let [first, second, rows, bytes] = [0, 0, 0, 0]

  function count(data: Uint8Array, start: number, end: number, sign: 1 | -1): void {
    // Addition has no order.
    first = (first + sign * murmur3Range(data, start, end, 0)) >>> 0
    second = (second + sign * murmur3Range(data, start, end, 0x9747b28c)) >>> 0
    rows += sign
    bytes += sign * (end - start)
  }

  return {
    add: (data, start, end) => count(data, start, end, 1),
    remove: (data, start, end) => count(data, start, end, -1),
    merge(digest) {
      const sums = Buffer.from(digest, 'base64url')
      first = (first + sums.readUInt32BE(0)) >>> 0
      second = (second + sums.readUInt32BE(4)) >>> 0
      rows += Number(sums.readBigUInt64BE(8))
    },
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    digest() {
      const sums = Buffer.alloc(16)
      sums.writeUInt32BE(first, 0)
      sums.writeUInt32BE(second, 4)
      sums.writeBigUInt64BE(BigInt(rows), 8)
      return sums.toString('base64url')
    },
  }
}
