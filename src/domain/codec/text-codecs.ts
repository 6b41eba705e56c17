/**
 * Fields that JSON holds as text:
 *
 *     string { maxBytes }   length in width(maxBytes+1), then that many bytes of UTF-8
 *     bytes { maxBytes }    length in width(maxBytes+1), then that many bytes; base64 in JSON (RFC 4648 §4, padded)
 *     timestamp { from, resolutionSeconds, bits }   whole resolutions since `from`; RFC 3339 in UTC in JSON
 *
 * The bytes start at the next bit, whatever bit that is.
 */
import { type BitReader, type BitWriter, widthOf } from './bits.ts'
import { refused } from './codec-error.ts'
import { type FieldCodec, unreadable } from './field-codec.ts'
import { wholeMilliseconds } from './fixed-grid.ts'
import { formatInstant, parseInstant } from './instant.ts'
import type { BytesField, StringField, TimestampField } from './record-field.ts'

const utf8Encoder = new TextEncoder()
// ignoreBOM keeps a leading U+FEFF, which is part of the text; fatal refuses what isn't UTF-8.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function stringCodec({ maxBytes }: StringField): FieldCodec {
  const fits = `text of at most ${maxBytes} bytes of UTF-8`
  const sized = sizedBytes(maxBytes, fits)
  const read = (reader: BitReader) => {
    const bytes = sized.read(reader)
    try {
      return utf8Decoder.decode(bytes)
    } catch {
      throw unreadable('utf8-invalid', 'bytes that are not UTF-8', fits)
    }
  }
  return {
    fits,
    bitsMax: sized.bitsMax,
    valuesMax: 1,
    write: (writer, value) => {
      if (typeof value !== 'string') throw refused('value-type', value, fits)
      if (!value.isWellFormed()) throw refused('value-type', value, fits, 'has half a surrogate pair')
      // UTF-8 takes no fewer bytes than UTF-16 has units: don't encode what can't fit.
      if (value.length > maxBytes) throw refused('value-too-long', value, fits)
      sized.write(writer, utf8Encoder.encode(value), value)
    },
    read,
    json: (reader) => JSON.stringify(read(reader)),
  }
}

export function bytesCodec({ maxBytes }: BytesField): FieldCodec {
  const fits = `at most ${maxBytes} bytes, or their base64`
  const sized = sizedBytes(maxBytes, fits)
  const read = (reader: BitReader) => base64(sized.read(reader))
  return {
    fits,
    bitsMax: sized.bitsMax,
    valuesMax: 1,
    write: (writer, value) => {
      if (value instanceof Uint8Array) return sized.write(writer, value, value)
      if (typeof value !== 'string') throw refused('value-type', value, fits)
      const bytes = Buffer.from(value, 'base64')
      // Buffer passes over what isn't base64; only text that comes back the same was.
      if (base64(bytes) !== value) throw refused('value-type', value, fits, "isn't padded base64")
      sized.write(writer, bytes, value)
    },
    read,
    json: (reader) => `"${read(reader)}"`,
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function sizedBytes(maxBytes: number, fits: string) {
  const width = widthOf(maxBytes + 1)
  return {
    bitsMax: width + maxBytes * 8,
    write(writer: BitWriter, bytes: Uint8Array, given: unknown): void {
      if (bytes.length > maxBytes) {
        throw refused('value-too-long', given, fits, `has ${bytes.length} bytes`)
      }
      writer.write(bytes.length, width)
      writer.writeBytes(bytes)
    },
    read(reader: BitReader): Uint8Array {
      const length = reader.read(width)
      if (length > maxBytes) throw unreadable('length-range', `a length of ${length} bytes`, fits)
      return reader.readBytes(length)
    },
  }
}

export function timestampCodec({ from, resolutionSeconds, bits }: TimestampField): FieldCodec {
  const fromMs = parseInstant(from)!
  const resolutionMs = wholeMilliseconds(resolutionSeconds)!
  const countMax = 2 ** bits - 1
  const fraction = fromMs % 1000 !== 0 || resolutionMs % 1000 !== 0
  const toMs = formatInstant(fromMs + countMax * resolutionMs + resolutionMs - 1, true)
  const fits = `RFC 3339 text or a Date from ${formatInstant(fromMs, fraction)} to ${toMs}`
  const read = (reader: BitReader) => formatInstant(fromMs + reader.read(bits) * resolutionMs, fraction)
  return {
    fits,
    bitsMax: bits,
    valuesMax: 1,
    write: (writer, value) => {
      const ms = millisecondsOf(value)
      if (ms === null) throw refused('value-type', value, fits)
      const count = Math.floor((ms - fromMs) / resolutionMs)
      if (count < 0 || count > countMax) throw refused('value-range', value, fits)
      writer.write(count, bits)
    },
    read,
    json: (reader) => `"${read(reader)}"`,
  }
}

function millisecondsOf(value: unknown): number | null {
  if (typeof value === 'string') return parseInstant(value)
  if (!(value instanceof Date)) return null
  const ms = value.getTime()
  return Number.isNaN(ms) ? null : ms
}
