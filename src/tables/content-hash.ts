import { createHash } from 'node:crypto'
import { murmur3Range } from '../domain/murmur3.ts'

/** The same for the same rows in whatever order: 64 bits of sums over rows, and their number. */
export interface ContentHash {
  /** A row is its key's UTF-8 and its packed record, one after the other. */
  add(data: Uint8Array, start: number, end: number): void
  remove(data: Uint8Array, start: number, end: number): void
  /** Of those that were added and not removed. */
  readonly rows: number
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
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    digest() {
      const hash = createHash('sha256').update(`${first} ${second} ${rows}`)
      return hash.digest('base64url').slice(0, 22)
    },
  }
}
