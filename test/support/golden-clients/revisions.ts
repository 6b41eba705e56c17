import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'
import { bits, type EntryGiven, revision } from './entry.ts'

const [r1, r2, r3, r4] = [1, 2, 3, 4].map(revision)

const first: RecordSchema = {
  segment: { type: 'enum', values: ['newcomer', 'casual'], room: 16, default: 'newcomer' },
  hours: { type: 'fixed', min: 0, max: 100, step: 0.1 },
}
const second: RecordSchema = {
  ...first,
  segment: { type: 'enum', values: ['newcomer', 'casual', 'regular'], room: 16, default: 'newcomer' },
  offer: { type: 'string', maxBytes: 12, optional: true, since: 2 },
  games: { type: 'list', maxItems: 4, items: { type: 'uint', max: 500 }, default: [1, 500], since: 2 },
}
// Nobody published revision 3.
const fourth: RecordSchema = {
  ...second,
  segment: {
    type: 'enum',
    values: ['newcomer', 'casual', 'regular', 'collector'],
    room: 16,
    default: 'newcomer',
  },
  level: { type: 'int', min: -5, max: 5, default: -5, optional: true, since: 4 },
  seen: {
    type: 'timestamp',
    from: '2026-01-01T00:00:00Z',
    resolutionSeconds: 0.5,
    bits: 30,
    default: '2026-02-03T04:05:06.789Z',
    since: 4,
  },
}
const writers = { first, second, fourth }
const old = { segment: 'casual', hours: 12.3 }
const newer = { segment: 'regular', hours: 99.9, offer: 'Hüte!', games: [7] }
const newest = { segment: 'collector', hours: 100, games: [], level: 5, seen: '2030-01-01T00:00:00.500Z' }

/** Each state of a schema reads what all of them wrote. */
const states: EntryGiven[] = [
  { name: 'revision 1, which reads what it and newer ones wrote', schema: first, default: old },
  { name: 'revision 2, which reads older and newer', schema: second, default: old },
  { name: 'revision 4, which reads older', schema: fourth, default: old },
].map((state) => ({
  ...state,
  writers,
  written: [
    ['first', old],
    ['first', { segment: 'newcomer', hours: 0 }],
    ['second', newer],
    ['second', { ...old, games: [1, 2, 3, 4] }],
    ['fourth', newest],
    ['fourth', { ...newer, level: -5, seen: '2026-01-01T00:00:00Z' }],
  ],
  bodies: [
    // The fields known, and nothing of what a newer revision put behind them, cut off or not.
    `${r1}0001${bits(123, 10)}`,
    `${r2}0001${bits(123, 10)}0001`,
    `${r3}0001${bits(123, 10)}0001`,
    `${r4}0001${bits(123, 10)}`,
    `${revision(5)}0001${bits(123, 10)}`,
    `${revision(5)}0001${bits(123, 10)}11`,
    `${revision(5)}0001${bits(123, 10)}0000 1 0000 ${bits(1, 30)} 1`,
    `${revision(5)}0001${bits(123, 10)}0000 1 0000 ${bits(1, 30)} ${'1'.repeat(40)}`,
    `${revision(255)}0001${bits(123, 10)}0000 0 ${bits(2 ** 30 - 1, 30)} ${'1'.repeat(400)}`,
    // What is known is checked in newer records, too.
    `${revision(200)}0001${bits(1001, 10)}${'0'.repeat(80)}`,
    `${revision(200)}0001${bits(5, 10)}0 101`,
    `${revision(200)}0001${bits(5, 10)}0 001 ${bits(501, 9)}`,
    `${revision(200)}0001${bits(5, 10)}0 000 1 1011 ${bits(0, 30)}`,
    // A value that not even the newest knows.
    `${r1}1111${bits(0, 10)}`,
    `${r1}0011${bits(0, 10)}`,
    `${r2}0011${bits(0, 10)}0000`,
    `${revision(9)}1110${bits(0, 10)}0000 0 ${bits(0, 30)}`,
    // Padding and bytes too many, of each revision.
    `${r1}0001${bits(123, 10)}01`,
    `${r1}0001${bits(123, 10)}00 00000000`,
    `${r1}0001${bits(123, 10)}01 00000000`,
    `${r2}0001${bits(123, 10)}0000 000001`,
    `${r2}0001${bits(123, 10)}0000 000000 1`,
    `${r3}0001${bits(123, 10)}0000 000001`,
    `${r4}0001${bits(123, 10)}0000 0 ${bits(0, 30)} 1`,
    `${r4}0001${bits(123, 10)}0000 0 ${bits(0, 30)} 000 00000000`,
    ...['', '00', '0000', '0010', 'ff', 'ff10', '04', '02', '03'],
  ],
}))

/** Stand-ins of every type, on their grid and not, with stand-ins of their own inside. */
const standIns: RecordSchema = {
  bool: { type: 'bool', default: true },
  uint: { type: 'uint', max: Number.MAX_SAFE_INTEGER, default: Number.MAX_SAFE_INTEGER },
  int: { type: 'int', min: -Number.MAX_SAFE_INTEGER, max: 0, default: -Number.MAX_SAFE_INTEGER },
  fixed: { type: 'fixed', min: -1, max: 1, step: 0.1, default: 0.25 },
  deep: { type: 'fixed', min: 0, max: 1e-7, step: 1e-9, default: 3.3e-8 },
  choice: { type: 'enum', values: ['a', 'b', 'c'], default: 'b' },
  roomy: { type: 'enum', values: ['a', 'b', 'c'], room: 9, default: 'c' },
  time: {
    type: 'timestamp',
    from: '1999-12-31T00:00:00.25Z',
    resolutionSeconds: 1,
    bits: 20,
    default: '2000-01-01T01:00:00+01:00',
  },
  text: {
    type: 'string',
    maxBytes: 60,
    default: '"quoted" \\ \u0024{x} */ \r\n\u0000 \u2028 ??/ é\u{1f600} %s {0}',
  },
  empty: { type: 'string', maxBytes: 1, default: '' },
  raw: { type: 'bytes', maxBytes: 4, default: '/wAB' },
  list: {
    type: 'list',
    maxItems: 3,
    items: { type: 'fixed', min: 0, max: 1, step: 0.25 },
    default: [0.3, 1],
  },
  none: { type: 'list', maxItems: 3, items: { type: 'bool' }, default: [] },
  struct: {
    type: 'struct',
    fields: {
      x: { type: 'uint', max: 9, default: 4 },
      y: { type: 'uint', max: 9, optional: true },
      z: { type: 'struct', fields: { text: { type: 'string', maxBytes: 4, default: 'é' } }, default: {} },
      list: { type: 'list', maxItems: 2, items: { type: 'bytes', maxBytes: 2 }, default: ['AQ=='] },
    },
    default: { x: 5 },
  },
  structs: {
    type: 'list',
    maxItems: 2,
    items: {
      type: 'struct',
      fields: {
        a: { type: 'enum', values: ['p', 'q'], room: 4, default: 'q' },
        b: {
          type: 'timestamp',
          from: '2026-01-01T00:00:00Z',
          resolutionSeconds: 60,
          bits: 9,
          optional: true,
        },
      },
    },
    default: [{}, { a: 'p', b: '2026-01-01T01:02:03Z' }],
  },
  both: { type: 'uint', max: 9, default: 7, optional: true },
  bare: { type: 'uint', max: 9, optional: true },
}

const grown: RecordSchema = {
  first: { type: 'uint', max: 7 },
  ...Object.fromEntries(Object.entries(standIns).map(([name, field]) => [name, { ...field, since: 255 }])),
}

export const revisionEntries: readonly EntryGiven[] = [
  ...states,
  {
    name: 'stand-ins of every type, for records of 254 revisions before',
    schema: grown,
    writers: { before: { first: { type: 'uint', max: 7 } } },
    default: { first: 1 },
    records: [{ first: 2 }],
    written: [['before', { first: 6 }]],
    bodies: ['fea0', 'fee0', '01e1', '01e0', '01e000', '01', 'fe', `${revision(254)}110 0001`],
  },
  {
    name: 'default records whose every field is a stand-in',
    schema: standIns,
    default: {},
    records: [{}, { struct: { z: { text: 'ab' } }, structs: [], both: 0 }],
  },
  {
    name: 'one new field a revision',
    schema: Object.fromEntries(
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((since) => [
        `f${since}`,
        { type: 'uint', max: 2 ** since, ...(since === 1 ? {} : { since, default: since }) },
      ]),
    ),
    default: { f1: 0 },
    bodies: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].flatMap((number) => {
      const known = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((since) => since <= number)
      const all = revision(number) + known.map((since) => bits(2 ** since, since + 1)).join('')
      return [all, `${all}1`, all.slice(0, -8), `${all}${'0'.repeat(16)}`]
    }),
  },
]
