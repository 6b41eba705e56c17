import { limits } from '../domain/limits.ts'
import { murmur3Range } from '../domain/murmur3.ts'

/** Keys that came before, in memory that doesn't grow. */
export interface SeenKeys {
  /** Notes the key. False: it came for the first time. True: it came before, or looks like others that did. */
  mayHave(key: string): boolean
}

/** Bits that each key sets: the best number for some 10 M keys would be 18, for 100 M it would be 2. */
const bitsPerKey = 4

/** A Bloom filter; the bits of a key follow from two hashes (Kirsch and Mitzenmacher, "Less Hashing, Same Performance"). */
export function createSeenKeys(bytes: number = limits.seenKeysBytes): SeenKeys {
  const words = new Uint32Array(bytes / 4)
  const bits = bytes * 8
  return {
    mayHave(key) {
      const text = Buffer.from(key)
      const first = murmur3Range(text, 0, text.length, 0)
      const second = murmur3Range(text, 0, text.length, 0x9747b28c)
      let isNew = false
      for (let index = 0; index < bitsPerKey; index++) {
        const bit = (first + index * second) % bits
        const mask = 1 << (bit & 31)
        const word = words[bit >>> 5]!
        if ((word & mask) === 0) isNew = true
        words[bit >>> 5] = word | mask
      }
      return !isNew
    },
  }
}
