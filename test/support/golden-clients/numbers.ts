import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'
import { bits, type EntryGiven, revision } from './entry.ts'

const greatest = Number.MAX_SAFE_INTEGER
const r1 = revision(1)

/** Widths around every boundary that a reader may stumble over: bytes, 24-bit parts, 32-bit words, 53 bits. */
const widths = [1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 47, 48, 49, 52, 53]

/** After `phase` bits, a number of each width: so that each starts at every bit of a byte somewhere. */
function widthsAt(phase: number): EntryGiven {
  const lead: RecordSchema = phase === 0 ? {} : { lead: { type: 'uint', max: 2 ** phase - 1 } }
  const schema: RecordSchema = { ...lead }
  for (const width of widths) schema[`u${width}`] = { type: 'uint', max: 2 ** width - 1 }
  const record = (value: (width: number) => number) => ({
    ...(phase === 0 ? {} : { lead: value(phase) }),
    ...Object.fromEntries(widths.map((width) => [`u${width}`, value(width)])),
  })
  return {
    name: `uint of every width from bit ${phase} on`,
    schema,
    records: [
      record(() => 0),
      record((width) => 2 ** width - 1),
      record((width) => 2 ** (width - 1)),
      record((width) =>
        Number(0b10101010101010101010101010101010101010101010101010101n % 2n ** BigInt(width)),
      ),
    ],
  }
}

export const numberEntries: readonly EntryGiven[] = [
  {
    name: 'bool',
    schema: { a: { type: 'bool' }, b: { type: 'bool' }, c: { type: 'bool', optional: true } },
    default: { a: true, b: false, c: true },
    records: [
      { a: true, b: false },
      { a: false, b: true, c: false },
      { a: true, b: true, c: true },
    ],
    bodies: ['', '00', '01', '0100', '01ff', '0110', '010000'],
    cut: true,
  },
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(widthsAt),
  {
    name: 'uint that fills no whole number of bits',
    schema: {
      a: { type: 'uint', max: 5 },
      b: { type: 'uint', max: 1000 },
      c: { type: 'uint', max: 2 ** 32 },
    },
    default: { a: 5, b: 1000, c: 4294967296 },
    records: [
      { a: 0, b: 0, c: 0 },
      { a: 5, b: 1000, c: 2 ** 32 },
    ],
    bodies: [
      `${r1}110${bits(0, 10)}${bits(0, 33)}`,
      `${r1}111${bits(0, 10)}${bits(0, 33)}`,
      `${r1}000${bits(1001, 10)}${bits(0, 33)}`,
      `${r1}000${bits(1023, 10)}${bits(0, 33)}`,
      `${r1}000${bits(0, 10)}${bits(2 ** 32 + 1, 33)}`,
      `${r1}000${bits(0, 10)}${bits(2 ** 33 - 1, 33)}`,
      `${r1}110${bits(1001, 10)}`,
      `${r1}110`,
    ],
  },
  {
    name: 'uint of 53 bits that isn’t all of them',
    schema: { lead: { type: 'bool' }, a: { type: 'uint', max: greatest - 1 } },
    records: [
      { lead: true, a: greatest - 1 },
      { lead: false, a: 2 ** 52 + 1 },
    ],
    bodies: [`${r1}1${bits(greatest, 53)}`, `${r1}0${bits(greatest, 53)}11`],
  },
  {
    name: 'fields of no bits',
    schema: {
      none: { type: 'uint', max: 0 },
      seven: { type: 'int', min: -7, max: -7 },
      one: { type: 'enum', values: ['only'] },
      half: { type: 'fixed', min: 0.5, max: 0.5, step: 0.1 },
      many: { type: 'list', maxItems: 300, items: { type: 'uint', max: 0 } },
      maybe: { type: 'int', min: 9, max: 9, optional: true },
    },
    default: { none: 0, seven: -7, one: 'only', half: 0.5, many: [0, 0], maybe: 9 },
    records: [
      { none: 0, seven: -7, one: 'only', half: 0.5, many: [], maybe: 9 },
      { none: 0, seven: -7, one: 'only', half: 0.5, many: [0, 0, 0] },
      { none: 0, seven: -7, one: 'only', half: 0.5, many: Array.from({ length: 300 }, () => 0) },
    ],
    bodies: [`${r1}${bits(301, 9)}0`, `${r1}${bits(511, 9)}1`, '01', '0100'],
  },
  {
    name: 'a record of no bits',
    schema: { none: { type: 'uint', max: 0 } },
    default: { none: 0 },
    records: [{ none: 0 }],
    bodies: ['', '00', '0100', '02', '02ff'],
  },
  {
    name: 'int',
    schema: {
      signs: { type: 'int', min: -3, max: 4 },
      below: { type: 'int', min: -1000, max: -990 },
      above: { type: 'int', min: 1_000_000_000_000, max: 1_000_000_000_005 },
      least: { type: 'int', min: -greatest, max: 0 },
      wide: { type: 'int', min: -(2 ** 52), max: 2 ** 52 - 1 },
      byte: { type: 'int', min: -128, max: 127 },
      word: { type: 'int', min: -(2 ** 31), max: 2 ** 31 - 1 },
    },
    default: {
      signs: -3,
      below: -990,
      above: 1_000_000_000_005,
      least: -greatest,
      wide: -(2 ** 52),
      byte: -128,
      word: -(2 ** 31),
    },
    records: [
      {
        signs: -3,
        below: -1000,
        above: 1e12,
        least: -greatest,
        wide: -(2 ** 52),
        byte: -128,
        word: -(2 ** 31),
      },
      { signs: 4, below: -990, above: 1e12 + 5, least: 0, wide: 2 ** 52 - 1, byte: 127, word: 2 ** 31 - 1 },
      { signs: 0, below: -995, above: 1e12 + 3, least: -1, wide: 0, byte: 0, word: -1 },
    ],
    bodies: [
      `${r1}000${bits(11, 4)}`,
      `${r1}000${bits(15, 4)}`,
      `${r1}000${bits(0, 4)}110`,
      `${r1}000${bits(0, 4)}111`,
    ],
  },
  {
    name: 'fixed',
    schema: {
      tenths: { type: 'fixed', min: 0, max: 20000, step: 0.1 },
      signed: { type: 'fixed', min: -1, max: 1, step: 0.01 },
      odd: { type: 'fixed', min: 0.1, max: 1, step: 0.3 },
      quarter: { type: 'fixed', min: -0.75, max: 5.25, step: 0.25 },
      coarse: { type: 'fixed', min: -500, max: 1000, step: 250 },
    },
    default: { tenths: 0.30000000000000004, signed: -0.29, odd: 0.7, quarter: -0.25, coarse: -250 },
    records: [
      { tenths: 0, signed: -1, odd: 0.1, quarter: -0.75, coarse: -500 },
      { tenths: 20000, signed: 1, odd: 1, quarter: 5.25, coarse: 1000 },
      { tenths: 0.3, signed: -0.07, odd: 0.4, quarter: 0, coarse: 0 },
      { tenths: 1234.7, signed: 0.57, odd: 0.7, quarter: 1.5, coarse: 250 },
      { tenths: 0.7, signed: 0.29, odd: 0.7, quarter: -0.25, coarse: 500 },
      { tenths: 2.55, signed: 0.005, odd: 0.25, quarter: 0.125, coarse: 375 },
    ],
    bodies: [
      `${r1}${bits(200_001, 18)}`,
      `${r1}${bits(0, 18)}${bits(201, 8)}`,
      `${r1}${bits(0, 18)}${bits(255, 8)}`,
      `${r1}${bits(0, 18)}${bits(0, 8)}11${bits(25, 5)}`,
      `${r1}${bits(0, 18)}${bits(0, 8)}11${bits(24, 5)}110`,
      `${r1}${bits(0, 18)}${bits(0, 8)}11${bits(24, 5)}111`,
    ],
  },
  {
    name: 'fixed with every thousandth',
    schema: {
      all: { type: 'list', maxItems: 1001, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
    },
    records: [{ all: Array.from({ length: 1001 }, (_, step) => Number(`${step}e-3`)) }],
    bodies: [`${r1}${bits(1, 10)}${bits(1001, 10)}`, `${r1}${bits(2, 10)}${bits(1000, 10)}${bits(1023, 10)}`],
  },
  {
    name: 'fixed of 15 digits and tiny steps',
    schema: {
      digits: { type: 'fixed', min: -999999999999.999, max: 999999999999.999, step: 0.001 },
      deep: { type: 'fixed', min: 0, max: 9.99999999999999e-8, step: 1e-22 },
      below: { type: 'fixed', min: -0.999999999999999, max: 0, step: 1e-15 },
      micro: { type: 'fixed', min: -0.000005, max: 0.000005, step: 5e-7 },
      whole: { type: 'fixed', min: -(2 ** 52), max: 2 ** 52 - 1, step: 1 },
      thirds: { type: 'fixed', min: -9007199254740990, max: 0, step: 3 },
      ends: { type: 'fixed', min: 0, max: 9e15, step: 3e15 },
    },
    default: {
      digits: -0.001,
      deep: 1e-22,
      below: -1e-15,
      micro: -5e-7,
      whole: -1,
      thirds: -3,
      ends: 3e15,
    },
    records: [
      {
        digits: -999999999999.999,
        deep: 0,
        below: -0.999999999999999,
        micro: -0.000005,
        whole: -(2 ** 52),
        thirds: -9007199254740990,
        ends: 0,
      },
      {
        digits: 999999999999.999,
        deep: 9.99999999999999e-8,
        below: 0,
        micro: 0.000005,
        whole: 2 ** 52 - 1,
        thirds: 0,
        ends: 9e15,
      },
      {
        digits: 123456789012.345,
        deep: 1.23456789012345e-8,
        below: -0.1,
        micro: 0.0000025,
        whole: 1234567890123456,
        thirds: -1234567890123456,
        ends: 6e15,
      },
      { digits: -0.07, deep: 3e-22, below: -0.3, micro: 5e-7, whole: 0, thirds: -3, ends: 3e15 },
    ],
    bodies: [`${r1}${bits(2n ** 51n - 1n, 51)}`, `${r1}${bits(1_999_999_999_999_999n, 51)}`],
  },
]
