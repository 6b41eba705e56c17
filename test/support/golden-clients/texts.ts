import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'
import { bits, type EntryGiven, revision, sized } from './entry.ts'

const r1 = revision(1)

/** Text and bytes that begin at a given bit of a byte, the one after the other. */
function textAt(phase: number): EntryGiven {
  const lead: RecordSchema = phase === 0 ? {} : { lead: { type: 'uint', max: 2 ** phase - 1 } }
  const leads = phase === 0 ? {} : { lead: 2 ** phase - 1 }
  return {
    name: `string and bytes from bit ${phase} on`,
    // 8 bits of length each, so that the bytes begin where the length does.
    schema: { ...lead, text: { type: 'string', maxBytes: 255 }, raw: { type: 'bytes', maxBytes: 255 } },
    records: [
      { ...leads, text: '', raw: '' },
      { ...leads, text: 'a\u{1f600}é', raw: '/wABgH8=' },
      { ...leads, text: 'Grüße, 日本語!', raw: 'AAAAAAD//////w==' },
    ],
    cut: true,
  }
}

/** Bytes that are no UTF-8, each with what is wrong with them. */
const brokenUtf8 = {
  'a continuation byte alone': '80',
  'two continuation bytes': '8080',
  'the last continuation byte alone': 'bf',
  'C0, which can only begin an overlong form': 'c080',
  'overlong "/" in 2 bytes': 'c0af',
  'overlong U+007F in 2 bytes': 'c1bf',
  'overlong "/" in 3 bytes': 'e080af',
  'overlong U+07FF in 3 bytes': 'e09fbf',
  'overlong "/" in 4 bytes': 'f08080af',
  'overlong U+FFFF in 4 bytes': 'f08fbfbf',
  'the first high surrogate': 'eda080',
  'the last low surrogate': 'edbfbf',
  'a pair of surrogates, CESU-8': 'eda0bdedb880',
  'above U+10FFFF': 'f4908080',
  'F5, which begins nothing': 'f5808080',
  FE: 'fe',
  FF: 'ff',
  'five bytes': 'f888808080',
  'six bytes': 'fc8480808080',
  '2 bytes cut off': 'c3',
  '3 bytes cut off after 1': 'e3',
  '3 bytes cut off after 2': 'e381',
  '4 bytes cut off after 3': 'f09f98',
  '2 bytes with ASCII for the second': 'c328',
  '3 bytes with ASCII for the third': 'e38128',
  '4 bytes with ASCII for the second': 'f0289880',
  'a good letter, then a lead byte where one more should follow': '61e2c3a9',
  'good text up to its last byte': '6162636465666768ff',
}

/** Every length of sequence at its least and greatest. */
const boundaries = [
  '00',
  '7f',
  'c280',
  'dfbf',
  'e0a080',
  'ed9fbf',
  'ee8080',
  'efbfbd',
  'efbfbe',
  'efbfbf',
  'f0908080',
  'f48fbfbf',
  'efbbbf',
  'efbbbf61',
  '61efbbbf',
  '610062',
  'e280a8e280a9',
  '220a5c2f08090c0d1f',
  '65cc81',
]

export const textEntries: readonly EntryGiven[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(textAt),
  {
    name: 'string: what is UTF-8 and what isn’t',
    schema: {
      lead: { type: 'bool' },
      text: { type: 'string', maxBytes: 20 },
      tail: { type: 'uint', max: 3 },
    },
    default: { lead: true, text: '"\\\u0000\n*/ \u0024{x} ??/ \u2028', tail: 2 },
    records: [
      { lead: true, text: '', tail: 1 },
      { lead: true, text: 'exactly twenty bytes', tail: 3 },
      { lead: false, text: '\u{10ffff}\ud7ff\ue000\uffff', tail: 0 },
    ],
    bodies: [
      ...boundaries.map((hex) => `${r1}1${sized(5, hex)}10`),
      ...Object.values(brokenUtf8).map((hex) => `${r1}1${sized(5, hex)}10`),
      // The length is looked at before what follows it: too great is length-range, however few bytes there are.
      `${r1}1${bits(21, 5)}`,
      `${r1}1${bits(31, 5)}`,
      `${r1}1${bits(21, 5)}${'01100001'.repeat(21)}10`,
      `${r1}1${bits(20, 5)}${'01100001'.repeat(19)}`,
      // Too few bytes are packed-truncated, whatever they are.
      `${r1}1${bits(3, 5)}${'11111111'.repeat(2)}`,
    ],
  },
  {
    name: 'string and bytes of one byte, and of many',
    schema: {
      one: { type: 'string', maxBytes: 1 },
      raw: { type: 'bytes', maxBytes: 1 },
      long: { type: 'string', maxBytes: 3000 },
      longRaw: { type: 'bytes', maxBytes: 3000, optional: true },
    },
    default: { one: '0', raw: 'MA==', long: 'いろは', longRaw: 'AAEC' },
    records: [
      { one: '', raw: '', long: '' },
      { one: 'x', raw: '/w==', long: 'ß'.repeat(1500), longRaw: Buffer.alloc(3000, 0xa5).toString('base64') },
      { one: '', raw: 'AA==', long: 'a', longRaw: '' },
      { one: '', raw: 'AA==', long: 'a', longRaw: '+/+/' },
    ],
    bodies: [
      `${r1}00${bits(3001, 12)}`,
      `${r1}00${bits(0, 12)}1${bits(3001, 12)}`,
      `${r1}00${bits(4095, 12)}`,
    ],
  },
  {
    name: 'timestamp',
    schema: {
      minutes: { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 60, bits: 24 },
      millis: { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 0.001, bits: 42 },
      offset: { type: 'timestamp', from: '2026-01-01T00:00:00+09:00', resolutionSeconds: 3600, bits: 20 },
      fraction: { type: 'timestamp', from: '1999-12-31T23:59:59.5Z', resolutionSeconds: 1, bits: 12 },
      quarter: { type: 'timestamp', from: '1970-01-01T00:00:00Z', resolutionSeconds: 0.25, bits: 10 },
    },
    default: {
      minutes: '2026-07-01T12:34:56Z',
      millis: '2026-07-01T12:34:56.789Z',
      offset: '2026-07-01T12:34:56Z',
      fraction: '2000-01-01T00:00:00Z',
      quarter: '1970-01-01T00:00:00.999Z',
    },
    records: [
      {
        minutes: '2026-01-01T00:00:00Z',
        millis: '2026-01-01T00:00:00.000Z',
        offset: '2025-12-31T15:00:00Z',
        fraction: '1999-12-31T23:59:59.500Z',
        quarter: '1970-01-01T00:00:00.000Z',
      },
      {
        minutes: '2057-11-24T20:15:59.999Z',
        millis: '2165-05-15T07:35:11.103Z',
        offset: '2145-08-15T06:00:00Z',
        fraction: '2000-01-01T01:08:14.500Z',
        quarter: '1970-01-01T00:04:15.750Z',
      },
      {
        minutes: '2028-02-29T23:59:59Z',
        millis: '2028-02-29T23:59:59.999Z',
        offset: '2100-02-28T23:59:59Z',
        fraction: '2000-01-01T00:00:00.499Z',
        quarter: '1970-01-01T00:00:00.999Z',
      },
      {
        minutes: '2028-03-01T00:00:59Z',
        millis: '2100-03-01T00:00:00.007Z',
        offset: '2100-03-01T00:00:00Z',
        fraction: '2000-01-01T00:00:00.500Z',
        quarter: '1970-01-01T00:00:01.250Z',
      },
    ],
    cut: true,
  },
  {
    name: 'timestamp: every kind of year',
    schema: {
      days: { type: 'timestamp', from: '0000-01-01T00:00:00Z', resolutionSeconds: 86400, bits: 21 },
      later: { type: 'timestamp', from: '4200-01-01T00:00:00Z', resolutionSeconds: 86400, bits: 21 },
      ever: { type: 'timestamp', from: '0000-01-01T00:00:00.000Z', resolutionSeconds: 0.001, bits: 48 },
      end: { type: 'timestamp', from: '9999-12-31T23:59:59.998Z', resolutionSeconds: 0.001, bits: 1 },
      last: { type: 'timestamp', from: '9999-12-31T23:59:58Z', resolutionSeconds: 1, bits: 1 },
      before: { type: 'timestamp', from: '1901-12-13T20:45:51Z', resolutionSeconds: 1, bits: 33 },
    },
    records: [
      ...[
        ['0000-01-01', '4200-01-01', '0000-01-01T00:00:00.000Z', 998, 58, '1901-12-13T20:45:51Z'],
        ['0000-02-29', '4400-02-29', '0000-03-01T00:00:00.001Z', 999, 59, '1969-12-31T23:59:59Z'],
        ['0001-01-01', '4201-03-01', '0099-12-31T23:59:59.999Z', 998, 59, '1970-01-01T00:00:00Z'],
        ['0100-02-28', '5000-02-28', '0100-03-01T12:00:00.010Z', 998, 59, '1972-02-29T00:00:00Z'],
        ['0400-02-29', '9600-02-29', '1600-02-29T23:59:59.100Z', 998, 59, '2000-02-29T23:59:59Z'],
        ['1582-10-15', '9900-03-01', '1900-03-01T00:00:00.000Z', 998, 59, '2038-01-19T03:14:07Z'],
        ['1899-12-31', '9941-10-22', '1969-12-31T23:59:59.999Z', 998, 59, '2038-01-19T03:14:08Z'],
        ['1970-01-01', '9900-02-28', '1970-01-01T00:00:00.001Z', 998, 59, '2106-02-07T06:28:16Z'],
        ['5741-10-21', '9000-12-31', '8919-08-03T05:31:50.655Z', 998, 59, '2174-02-25T09:42:22Z'],
      ].map(([days, later, ever, end, last, before]) => ({
        days: `${days}T00:00:00Z`,
        later: `${later}T00:00:00Z`,
        ever,
        end: `9999-12-31T23:59:59.${end}Z`,
        last: `9999-12-31T23:59:${last}Z`,
        before,
      })),
    ],
    bodies: [`${r1}${'1'.repeat(21 + 21 + 48 + 1 + 1 + 33)}`],
  },
]
