/**
 * Bits, most significant first, without any alignment: the next value starts at the bit after the last one.
 *
 *     byte       0               1
 *     bit        7 6 5 4 3 2 1 0 7 6 5 4 3 2 1 0
 *     write(5,3) 1 0 1
 *     write(9,6)       0 0 1 0 0 1
 *     end                          0 0 0 0 0 0 0     zero bits to the last byte's end
 *
 * JavaScript's bit operators hold 32 bits and its numbers 53, so a value goes in parts of at most 24 bits: such a
 * part touches at most 4 bytes, whatever bit it starts at.
 */
import { CodecError } from './codec-error.ts'

const partBits = 24
const partSize = 2 ** partBits

/** Widest value that a number holds exactly. */
export const valueBitsMax = 53

/** Bits that tell `count` values apart: those of count−1; one value needs none. */
export function widthOf(count: number): number {
  const greatest = count - 1
  // log2 is exact only below 2^47 or so: 53-bit bounds round up to the next power of two.
  return greatest < 2 ** 32 ? 32 - Math.clz32(greatest) : 64 - Math.clz32(Math.floor(greatest / 2 ** 32))
}

export class BitWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #position = 0

  /** Grows where `bytes`, the room it starts with, turns out too small. */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes)
  }

  /** `value` is whole, from 0 to 2^width − 1; `width` from 0 to 53. */
  write(value: number, width: number): void {
    if (width > partBits) {
      this.write(Math.floor(value / partSize), width - partBits)
      this.#writePart(value % partSize, partBits)
    } else {
      this.#writePart(value, width)
    }
  }

  writeBytes(bytes: Uint8Array): void {
    if ((this.#position & 7) === 0) {
      this.#reserve(bytes.length * 8)
      this.#bytes.set(bytes, this.#position >>> 3)
      this.#position += bytes.length * 8
      return
    }
    for (const byte of bytes) this.#writePart(byte, 8)
  }

  get bytesWritten(): number {
    return (this.#position + 7) >>> 3
  }

  /** Puts what was written, padded with zero bits, into `target` from `start` on, and begins anew with its room kept. */
  moveTo(target: Uint8Array, start: number): void {
    const bytes = this.#bytes
    const count = this.bytesWritten
    // Byte by byte: for the few of a record a third of what `set` takes.
    for (let index = 0; index < count; index++) {
      target[start + index] = bytes[index]!
      bytes[index] = 0
    }
    this.#position = 0
  }

  /** Forgets what was written. */
  clear(): void {
    this.#bytes.fill(0, 0, this.bytesWritten)
    this.#position = 0
  }

  /** What was written, padded with zero bits. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, (this.#position + 7) >>> 3)
  }

  #writePart(value: number, width: number): void {
    this.#reserve(width)
    const bytes = this.#bytes
    let position = this.#position
    let left = width
    while (left > 0) {
      const free = 8 - (position & 7)
      const taken = Math.min(left, free)
      left -= taken
      const bits = (value >>> left) & (0xff >>> (8 - taken))
      const index = position >>> 3
      bytes[index] = bytes[index]! | (bits << (free - taken))
      position += taken
    }
    this.#position = position
  }

  #reserve(width: number): void {
    const needed = (this.#position + width + 7) >>> 3
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}

/** Reads what a BitWriter wrote; never past the end, however wrong the bytes are. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#end = bytes.length * 8
  }

  /** The next `width` bits (0 to 53) as a whole number. @throws {CodecError} `packed-truncated` */
  read(width: number): number {
    if (width > partBits) {
      const high = this.read(width - partBits)
      return high * partSize + this.read(partBits)
    }
    if (width === 0) return 0
    const start = this.#position
    const end = start + width
    if (end > this.#end) throw this.#truncated(width)
    this.#position = end
    const bytes = this.#bytes
    const last = (end - 1) >>> 3
    let value = 0
    for (let index = start >>> 3; index <= last; index++) value = (value << 8) | bytes[index]!
    return (value >>> (-end & 7)) & ((partSize - 1) >>> (partBits - width))
  }

  /** The next `length` bytes, as a copy. @throws {CodecError} `packed-truncated` */
  readBytes(length: number): Uint8Array {
    const end = this.#position + length * 8
    if (end > this.#end) throw this.#truncated(length * 8)
    const first = this.#position >>> 3
    const shift = this.#position & 7
    this.#position = end
    const source = this.#bytes
    const bytes = new Uint8Array(length)
    if (shift === 0) {
      for (let index = 0; index < length; index++) bytes[index] = source[first + index]!
    } else {
      for (let index = 0; index < length; index++) {
        bytes[index] = (source[first + index]! << shift) | (source[first + index + 1]! >>> (8 - shift))
      }
    }
    return bytes
  }

  /** Nothing may follow but zero bits to the end of the byte. @throws {CodecError} */
  expectEnd(): void {
    const rest = this.#end - this.#position
    if (rest >= 8) {
      const used = (this.#position + 7) >>> 3
      throw new CodecError(
        'packed-trailing',
        `${this.#bytes.length} bytes, but the record ends after ${used}; one packed record and nothing else fits`,
      )
    }
    if (rest > 0 && this.read(rest) !== 0) {
      throw new CodecError('padding-nonzero', `the ${rest} bits after the last field must be zero`)
    }
  }

  #truncated(width: number): CodecError {
    const rest = this.#end - this.#position
    return new CodecError('packed-truncated', `the bytes end here: ${width} bits needed, ${rest} left`)
  }
}
