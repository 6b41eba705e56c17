import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SourceValue } from '../../../src/tables/ports.ts'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
let fileCount = 0
beforeAll(async () => {
  files = await createWorkspace()
})
afterAll(() => files.remove())

/** The value of an SQL expression after its way through a Parquet file. */
async function throughParquet(expression: string): Promise<SourceValue | undefined> {
  const file = await files.writeParquet(`value${fileCount++}.parquet`, `SELECT ${expression} AS value`)
  return (await readAll(file)).rows[0]?.[0]
}

/** The value of an SQL expression in a query's result, for types that Parquet lacks. */
async function throughQuery(expression: string): Promise<SourceValue | undefined> {
  const file = await files.write('one.csv', 'n\n1\n')
  return (await readAll(file, { sql: `SELECT ${expression} AS value FROM input` })).rows[0]?.[0]
}

describe('values', () => {
  test.each<[string, SourceValue]>([
    ['NULL::INTEGER', null],
    ['true', true],
    ['(-128)::TINYINT', -128],
    ['65535::USMALLINT', 65_535],
    ['4294967295::UINTEGER', 4_294_967_295],
    ['9007199254740991::BIGINT', 9_007_199_254_740_991],
    ['9007199254740992::BIGINT', 9_007_199_254_740_992n],
    ['(-9007199254740993)::BIGINT', -9_007_199_254_740_993n],
    ['18446744073709551615::UBIGINT', 18_446_744_073_709_551_615n],
    ['1.25::DECIMAL(4,2)', 1.25],
    ['0.1::DECIMAL(9,1)', 0.1],
    ['-1234567890.12345::DECIMAL(18,5)', -1_234_567_890.12345],
    ['0.3::DECIMAL(38,20)', 0.3],
    ['0.3::FLOAT', 0.3],
    ['0.308::FLOAT', 0.308],
    ['16777216::FLOAT', 16_777_216],
    ['1e-30::FLOAT', 1e-30],
    ['3.4028235e38::FLOAT', 3.4028235e38],
    ['0.1::DOUBLE + 0.2::DOUBLE', 0.30000000000000004],
    ["'プレイヤー😀 and more than twelve bytes'", 'プレイヤー😀 and more than twelve bytes'],
    ["''", ''],
    ["'550e8400-e29b-41d4-a716-446655440000'::UUID", '550e8400-e29b-41d4-a716-446655440000'],
    ["'b'::ENUM('a', 'b')", 'b'],
    ["'\\x00\\xFF'::BLOB", Uint8Array.of(0, 255)],
    [
      "'a blob of more than twelve bytes'::BLOB",
      new TextEncoder().encode('a blob of more than twelve bytes'),
    ],
    ["DATE '2024-02-29'", '2024-02-29T00:00:00Z'],
    ["DATE '0000-01-01'", '0000-01-01T00:00:00Z'],
    ["TIMESTAMP '2024-01-02 03:04:05'", '2024-01-02T03:04:05Z'],
    ["TIMESTAMP '2024-01-02 03:04:05.123999'", '2024-01-02T03:04:05.123Z'],
    ["TIMESTAMP '1969-12-31 23:59:59.9999'", '1969-12-31T23:59:59.999Z'],
    ["TIMESTAMP '9999-12-31 23:59:59.999999'", '9999-12-31T23:59:59.999Z'],
    ["TIMESTAMPTZ '2024-01-02 03:04:05+02:00'", '2024-01-02T01:04:05Z'],
    ["'2024-01-02 03:04:05.5'::TIMESTAMP_MS", '2024-01-02T03:04:05.500Z'],
    ["'2024-01-02 03:04:05.123456789'::TIMESTAMP_NS", '2024-01-02T03:04:05.123Z'],
    ['[1, NULL, 3]', [1, null, 3]],
    ['[]::INTEGER[]', []],
    ['NULL::INTEGER[]', null],
    ["[['a'], NULL, [NULL, 'b']]", [['a'], null, [null, 'b']]],
    ["{'a': 1, 'b': {'c': [0.5::FLOAT]}}", { a: 1, b: { c: [0.5] } }],
    ["[{'id': 1, 'at': TIMESTAMP '2024-01-02'}, NULL]", [{ id: 1, at: '2024-01-02T00:00:00Z' }, null]],
    ['\'{"a": [1, 9007199254740993]}\'::JSON', { a: [1, 9_007_199_254_740_993n] }],
  ])('%s', async (expression, value) => {
    expect(await throughParquet(expression)).toStrictEqual(value)
  })

  test.each<[string, SourceValue]>([
    ['NULL', null],
    [
      '170141183460469231731687303715884105727::HUGEINT',
      170_141_183_460_469_231_731_687_303_715_884_105_727n,
    ],
    ['5::HUGEINT', 5],
    [
      '340282366920938463463374607431768211455::UHUGEINT',
      340_282_366_920_938_463_463_374_607_431_768_211_455n,
    ],
    ["'2024-01-02 03:04:05'::TIMESTAMP_S", '2024-01-02T03:04:05Z'],
    ['[1, NULL, 3]::INTEGER[3]', [1, null, 3]],
    ['[[1, 2], [3, 4], NULL]::INTEGER[2][3]', [[1, 2], [3, 4], null]],
    ['NULL::INTEGER[3]', null],
    ['NULL::STRUCT(a INTEGER)', null],
    ["{'__proto__': 1}", Object.fromEntries([['__proto__', 1]])],
  ])('%s, in a query', async (expression, value) => {
    expect(await throughQuery(expression)).toStrictEqual(value)
  })

  test.each([
    ["MAP {'a': 1}", 'MAP(VARCHAR, INTEGER)'],
    ["TIME '12:30:00'", 'TIME'],
    ["INTERVAL '1 day'", 'INTERVAL'],
    ["[MAP {'a': 1}]", 'MAP(VARCHAR, INTEGER)'],
  ])('%s is refused', async (expression, type) => {
    const file = await files.writeParquet('refused.parquet', `SELECT 1 AS id, ${expression} AS odd`)
    expect(await failureOf(file)).toBe(
      `${file}: column "odd" has the type ${type}, which has no plain value; reshape it with --sql`,
    )
    const reshaped = await readAll(file, { sql: 'SELECT id, odd::VARCHAR AS odd FROM input' })
    expect(reshaped.columns).toEqual(['id', 'odd'])
  })

  test('a time that RFC 3339 lacks is refused', async () => {
    const infinite = await files.writeParquet('infinite.parquet', "SELECT 'infinity'::TIMESTAMP AS at")
    expect(await failureOf(infinite)).toBe(
      `${infinite}: column "at" holds infinity, outside the years 0000 to 9999 that RFC 3339 can express`,
    )
    const far = await files.writeParquet('far.parquet', "SELECT DATE '10000-01-01' AS at")
    expect(await failureOf(far)).toContain('column "at" holds 10000-01-01')
  })

  test('of many rows with nulls among them keep to their rows', async () => {
    const file = await files.writeParquet(
      'many.parquet',
      `SELECT range AS n, CASE WHEN range % 3 = 0 THEN NULL ELSE 'text of row ' || range END AS text,
        CASE WHEN range % 5 = 0 THEN NULL ELSE [range, NULL, range + 1] END AS list,
        CASE WHEN range % 7 = 0 THEN NULL ELSE {'n': range} END AS struct FROM range(20000)`,
    )
    const { rows, rowsExpected } = await readAll(file, { sql: 'SELECT * FROM input WHERE n % 2 = 0' })
    expect(rowsExpected).toBe(10_000)
    expect(rows).toHaveLength(10_000)
    rows.forEach(([n, text, list, struct], index) => {
      const row = index * 2
      expect([n, text, list, struct]).toEqual([
        row,
        row % 3 === 0 ? null : `text of row ${row}`,
        row % 5 === 0 ? null : [row, null, row + 1],
        row % 7 === 0 ? null : { n: row },
      ])
    })
  })
})

describe('Parquet files', () => {
  test('tell their rows beforehand and keep their order', async () => {
    const one = await files.writeParquet('one.parquet', 'SELECT range AS n FROM range(250000)')
    const two = await files.writeParquet('two.parquet', 'SELECT range + 250000 AS n FROM range(10)')
    const { rows, rowsExpected } = await readAll([one, two])
    expect(rowsExpected).toBe(250_010)
    expect(rows.every(([n], index) => n === index)).toBe(true)
  })

  test('that are cut off, empty or something else are refused', async () => {
    const whole = await files.writeParquet('whole.parquet', 'SELECT range AS n FROM range(1000)')
    const bytes = await readFile(whole)
    const cut = await files.write('cut.parquet', bytes.subarray(0, bytes.length / 2))
    expect(await failureOf(cut)).toBe(
      `${cut}: not a whole Parquet file: it is cut off, or another kind of file`,
    )
    const tiny = await files.write('tiny.parquet', 'PAR1')
    expect(await failureOf(tiny)).toBe(`${tiny}: File '${tiny}' too small to be a Parquet file`)
    const empty = await files.write('empty.parquet', '')
    expect(await failureOf(empty)).toBe(`${empty}: the file is empty`)
    const rowless = await files.writeParquet('rowless.parquet', 'SELECT 1 AS n WHERE false')
    expect(await failureOf(rowless)).toBe(`${rowless}: the file has no rows`)
  })

  test('with a damaged page fail while they are read', async () => {
    const file = await files.writeParquet(
      'damaged.parquet',
      'SELECT uuid()::VARCHAR AS id FROM range(100000)',
    )
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(0xff, 1_000, 100_000))
    const message = await failureOf(file)
    expect(message.startsWith(`${file}: `)).toBe(true)
    expect(message).not.toContain('\n')
  })

  test('take no columns from directory names', async () => {
    await mkdir(files.path('day=5'))
    const file = await files.writeParquet('day=5/part.parquet', 'SELECT 1 AS n')
    expect((await readAll(file)).columns).toEqual(['n'])
  })
})
