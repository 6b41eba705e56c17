import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
beforeAll(async () => {
  files = await createWorkspace()
})
afterAll(() => files.remove())

describe('NDJSON', () => {
  test('keeps every string as written, nested ones too', async () => {
    const texts = {
      id: '007',
      date: '2024-01-02',
      at: '2024-01-02T03:04:05Z',
      clock: '12:30:00',
      uuid: '550E8400-e29b-41d4-a716-446655440000',
      number: '1.50',
      list: ['2024-01-02', '007'],
      struct: { day: '2024-01-02', deep: [{ uuid: '550E8400-e29b-41d4-a716-446655440000' }] },
    }
    const { columns, rows } = await readAll(await files.write('texts.ndjson', `${JSON.stringify(texts)}\n`))
    expect(columns).toEqual(Object.keys(texts))
    expect(rows).toEqual([Object.values(texts)])
  })

  test('keeps numbers, truth values, lists with nulls and structs', async () => {
    const file = await files.write(
      'values.jsonl',
      '{"n":1,"f":0.3,"b":true,"l":[1,null,3],"ll":[[1],[]],"s":{"a":1}}\n\n{"n":-2,"f":2,"b":null,"l":[],"ll":null,"s":{"b":"プ"}}',
    )
    expect((await readAll(file)).rows).toEqual([
      [1, 0.3, true, [1, null, 3], [[1], []], { a: 1, b: null }],
      [-2, 2, null, [], null, { a: null, b: 'プ' }],
    ])
  })

  test('keeps integers beyond 2^53, also in columns of several types', async () => {
    const file = await files.write(
      'big.ndjson',
      '{"n":9007199254740993,"u":18446744073709551615,"mixed":9007199254740993}\n{"n":1,"u":2,"mixed":"9007199254740993"}\n{"mixed":[1.5,{"a":12345678901234567890}]}',
    )
    expect((await readAll(file)).rows).toEqual([
      [9007199254740993n, 18446744073709551615n, 9007199254740993n],
      [1, 2, '9007199254740993'],
      [null, null, [1.5, { a: 12345678901234567890n }]],
    ])
  })

  test('takes columns and types from all rows', async () => {
    const lines = Array.from({ length: 30_000 }, (_, n) =>
      JSON.stringify(n === 29_999 ? { n: 'x', late: 1 } : { n }),
    )
    const { columns, rows } = await readAll(await files.write('late.ndjson.gz', gzipSync(lines.join('\n'))))
    expect(columns).toEqual(['n', 'late'])
    expect([rows[0], rows[29_999]]).toEqual([
      [0, null],
      ['x', 1],
    ])
  })

  test('gives many different keys as one struct, never as a map', async () => {
    const lines = Array.from({ length: 300 }, (_, n) => JSON.stringify({ id: n, tags: { [`tag${n}`]: n } }))
    const { rows } = await readAll(await files.write('keys.ndjson', lines.join('\n')))
    expect(rows[7]?.[1]).toMatchObject({ tag7: 7, tag8: null })
  })

  test('tells a key without any value from one that is missing', async () => {
    const file = await files.write('nulls.ndjson', '{"a":1,"a_1":null,"e":[]}\n{"a":2}\nnull')
    const { columns, rows } = await readAll(file)
    expect(columns).toEqual(['a', 'a_1', 'e'])
    expect(rows).toEqual([
      [1, null, []],
      [2, null, null],
      [null, null, null],
    ])
  })

  test('.json may be an array, or objects over several lines', async () => {
    const array = await files.write('array.json', '[{"a":"1"},\n{"a":"2"}]')
    const pretty = await files.write('pretty.json', '{\n  "a": "1"\n}\n{\n  "a": "2"\n}\n')
    for (const file of [array, pretty]) expect((await readAll(file)).rows).toEqual([['1'], ['2']])
  })
})

describe('a JSON file that is refused', () => {
  const objects = 'the file must hold JSON objects with at least one key'
  test.each([
    ['half.ndjson', '{"a":1}\n{"a":\n', 'Malformed JSON at byte 7 in row 2: unexpected end of data.'],
    ['garbage.ndjson', '{"a":1}\nhello\n', 'Malformed JSON at byte 1 in row 2: unexpected character.'],
    ['cut.json', '[{"a":1},{"a":2}', 'Malformed JSON at byte 8 in record/value 4: unexpected character.'],
    [
      'double.ndjson',
      '{"a":1,"a":2}\n',
      'JSON transform error in row 1: Object {"a":1,"a":2} has duplicate key "a"',
    ],
    [
      'case.ndjson',
      '{"id":1}\n{"ID":2}\n',
      'two keys differ only in upper and lower case, known here as "ID_1"',
    ],
    ['mixed.ndjson', '{"a":1}\n5\n', `${objects}, one a line`],
    ['array.ndjson', '[{"a":1}]\n', `${objects}, one a line`],
    ['scalars.ndjson', '1\n2\n', `${objects}, one a line`],
    ['blank.ndjson', '\n \n', `${objects}, one a line`],
    ['none.json', '[]', objects],
    ['empty.ndjson', '', 'the file is empty'],
  ])('%s', async (name, content, reason) => {
    const file = await files.write(name, content)
    expect(await failureOf(file)).toBe(`${file}: ${reason}`)
  })
})
