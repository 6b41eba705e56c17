/**
 * Decodes a packed record by a ClientModel alone, in the plainest way there is: a body is a text of zeros and ones.
 * It shares nothing with the codec, and shows that the model says everything that a client must know.
 */
import { isUtf8 } from 'node:buffer'
import type { ClientMember, ClientModel, ClientType, ClientValue } from '../../../src/clients/client-model.ts'

export class DecodeFault extends Error {
  readonly code: string
  readonly field: string

  constructor(code: string, field: string) {
    super(`${code} ${field}`)
    this.code = code
    this.field = field
  }
}

class BitText {
  #left: string

  constructor(bytes: Uint8Array) {
    this.#left = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  }

  get left(): string {
    return this.#left
  }

  take(count: number, field: string): string {
    if (count > this.#left.length) throw new DecodeFault('packed-truncated', field)
    const taken = this.#left.slice(0, count)
    this.#left = this.#left.slice(count)
    return taken
  }

  number(count: number, field: string): bigint {
    return BigInt(`0b0${this.take(count, field)}`)
  }

  bytes(lengthBits: number, maxBytes: number, field: string): Buffer {
    const length = this.number(lengthBits, field)
    if (length > maxBytes) throw new DecodeFault('length-range', field)
    const bits = this.take(Number(length) * 8, field)
    return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  }
}

export function decodeByModel(model: ClientModel, packed: Uint8Array): Record<string, unknown> {
  if (packed.length === 0) throw new DecodeFault('packed-empty', '')
  const revision = packed[0]!
  if (revision === 0) throw new DecodeFault('revision-zero', '')
  const bits = new BitText(packed.subarray(1))
  const record = readMembers(
    model.members.filter(({ since }) => since <= revision),
    bits,
    '',
  )
  for (const { name, since, value } of model.members) {
    if (since > revision && value.standIn !== undefined) record[name] = value.standIn
  }
  if (revision > model.revision) return record
  if (bits.left.length >= 8) throw new DecodeFault('packed-trailing', '')
  if (bits.left.includes('1')) throw new DecodeFault('padding-nonzero', '')
  return record
}

function readMembers(
  members: readonly ClientMember[],
  bits: BitText,
  outer: string,
): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  for (const { name, value } of members) {
    const read = readValue(value, bits, outer === '' ? name : `${outer}.${name}`)
    if (read !== undefined) record[name] = read
  }
  return record
}

function readValue({ type, optional }: ClientValue, bits: BitText, field: string): unknown {
  return optional && bits.take(1, field) === '0' ? undefined : readType(type, bits, field)
}

function readType(type: ClientType, bits: BitText, field: string): unknown {
  switch (type.kind) {
    case 'bool':
      return bits.take(1, field) === '1'
    case 'integer': {
      const value = BigInt(type.min) + bits.number(type.bits, field)
      if (value > type.max) throw new DecodeFault('bits-range', field)
      return Number(value)
    }
    case 'fixed': {
      const steps = bits.number(type.bits, field)
      if (steps > type.steps) throw new DecodeFault('bits-range', field)
      return Number(`${BigInt(type.minUnits) + steps * BigInt(type.stepUnits)}e-${type.scale}`)
    }
    case 'enum': {
      const index = Number(bits.number(type.bits, field))
      if (index >= type.room) throw new DecodeFault('bits-range', field)
      if (index < type.values.length) return type.values[index]
      return type.unknown === null ? undefined : type.values[type.unknown]
    }
    case 'timestamp': {
      const ms = BigInt(type.fromMs) + bits.number(type.bits, field) * BigInt(type.resolutionMs)
      return instantText(ms, type.fromMs % 1000 !== 0 || type.resolutionMs % 1000 !== 0)
    }
    case 'string': {
      const bytes = bits.bytes(type.lengthBits, type.maxBytes, field)
      if (!isUtf8(bytes)) throw new DecodeFault('utf8-invalid', field)
      return bytes.toString('utf8')
    }
    case 'bytes':
      return bits.bytes(type.lengthBits, type.maxBytes, field).toString('base64')
    case 'list': {
      const count = bits.number(type.countBits, field)
      if (count > type.maxItems) throw new DecodeFault('length-range', field)
      return Array.from({ length: Number(count) }, () => readValue(type.item, bits, field))
    }
    case 'struct':
      return readMembers(type.members, bits, field)
  }
}

/** Days are counted by going through the years and months, without any calendar's help. */
function instantText(ms: bigint, fraction: boolean): string {
  const dayMs = 86_400_000n
  let days = Number((ms - yearZeroMs) / dayMs)
  let year = 0
  for (; days >= daysOf(year); year++) days -= daysOf(year)
  let month = 0
  const lengths = [31, daysOf(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  for (; days >= lengths[month]!; month++) days -= lengths[month]!
  const rest = Number((ms - yearZeroMs) % dayMs)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const date = `${String(year).padStart(4, '0')}-${two(month + 1)}-${two(days + 1)}`
  const time = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}`
  return `${date}T${time}${fraction ? `.${String(rest % 1000).padStart(3, '0')}` : ''}Z`
}

/** 0000-01-01T00:00:00Z, 719,528 days before 1970. */
const yearZeroMs = -62_167_219_200_000n

function daysOf(year: number): number {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 366 : 365
}
