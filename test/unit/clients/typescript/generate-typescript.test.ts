import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DescribedModel, describeClientModel } from '../../../../src/clients/client-model.ts'
import { generateTypescript } from '../../../../src/clients/typescript/generate-typescript.ts'
import { compileRecordSchema } from '../../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../../src/domain/codec/record-schema.ts'

/** What the golden set doesn't ask: what stands around the reading of bits. That the files compile is asked there. */

let directory: string
let loaded = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-generate-'))
})
afterAll(() => rm(directory, { recursive: true }))

function generated(record: Record<string, unknown>, more: Partial<DescribedModel> = {}): string {
  const [decoder] = generateTypescript(
    describeClientModel({
      tenantId: 'studio',
      modelId: 'games',
      record: recordSchemaDocument.parse(record),
      key: [{ claim: 'sub' }],
      defaultRecord: null,
      deadlineMs: 50,
      ...more,
    }),
  )
  return decoder!.text
}

/** As Node loads a source file. */
async function load(text: string): Promise<Record<string, unknown>> {
  const file = join(directory, `${loaded++}.ts`)
  await writeFile(file, text)
  return (await import(pathToFileURL(file).href)) as Record<string, unknown>
}

interface Model {
  decode(packed: Uint8Array): Record<string, unknown>
  builtIn(): Record<string, unknown> | null
  query(parameters: unknown): string
}

async function modelOf(text: string, name = 'gamesModel'): Promise<Model> {
  return (await load(text))[name] as Model
}

const nastyTexts = [
  "it's",
  '"quoted"',
  'back\\slash',
  `\${process.exit(1)}`,
  '*/ process.exit(1) /*',
  '`',
  'two\nlines\r',
  '\u2028\u2029',
  'right\u202eto left',
  'zero\u200bwidth',
  'b\u0000\u0007\u009f',
  '\ufeff',
  '日本語 😀',
  'readText(',
  '</script>',
]

describe('text from a document', () => {
  const values = { type: 'enum', values: nastyTexts, room: 32, default: nastyTexts[4] }
  const text = generated(
    { values, other: { type: 'string', maxBytes: 80, default: nastyTexts.slice(0, 4).join(), since: 2 } },
    { defaultRecord: { values: nastyTexts[0], other: nastyTexts[10] } },
  )

  test('stays what it is, as value, default and stand-in', async () => {
    const module = await load(text)
    const { decode, builtIn } = module['gamesModel'] as Model
    expect(module['gamesValuesValues']).toStrictEqual(nastyTexts)
    nastyTexts.forEach((value, index) => {
      const other = nastyTexts.slice(0, 4).join()
      expect(decode(Uint8Array.of(1, index << 3))).toStrictEqual({ values: value, other })
    })
    expect(decode(Uint8Array.of(1, 31 << 3))).toMatchObject({ values: nastyTexts[4] })
    expect(builtIn()).toStrictEqual({ values: nastyTexts[0], other: nastyTexts[10] })
  })

  test('hides nothing from a reader of the file', () => {
    expect(text).not.toMatch(/[^\P{C}\n]/u)
    expect(text).not.toMatch(/[\u2028\u2029]/)
  })

  test('brings nothing in that only looks like a call', () => {
    expect(generated({ values })).not.toContain('function readText')
  })

  test('stands in the query encoded, and only where it fits', async () => {
    const { query } = await modelOf(
      generated(
        { a: { type: 'bool' } },
        {
          key: [
            { query: 'constructor', values: nastyTexts },
            { query: 'x-y.z', uint: { max: Number.MAX_SAFE_INTEGER } },
            { query: 'name', id: { maxBytes: 3 } },
          ],
        },
      ),
    )
    for (const value of nastyTexts) {
      const parsed = new URLSearchParams(query({ constructor: value, 'x-y.z': 2 ** 53 - 1, name: '.-_' }))
      expect([...parsed]).toStrictEqual([
        ['constructor', value],
        ['x-y.z', '9007199254740991'],
        ['name', '.-_'],
      ])
    }
    expect(() => query({ 'x-y.z': 1, name: 'a' })).toThrow(/^constructor .*: must be one of it's, /s)
    for (const wrong of [-1, 2 ** 53, Number.NaN, '1'])
      expect(() => query({ constructor: '`', 'x-y.z': wrong, name: 'a' })).toThrow(
        /^x-y\.z .*: must be a whole/,
      )
    for (const wrong of ['', 'abcd', 'ü', 'a\n'])
      expect(() => query({ constructor: '`', 'x-y.z': 1, name: wrong })).toThrow(
        /^name .*: must be 1 to 3 of/s,
      )
  })
})

test('names are unlike, however alike models and fields are', async () => {
  const inner = { type: 'struct', fields: { b: { type: 'enum', values: ['x', 'y'] } } }
  const text = generated(
    {
      error: { type: 'enum', values: ['a', 'b'] },
      error_code: { type: 'enum', values: ['c', 'd'] },
      a_b: { type: 'enum', values: ['e', 'f'] },
      aB: { type: 'list', maxItems: 1, items: { type: 'list', maxItems: 1, items: inner } },
      a: inner,
      record: inner,
    },
    { modelId: 'decode' },
  )
  const { decode } = await modelOf(text, 'decodeModel')
  const codec = compileRecordSchema(
    recordSchemaDocument.parse({
      error: { type: 'enum', values: ['a', 'b'] },
      error_code: { type: 'enum', values: ['c', 'd'] },
      a_b: { type: 'enum', values: ['e', 'f'] },
      aB: { type: 'list', maxItems: 1, items: { type: 'list', maxItems: 1, items: inner } },
      a: inner,
      record: inner,
    }),
  )
  const record = {
    error: 'b',
    error_code: 'd',
    a_b: 'f',
    aB: [[{ b: 'y' }]],
    a: { b: 'y' },
    record: { b: 'x' },
  }
  expect(decode(codec.encode(record))).toStrictEqual(record)
  const declared = [...text.matchAll(/^(?:export )?(?:const|type|interface|function|class) (\w+)/gm)]
  expect(new Set(declared.map(([, name]) => name)).size).toBe(declared.length)
})

test('only what the model needs stands in its file', () => {
  const text = generated({ a: { type: 'bool' } })
  const declared = [...text.matchAll(/^(?:export )?(?:const|type|interface|function|class) (\w+)/gm)]
  expect(declared.map(([, name]) => name)).toStrictEqual([
    'GamesRecord',
    'decodeGames',
    'gamesModel',
    'DecodeErrorCode',
    'DecodeError',
    'Bits',
    'openBits',
    'readBits',
    'expectEnd',
  ])
})

test('comments say bounds, units, and what stands in', () => {
  const text = generated({
    hours: { type: 'fixed', min: -0.5, max: 20, step: 0.25 },
    seen: {
      type: 'timestamp',
      from: '2026-01-01T00:00:00Z',
      resolutionSeconds: 0.5,
      bits: 20,
      optional: true,
    },
    kind: { type: 'enum', values: ['a', 'b'], room: 9, default: 'b' },
    list: { type: 'list', maxItems: 4, items: { type: 'int', min: -3, max: 3 }, default: [2], since: 5 },
    text: { type: 'string', maxBytes: 80, default: '*/\u202e', since: 5 },
    long: { type: 'string', maxBytes: 80, default: 'x'.repeat(60), since: 5 },
    gone: { type: 'bool', optional: true, since: 6 },
  })
  const comments = [...text.matchAll(/^ {2}\/\*\* (.*) \*\/\n {2}readonly (\w+\??): (.*)$/gm)]
  expect(comments.slice(0, 7).map(([, ...parts]) => parts)).toStrictEqual([
    ['From -0.5 to 20 in steps of 0.25.', 'hours', 'number'],
    ['In steps of 0.5 s from 2026-01-01T00:00:00.000Z. Absent where there is none.', 'seen?', 'Date'],
    ["One of 2 values. 'b' where the record has one that is newer than this file.", 'kind', 'GamesKind'],
    [
      'At most 4 items. A whole number from -3 to 3. Since revision 5 of the schema; in records that are older: [2].',
      'list',
      'readonly number[]',
    ],
    [
      'At most 80 bytes of UTF-8. Since revision 5 of the schema; in records that are older: "*\\/\\u{202e}".',
      'text',
      'string',
    ],
    [
      'At most 80 bytes of UTF-8. Since revision 5 of the schema; in records that are older: what the schema says.',
      'long',
      'string',
    ],
    [
      'True or false. Absent where there is none. Since revision 6 of the schema; in records that are older: absent.',
      'gone?',
      'boolean',
    ],
  ])
})

test('types say which field of the schema they are of', () => {
  const inner = { type: 'struct', fields: { kind: { type: 'enum', values: ['c'] } } }
  const text = generated({ my_homes: { type: 'list', maxItems: 2, items: inner } })
  expect(text).toContain('/** The fields of `my_homes`. */\nexport interface GamesMyHomesItem {')
  expect(text).toContain(
    '/** All values of `my_homes.kind` that are known here. */\nexport const gamesMyHomesItemKindValues = [',
  )
  expect(text).toContain('/** A value of `my_homes.kind`. */\nexport type GamesMyHomesItemKind = ')
})

test('records share nothing, neither with one another nor with the bytes that they were read from', async () => {
  const { decode, builtIn } = await modelOf(
    generated(
      {
        raw: { type: 'bytes', maxBytes: 255 },
        at: {
          type: 'timestamp',
          from: '2026-01-01T00:00:00Z',
          resolutionSeconds: 1,
          bits: 9,
          default: '2026-01-01T00:01:00Z',
          since: 2,
        },
        list: { type: 'list', maxItems: 2, items: { type: 'bool' }, default: [true], since: 2 },
      },
      { defaultRecord: { raw: 'AQID' } },
    ),
  )
  // Revision 1, a length of 2, in the middle of a Buffer.
  const buffer = Buffer.from([9, 9, 1, 2, 7, 8, 9])
  const packed = buffer.subarray(2, 6)
  const expected = { raw: Uint8Array.of(7, 8), at: new Date('2026-01-01T00:01:00Z'), list: [true] }
  const [one, other] = [decode(packed), decode(packed)]
  buffer.fill(0)
  expect(one).toStrictEqual(expected)
  for (const name of ['raw', 'at', 'list']) expect(one[name]).not.toBe(other[name])
  expect(builtIn()).toStrictEqual({ ...expected, raw: Uint8Array.of(1, 2, 3) })
  for (const name of ['raw', 'at', 'list']) expect(builtIn()![name]).not.toBe(builtIn()![name])
})

test('what is absent is not there, whatever it is called', async () => {
  const bool = { type: 'bool', optional: true }
  const { decode, builtIn } = await modelOf(
    generated(
      {
        toString: bool,
        inner: { type: 'struct', fields: { valueOf: bool }, default: {}, since: 2 },
        hasOwnProperty: { ...bool, since: 2 },
      },
      { defaultRecord: {} },
    ),
  )
  const absent = decode(Uint8Array.of(1, 0)) as Record<string, Record<string, unknown>>
  for (const record of [absent, builtIn() as typeof absent])
    expect([record['toString'], record['inner']!['valueOf'], record['hasOwnProperty']]).toStrictEqual([
      undefined,
      undefined,
      undefined,
    ])
  expect(decode(Uint8Array.of(2, 0b1111_1000))).toMatchObject({ toString: true, inner: { valueOf: true } })
})
