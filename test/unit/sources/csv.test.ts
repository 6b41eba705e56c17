import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
beforeAll(async () => {
  files = await createWorkspace()
})
afterAll(() => files.remove())

describe('CSV', () => {
  test('gives typed values, and text columns exactly as written', async () => {
    const file = await files.write(
      'typed.csv',
      'id,plays,score,active,note\n007,3,0.308,true,x\n10,,1e2,false,\n',
    )
    const { columns, rows, rowsExpected } = await readAll(file, { textColumns: ['id', 'not-there'] })
    expect(columns).toEqual(['id', 'plays', 'score', 'active', 'note'])
    expect(rows).toEqual([
      ['007', 3, 0.308, true, 'x'],
      ['10', null, 100, false, null],
    ])
    expect(rowsExpected).toBe(2)
  })

  test('keeps in text columns what would otherwise be a number, truth value or date', async () => {
    const file = await files.write('text.csv', 'a,b,c,d,e\n1,true,2024-01-02,1.50,12345678901234567890\n')
    expect((await readAll(file)).rows).toEqual([[1, true, '2024-01-02T00:00:00Z', 1.5, 12345678901234567000]])
    expect((await readAll(file, { textColumns: ['a', 'b', 'c', 'd', 'e'] })).rows).toEqual([
      ['1', 'true', '2024-01-02', '1.50', '12345678901234567890'],
    ])
  })

  test('finds types by the whole file, not by its first rows', async () => {
    const lines = Array.from({ length: 50_000 }, (_, row) => `${row},${row === 49_999 ? 'x' : row}`)
    const { rows } = await readAll(await files.write('late.csv', `n,late\n${lines.join('\n')}\n`))
    expect(rows[0]).toEqual([0, '0'])
    expect(rows[49_999]).toEqual([49_999, 'x'])
  })

  test('reads quotes, line breaks within them, unicode, CRLF and a byte order mark', async () => {
    const file = await files.write(
      'quoted.csv',
      '\ufeffid,title\r\n1,"He said ""hi"", twice"\r\n2,"two\r\nlines"\r\n3,プレイヤー😀\r\n',
    )
    const { columns, rows } = await readAll(file)
    expect(columns).toEqual(['id', 'title'])
    expect(rows).toEqual([
      [1, 'He said "hi", twice'],
      [2, 'two\r\nlines'],
      [3, 'プレイヤー😀'],
    ])
  })

  test('takes no row for a comment and guesses no date format', async () => {
    const file = await files.write('guess.csv', 'id,day,at,clock\n#1,01/02/2024,2024-01-02 03:04:05,12:30\n')
    expect((await readAll(file)).rows).toEqual([['#1', '01/02/2024', '2024-01-02T03:04:05Z', '12:30']])
  })

  test('reads integers beyond 2^53 exactly', async () => {
    const file = await files.write('big.csv', 'n\n9007199254740991\n9007199254740993\n-9223372036854775808\n')
    expect((await readAll(file)).rows).toEqual([
      [9007199254740991],
      [9007199254740993n],
      [-9223372036854775808n],
    ])
  })

  test('reads tabs, gzip and zstd, whatever the letters of the extension', async () => {
    const expected = [['007', 1]]
    const textColumns = ['id']
    const tsv = await files.write('a.tsv', 'id\tn\n007\t1\n')
    const gz = await files.write('a.csv.gz', gzipSync('id,n\n007,1\n'))
    const zst = await files.write('a.TSV.ZST', zstdCompressSync('id\tn\n007\t1\n'))
    for (const file of [tsv, gz, zst]) expect((await readAll(file, { textColumns })).rows).toEqual(expected)
  })

  test('keeps file order and numbers rows through all batches', async () => {
    const lines = Array.from({ length: 300_000 }, (_, row) => `${row},"text of row ${row}"`)
    const { batches, rows } = await readAll(await files.write('long.csv', `n,text\n${lines.join('\n')}\n`))
    let row = 0
    for (const [n] of rows) if (n !== row++) expect.unreachable(`row ${row} holds ${n}`)
    expect(row).toBe(300_000)
    let firstRow = 1
    for (const batch of batches) {
      expect(batch.firstRow).toBe(firstRow)
      firstRow += batch.rowCount
    }
    expect(batches.length).toBeGreaterThan(100)
  })
})

describe('a CSV file that is refused', () => {
  test.each([
    ['short.csv', 'a,b\n1,2\n3\n', 'line 3: Expected Number of Columns: 2 Found: 1'],
    ['long.csv', 'a,b\n1,2\n3,4,5\n', 'line 3: Expected Number of Columns: 2 Found: 3'],
    ['quote.csv', 'a,b\n1,"x\n3,4\n', 'line 2: Value with unterminated quote found.'],
    [
      'latin1.csv',
      Buffer.from('a,b\n1,\xe9\n', 'latin1'),
      'line 2: Invalid unicode (byte sequence mismatch) detected. This file is not utf-8 encoded.',
    ],
    ['empty.csv', '', 'the file is empty'],
    ['empty.csv.gz', gzipSync(''), 'the file is empty'],
    ['header.csv', 'a,b\n', 'the file has no rows'],
    ['plain.csv.gz', 'a,b\n1,2\n', 'not a whole gzip file (incorrect header check)'],
    [
      'cut.csv.gz',
      gzipSync(`a\n${'1234567\n'.repeat(9_999)}`).subarray(0, -9),
      'not a whole gzip file (unexpected end of file)',
    ],
    [
      'cut.csv.zst',
      zstdCompressSync(`a\n${'1234567\n'.repeat(9_999)}`).subarray(0, -9),
      'not a whole zstd file (unexpected end of file)',
    ],
  ])('%s', async (name, content, reason) => {
    const file = await files.write(name, content)
    expect(await failureOf(file)).toBe(`${file}: ${reason}`)
  })

  test('with a fault far behind the first rows', async () => {
    const file = await files.write('far.csv', `a,b\n${'1,2\n'.repeat(100_000)}3,4,5\n`)
    expect(await failureOf(file)).toBe(`${file}: line 100002: Expected Number of Columns: 2 Found: 3`)
  })
})
