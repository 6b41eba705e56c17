import { bits, type EntryGiven, revision, sized } from './entry.ts'

const r1 = revision(1)

export const nestedEntries: readonly EntryGiven[] = [
  {
    name: 'the sample studio’s games',
    model: 'games',
    schema: {
      segment: {
        type: 'enum',
        values: ['newcomer', 'casual', 'regular', 'collector'],
        room: 16,
        default: 'newcomer',
      },
      hours_played: { type: 'fixed', min: 0, max: 20000, step: 0.1 },
      games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
      scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
    },
    default: { segment: 'newcomer', hours_played: 0, games: [1, 2, 3], scores: [1, 0.5, 0.3] },
    records: [
      { segment: 'regular', hours_played: 1234.5, games: [1, 2, 3], scores: [1, 0.5, 0.3] },
      { segment: 'casual', hours_played: 0.1, games: [], scores: [] },
      {
        segment: 'collector',
        hours_played: 20000,
        games: [4095, 0, 4095, 0, 4095],
        scores: [1, 0.999, 0.001, 0, 0.123],
      },
    ],
    bodies: [
      // Values that a newer schema may know, up to the last that there is room for.
      `${r1}${bits(4, 4)}${bits(0, 18)}000000`,
      `${r1}${bits(15, 4)}${bits(0, 18)}000000`,
      // Too many, and too great.
      `${r1}0000${bits(0, 18)}110`,
      `${r1}0000${bits(0, 18)}111`,
      `${r1}0000${bits(0, 18)}000110`,
      `${r1}0000${bits(200_001, 18)}`,
      `${r1}0000${bits(0, 18)}000010${bits(1000, 10)}${bits(1001, 10)}`,
      // Padding, and bytes too many, which count before it.
      `${r1}0000${bits(0, 18)}0000000001`,
      `${r1}0000${bits(0, 18)}00000000000000000001`,
      `${r1}0000${bits(0, 18)}00000000010000000000`,
    ],
    cut: true,
  },
  {
    name: 'enum with room, default and optional',
    schema: {
      plain: { type: 'enum', values: ['a', 'b', 'c'] },
      standIn: { type: 'enum', values: ['a', 'b', 'c'], room: 6, default: 'c' },
      maybe: { type: 'enum', values: ['a', 'b', 'c'], room: 6, optional: true },
      both: { type: 'enum', values: ['a', 'b', 'c'], room: 6, optional: true, default: 'b' },
      list: {
        type: 'list',
        maxItems: 3,
        items: { type: 'enum', values: ['x', 'y'], room: 300, default: 'y' },
      },
      one: { type: 'enum', values: ['one'], room: 2, default: 'one' },
      full: { type: 'enum', values: ['p', 'q', 'r'], room: 3, optional: true },
      tail: { type: 'bool' },
    },
    default: { plain: 'b', maybe: 'a', list: ['x', 'y', 'x'], one: 'one', tail: true },
    records: [
      { plain: 'c', standIn: 'a', maybe: 'c', both: 'a', list: ['x'], one: 'one', full: 'r', tail: true },
      { plain: 'a', standIn: 'c', list: [], one: 'one', tail: false },
    ],
    bodies: [
      `${r1}11 000 0 0 00 0 0 1`,
      `${r1}00 011 0 0 00 0 0 1`,
      `${r1}00 101 0 0 00 0 0 1`,
      `${r1}00 110 0 0 00 0 0 1`,
      `${r1}00 111 0 0 00 0 0 1`,
      `${r1}00 000 1011 0 00 0 0 1`,
      `${r1}00 000 1101 1101 00 0 0 1`,
      `${r1}00 000 1110 0 00 0 0 1`,
      `${r1}00 000 1000 1111 00 0 0 1`,
      `${r1}00 000 0 0 10 ${bits(2, 9)} ${bits(299, 9)} 0 0 1`,
      `${r1}00 000 0 0 10 ${bits(1, 9)} ${bits(300, 9)} 0 0 1`,
      `${r1}00 000 0 0 00 1 0 1`,
      `${r1}00 000 0 0 00 0 111 1`,
      `${r1}00 000 0 0 00 0 110 1`,
    ],
  },
  {
    name: 'optional everywhere',
    schema: {
      bool: { type: 'bool', optional: true },
      uint: { type: 'uint', max: 9, optional: true },
      int: { type: 'int', min: -9, max: 9, optional: true },
      fixed: { type: 'fixed', min: -1, max: 1, step: 0.5, optional: true },
      choice: { type: 'enum', values: ['no', 'yes'], optional: true },
      time: {
        type: 'timestamp',
        from: '2026-01-01T00:00:00Z',
        resolutionSeconds: 1,
        bits: 9,
        optional: true,
      },
      text: { type: 'string', maxBytes: 9, optional: true },
      raw: { type: 'bytes', maxBytes: 9, optional: true },
      list: { type: 'list', maxItems: 3, items: { type: 'uint', max: 9 }, optional: true },
      struct: {
        type: 'struct',
        optional: true,
        fields: {
          bool: { type: 'bool', optional: true },
          text: { type: 'string', maxBytes: 3, optional: true },
          inner: {
            type: 'struct',
            optional: true,
            fields: {
              list: { type: 'list', maxItems: 1, items: { type: 'bool' }, optional: true },
              number: { type: 'int', min: -4, max: -1, optional: true, default: -2 },
            },
          },
        },
      },
    },
    default: {},
    records: [
      {},
      {
        bool: false,
        uint: 0,
        int: 0,
        fixed: 0,
        choice: 'no',
        time: '2026-01-01T00:00:00Z',
        text: '',
        raw: '',
        list: [],
        struct: {},
      },
      {
        bool: true,
        uint: 9,
        int: -9,
        fixed: -0.5,
        choice: 'yes',
        time: '2026-01-01T00:08:31Z',
        text: 'aé',
        raw: 'AQID',
        list: [9, 0, 9],
        struct: { bool: true, text: 'abc', inner: { list: [true], number: -4 } },
      },
      { struct: { inner: {} } },
      { struct: { inner: { list: [] } } },
    ],
    bodies: [
      // Absent although it has a default: only the writer puts that in.
      `${r1}000000000 1 0 0 1 0 0`,
      `${r1}0 1${bits(10, 4)}`,
      `${r1}0 0 1${bits(19, 5)}`,
      `${r1}0 0 0 1${bits(5, 3)}`,
      `${r1}000000 1${sized(4, 'c3')}`,
      `${r1}000000 1${bits(10, 4)}`,
      `${r1}0000000 1${bits(10, 4)}`,
      `${r1}00000000 1 01${bits(10, 4)}`,
      `${r1}000000000 1 0 1${sized(2, 'eda0')}`,
      '01ff',
      '01',
    ],
    cut: true,
  },
  {
    name: 'lists, empty and full',
    schema: {
      none: { type: 'list', maxItems: 1, items: { type: 'bool' } },
      bools: { type: 'list', maxItems: 9, items: { type: 'bool' } },
      texts: { type: 'list', maxItems: 4, items: { type: 'string', maxBytes: 5 } },
      raws: { type: 'list', maxItems: 4, items: { type: 'bytes', maxBytes: 2 } },
      times: {
        type: 'list',
        maxItems: 2,
        items: { type: 'timestamp', from: '2020-02-28T00:00:00Z', resolutionSeconds: 0.5, bits: 20 },
      },
      lists: {
        type: 'list',
        maxItems: 3,
        items: {
          type: 'list',
          maxItems: 2,
          items: { type: 'list', maxItems: 2, items: { type: 'uint', max: 5 } },
        },
      },
      choices: { type: 'list', maxItems: 3, items: { type: 'enum', values: ['a', 'b', 'c'] } },
    },
    default: {
      none: [true],
      bools: [true, false],
      texts: ['"', ''],
      raws: ['AA=='],
      times: [],
      lists: [[[5]]],
      choices: ['c'],
    },
    records: [
      { none: [], bools: [], texts: [], raws: [], times: [], lists: [], choices: [] },
      {
        none: [true],
        bools: [true, false, true, false, true, false, true, false, true],
        texts: ['a', 'é', '日ab', '\u{1f600}'],
        raws: ['', 'AA==', '/w==', '//8='],
        times: ['2020-02-29T23:59:59.500Z', '2020-03-01T00:00:00.000Z'],
        lists: [
          [
            [0, 1],
            [2, 3],
          ],
          [[4, 5], []],
          [[], [5]],
        ],
        choices: ['a', 'b', 'c'],
      },
      {
        none: [false],
        bools: [false],
        texts: [''],
        raws: [''],
        times: [],
        lists: [[], [[]], [[], []]],
        choices: [],
      },
    ],
    bodies: [
      `${r1}0${bits(10, 4)}`,
      `${r1}0${bits(0, 4)}${bits(5, 3)}`,
      `${r1}0${bits(0, 4)}${bits(1, 3)}${bits(6, 3)}`,
      `${r1}0${bits(0, 4)}${bits(2, 3)}${sized(3, '61')}${sized(3, 'ff')}`,
      `${r1}0${bits(0, 4)}${bits(0, 3)}${bits(1, 3)}11`,
      `${r1}0${bits(0, 4)}${bits(0, 3)}${bits(0, 3)}11`,
      `${r1}0${bits(0, 4)}${bits(0, 3)}${bits(0, 3)}00 01 11`,
      `${r1}0${bits(0, 4)}${bits(0, 3)}${bits(0, 3)}00 01 01 01 110`,
      `${r1}0${bits(0, 4)}${bits(0, 3)}${bits(0, 3)}00 00 01 11`,
    ],
    cut: true,
  },
  {
    name: 'a list of structs of lists, 4 deep',
    schema: {
      shelves: {
        type: 'list',
        maxItems: 3,
        items: {
          type: 'struct',
          fields: {
            title: { type: 'string', maxBytes: 10 },
            games: {
              type: 'list',
              maxItems: 3,
              items: { type: 'fixed', min: -0.5, max: 0.5, step: 0.05 },
              optional: true,
            },
            pinned: { type: 'bool' },
          },
        },
      },
      home: {
        type: 'struct',
        fields: {
          where: {
            type: 'struct',
            fields: {
              spot: {
                type: 'struct',
                fields: { x: { type: 'int', min: -100, max: 100 }, y: { type: 'int', min: -100, max: 100 } },
              },
            },
          },
          note: { type: 'string', maxBytes: 4, optional: true },
        },
      },
    },
    default: {
      shelves: [
        { title: 'Für dich', games: [0.1, -0.15], pinned: true },
        { title: '', pinned: false },
      ],
      home: { where: { spot: { x: -100, y: 100 } } },
    },
    records: [
      { shelves: [], home: { where: { spot: { x: 0, y: 0 } } } },
      {
        shelves: [
          { title: 'new', games: [0.5, -0.5, 0.3], pinned: true },
          { title: '', games: [], pinned: false },
          { title: '日本語', pinned: true },
        ],
        home: { where: { spot: { x: 100, y: -100 } }, note: 'ok' },
      },
    ],
    bodies: [
      `${r1}10 ${sized(4, '61')} 0 1 ${bits(11, 4)}`,
      `${r1}10 ${sized(4, '61')} 0 1 ${sized(4, 'c0')}`,
      `${r1}01 ${sized(4, '61')} 1 10 ${bits(20, 5)} ${bits(21, 5)}`,
      `${r1}01 ${sized(4, '61')} 1 11 ${bits(20, 5)}`,
      `${r1}00 ${bits(201, 8)}`,
      `${r1}00 ${bits(200, 8)}${bits(255, 8)}`,
      `${r1}00 ${bits(200, 8)}${bits(0, 8)}1${bits(5, 3)}`,
      `${r1}00 ${bits(200, 8)}${bits(0, 8)}1${sized(3, 'f09f')}`,
    ],
    cut: true,
  },
  {
    name: 'a list at its longest',
    schema: { numbers: { type: 'list', maxItems: 4095, items: { type: 'uint', max: 6 } } },
    records: [{ numbers: Array.from({ length: 4095 }, (_, index) => index % 7) }, { numbers: [6] }],
    bodies: [`${r1}${bits(2, 12)}110111`],
  },
]
