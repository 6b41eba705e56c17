/** Names and values that a language would stumble over. What a field or value is called changes nothing of its bits. */
import type { RecordField } from '../../../src/domain/codec/record-field.ts'
import type { RecordSchema } from '../../../src/domain/codec/record-schema.ts'
import { bits, type EntryGiven, revision } from './entry.ts'

const words = {
  'C#': `abstract as base bool break byte case catch char checked class const continue decimal default delegate do
    double else enum event explicit extern false finally fixed float for foreach goto if implicit in int interface
    internal is lock long namespace new null object operator out override params private protected public readonly
    ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong
    unchecked unsafe ushort using virtual void volatile while add alias async await dynamic field file get global init
    managed nameof nint notnull nuint partial record remove required scoped select set unmanaged value var when where
    with yield __arglist __makeref Equals GetHashCode GetType ToString MemberwiseClone Finalize ReferenceEquals Object
    System Math Array List Exception Encoding BitConverter DateTime Type Attribute Nullable Count Length`,
  'C++': `alignas alignof and and_eq asm auto bitand bitor char8_t char16_t char32_t co_await co_return co_yield compl
    concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit_ export friend import
    inline module mutable noexcept not not_eq nullptr or or_eq register reinterpret_cast requires signed static_assert
    static_cast template thread_local typedef typeid typename union unsigned wchar_t xor xor_eq std size_t int64_t
    uint8_t NULL TRUE FALSE EOF NAN INFINITY errno assert min max linux unix near far small IN OUT DELETE ERROR main
    optional vector string_view move final check TEXT PI nil id self`,
  TypeScript: `any arguments asserts boolean debugger declare eval extends function implements infer instanceof keyof
    let never number of package satisfies super symbol type undefined unique unknown toString valueOf hasOwnProperty
    isPrototypeOf propertyIsEnumerable toLocaleString __defineGetter__ __lookupSetter__ then toJSON length name call
    apply bind caller exports require Promise Infinity Symbol BigInt Date Map Record Partial Uint8Array globalThis
    window`,
  ours: `decode encode Decode reader Reader position Position revision Revision bytes error Error code field_ model
    Model tenant result Result values Values default_ Default DefaultRecord default_record defaultRecord fetcher
    Client client Games games GamesRecord value_ item Item items Items has Has present kind ok body data _ __ ___ _1
    a A Z9`,
}

/** As many fields as one schema may have, at the most. */
const wordsASchema = 100

function wordEntries(): EntryGiven[] {
  return Object.entries(words).flatMap(([whose, text]) => {
    const names = text.split(/\s+/)
    const parts = Array.from({ length: Math.ceil(names.length / wordsASchema) }, (_, part) =>
      names.slice(part * wordsASchema, (part + 1) * wordsASchema),
    )
    return parts.map((part, index): EntryGiven => {
      const record = Object.fromEntries(part.map((name, place) => [name, place % 8]))
      return {
        name: `field names that are words of ${whose}, ${index + 1}`,
        schema: Object.fromEntries(part.map((name) => [name, { type: 'uint', max: 7 }])),
        default: record,
        records: [record],
        bodies: ['0102'],
      }
    })
  })
}

const one: RecordField = { type: 'uint', max: 255 }
const counted = (names: readonly string[]): RecordSchema =>
  Object.fromEntries(names.map((name) => [name, one]))
const places = (names: readonly string[]) => Object.fromEntries(names.map((name, place) => [name, place + 1]))

/** Names that are one and the same once their first letters are raised and their underscores gone. */
const alike = [
  'a_b',
  'aB',
  'AB',
  'ab',
  'a__b',
  'a_B',
  'A_b',
  'A_B',
  '_aB',
  '_a_b',
  'aB_',
  'Ab',
  '__ab',
  'a_b_',
  'a_b1',
  'aB1',
]
/** Names that what tells presence, or a type of its own, might be called. */
const companions: RecordSchema = {
  x: { ...one, optional: true },
  hasX: { type: 'bool' },
  HasX: { type: 'bool' },
  has_x: { type: 'bool' },
  xPresent: { type: 'bool' },
  x_present: { type: 'bool' },
  xValue: one,
  x_value: one,
  offer: { type: 'struct', fields: { offer: one, Offer: one, x: { ...one, optional: true } } },
  Offer: { type: 'struct', fields: { offer: { type: 'struct', fields: { Offer: one } } } },
  OfferOffer: { type: 'struct', fields: { a: one } },
  offer_offer: { type: 'enum', values: ['offer', 'Offer', 'OFFER'] },
  offers: {
    type: 'list',
    maxItems: 2,
    items: { type: 'struct', fields: { offers: one, item: one, Item: one } },
  },
  offersItem: { type: 'struct', fields: { offersItem: one } },
  OffersItem: { type: 'struct', fields: { Item: one } },
  offerItem: { type: 'struct', fields: { value: one } },
  offersItemValue: { type: 'enum', values: ['value'] },
  offersItems: { type: 'list', maxItems: 1, items: { type: 'enum', values: ['Offers', 'Item'] } },
}

/** Values of enums that are no identifiers, or the same one, or somebody else's. */
const values = [
  '1st',
  '2',
  '-1',
  '+1',
  '0',
  'a-b',
  'a b',
  'a_b',
  'aB',
  'AB',
  'ab',
  'a.b',
  'a/b',
  'a  b',
  ' a b',
  'a b ',
  'é',
  'e\u0301',
  '\u{1f600}',
  '\u{1f600}\u{1f600}',
  '日本',
  'ß',
  'ẞ',
  'İ',
  'ı',
  'I',
  'i',
  'class',
  'Class',
  'CLASS',
  'default',
  'Default',
  'int',
  'None',
  'none',
  'Unknown',
  'unknown',
  'value__',
  'ToString',
  'toString',
  'constructor',
  '__proto__',
  'prototype',
  'hasOwnProperty',
  'values',
  'operator',
  'operator+',
  'true',
  'false',
  'null',
  'undefined',
  'NaN',
  'NULL',
  'EOF',
  'linux',
  '_',
  '__',
  '-',
  '--',
  ' ',
  '\t',
  '\n',
  '\r\n',
  '\u0000',
  'a\u0000',
  'a\u0000b',
  '"',
  "'",
  '\\',
  '\\n',
  '\\u0041',
  '`',
  '\u0024{x}',
  '*/',
  '/*',
  '//',
  '<!--',
  '</summary>',
  '&amp;',
  '??/',
  '%s',
  '%',
  '{0}',
  '{',
  '}',
  '#if',
  '@class',
  '$',
  '\u2028',
  '\ufeff',
  '\u200b',
  '\u202e',
  '\uffff',
  'Value1',
  'value1',
  'value_1',
  'V1',
  'A',
  'a',
  'x'.repeat(255),
  'あ'.repeat(85),
] as const // prettier-ignore

/** Optional fields, absent, whose names every object of a language has all the same. */
const inherited = [
  'toString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  'propertyIsEnumerable',
  'toLocaleString',
  '__defineGetter__',
  '__lookupGetter__',
  'toJSON',
  'then',
  'ToString',
  'Equals',
  'GetHashCode',
  'GetType',
  'length',
  'name',
  'size',
]

export const inheritedEntries: readonly EntryGiven[] = [
  {
    name: 'absent fields whose names every object has',
    schema: {
      present: one,
      ...Object.fromEntries(inherited.map((name) => [name, { ...one, optional: true }])),
      inner: {
        type: 'struct',
        fields: Object.fromEntries(inherited.map((name) => [name, { type: 'bool', optional: true }])),
      },
    },
    default: { present: 1, inner: {} },
    records: [
      { present: 2, inner: {} },
      { present: 3, inner: { toString: true, hasOwnProperty: false } },
      { present: 4, ...places(inherited), inner: Object.fromEntries(inherited.map((name) => [name, true])) },
    ],
  },
]

export const nameEntries: readonly EntryGiven[] = [
  ...wordEntries(),
  {
    name: 'field names that are the same once they are cleaned',
    schema: {
      ...counted(alike),
      inner: { type: 'struct', fields: counted(alike) },
      list: { type: 'list', maxItems: 2, items: { type: 'struct', fields: counted(alike) } },
    },
    default: { ...places(alike), inner: places(alike), list: [places(alike)] },
    records: [{ ...places(alike), inner: places(alike), list: [places(alike), places(alike)] }],
    bodies: ['01020304'],
  },
  {
    name: 'names of fields, their types and their presence that collide',
    tenant: 'offer',
    model: 'offers',
    schema: companions,
    records: [
      {
        hasX: true,
        HasX: false,
        has_x: true,
        xPresent: false,
        x_present: true,
        xValue: 1,
        x_value: 2,
        offer: { offer: 3, Offer: 4 },
        Offer: { offer: { Offer: 5 } },
        OfferOffer: { a: 6 },
        offer_offer: 'Offer',
        offers: [{ offers: 7, item: 8, Item: 9 }],
        offersItem: { offersItem: 10 },
        OffersItem: { Item: 11 },
        offerItem: { value: 12 },
        offersItemValue: 'value',
        offersItems: ['Item'],
      },
    ],
    cut: true,
  },
  {
    name: 'a name of 64 letters, and two that differ in the last',
    schema: counted(['n'.repeat(64), 'n'.repeat(63), `${'n'.repeat(63)}m`, `N${'n'.repeat(63)}`]),
    records: [places(['n'.repeat(64), 'n'.repeat(63), `${'n'.repeat(63)}m`, `N${'n'.repeat(63)}`])],
    bodies: ['01', '0101', '010101', '01010101'],
  },
  {
    name: 'enum values that are no identifiers',
    schema: {
      plain: { type: 'enum', values: [...values] },
      roomy: { type: 'enum', values: [...values], room: 1000, default: '*/' },
      list: { type: 'list', maxItems: 127, items: { type: 'enum', values: [...values] } },
    },
    default: { plain: '\u0000', roomy: '__proto__', list: ['"', '\\', '\n'] },
    records: [{ plain: '__proto__', roomy: 'constructor', list: [...values] }],
    bodies: [
      `${revision(1)}${bits(values.length - 1, 7)}${bits(values.length, 10)}${bits(0, 7)}`,
      `${revision(1)}${bits(values.length, 7)}`,
      `${revision(1)}${bits(0, 7)}${bits(999, 10)}${bits(0, 7)}`,
      `${revision(1)}${bits(0, 7)}${bits(1000, 10)}`,
      `${revision(1)}${bits(0, 7)}${bits(0, 10)}${bits(1, 7)}${bits(127, 7)}`,
    ],
  },
  {
    name: 'an enum with room for 65,536',
    schema: {
      choice: { type: 'enum', values: ['first', 'second'], room: 65_536, default: 'second' },
      many: { type: 'enum', values: Array.from({ length: 300 }, (_, index) => `value ${index}`) },
    },
    default: { choice: 'first', many: 'value 299' },
    records: [{ choice: 'first', many: 'value 256' }],
    bodies: ['01ffff80', '01000100', '01000196', '0100019580'],
  },
  // Ids that are one once they are cleaned: the files of both stand in one project.
  ...['a-b', 'a_b', 'ab', 'class', 'default', 'record', 'client', 'std', 'system'].map(
    (model): EntryGiven => ({
      name: `the model ${model}`,
      tenant: 'class',
      model,
      schema: { [model.replace('-', '')]: one, choice: { type: 'enum', values: [model, 'other'] } },
      default: { [model.replace('-', '')]: 7, choice: 'other' },
      records: [{ [model.replace('-', '')]: 9, choice: model }],
      bodies: ['0109', '010941'],
    }),
  ),
]
