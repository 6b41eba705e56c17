import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type InputKind, inputKinds, openStream } from '../../../src/sources/standard-input.ts'
import { createWorkspace, failureOfSource, readSource, type Workspace } from './workspace.ts'

let files: Workspace
let parquet: Buffer
beforeAll(async () => {
  files = await createWorkspace()
  parquet = await readFile(await files.writeParquet('rows.parquet', "SELECT 1 AS n, 'a' AS t"))
})
afterAll(() => files.remove())

/** In small pieces, as a pipe may give them. */
function streamOf(content: string | Uint8Array): Readable {
  const bytes = Buffer.from(content)
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) =>
    bytes.subarray(index * 7, index * 7 + 7),
  )
  return Readable.from(pieces)
}

const read = (content: string | Uint8Array, kind: InputKind, sql?: string) =>
  readSource(openStream(streamOf(content), kind, sql === undefined ? {} : { sql }))
const failure = (content: string | Uint8Array, kind: InputKind) =>
  failureOfSource(() => openStream(streamOf(content), kind, {}))

const spools = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('recgate-spool-'))

const contents: Record<InputKind, string> = {
  csv: 'n,t\n1,a\n',
  tsv: 'n\tt\n1\ta\n',
  ndjson: '{"n":1,"t":"a"}\n',
  json: '[{"n":1,"t":"a"}]',
  parquet: '',
}

describe('standard input', () => {
  test.each(inputKinds)('of %s', async (kind) => {
    const { columns, rows, batches } = await read(kind === 'parquet' ? parquet : contents[kind], kind)
    expect({ columns, rows }).toEqual({ columns: ['n', 't'], rows: [[1, 'a']] })
    expect(batches).toEqual([{ file: 'standard input', firstRow: 1, rowCount: 1 }])
  })

  test.each(['csv', 'tsv', 'ndjson', 'json'] as const)('of %s, compressed', async (kind) => {
    for (const compress of [gzipSync, zstdCompressSync])
      expect((await read(compress(contents[kind]), kind)).rows).toEqual([[1, 'a']])
  })

  test('with --sql', async () => {
    expect((await read('n\n1\n2\n', 'csv', 'SELECT sum(n) AS total FROM input')).rows).toEqual([[3]])
  })

  test('leaves no file, whether its rows could be read or not', async () => {
    const before = await spools()
    await read(contents.csv, 'csv')
    await failure('', 'csv')
    await failure('n\n1,2\n', 'csv')
    const broken = Readable.from(
      (async function* () {
        yield 'n\n1\n'
        throw new Error('read EIO')
      })(),
    )
    expect(await failureOfSource(() => openStream(broken, 'csv', {}))).toBe(
      "standard input: can't be read: read EIO",
    )
    expect((await spools()).filter((name) => !before.includes(name))).toEqual([])
  })
})

describe('standard input is refused', () => {
  const long = `n\n${'1234567\n'.repeat(9_999)}`
  test.each<[string, InputKind, string | Uint8Array, string | RegExp]>([
    ['empty', 'ndjson', '', 'there is nothing in it'],
    ['empty once decompressed', 'csv', gzipSync(''), 'the file is empty'],
    ['a header alone', 'csv', 'a,b\n', 'the file has no rows'],
    ['gzip cut off', 'csv', gzipSync(long).subarray(0, -9), 'not a whole gzip file (unexpected end of file)'],
    ['zstd cut off', 'csv', zstdCompressSync(long).subarray(0, -9), /^not a whole zstd file/],
    [
      'CSV cut off',
      'csv',
      'n,t\n1,a\n2,ab',
      'the last line has no line break, so that it may have been cut off; end it with one',
    ],
    ['NDJSON cut off', 'ndjson', '{"n":1}\n{"n":', /^Malformed JSON.* in row 2/],
    ['not Parquet', 'parquet', 'n,t\n1,a\n', "File 'standard input' too small to be a Parquet file"],
    ['a short line', 'csv', 'a,b\n1,2\n3\n', 'line 3: Expected Number of Columns: 2 Found: 1'],
    ['no JSON', 'ndjson', 'n,t\n1,a\n', /^Malformed JSON/],
  ])('%s', async (_, kind, content, reason) => {
    const message = await failure(content, kind)
    expect(message.slice(0, 'standard input: '.length)).toBe('standard input: ')
    expect(message).not.toMatch(/recgate-spool|\n/)
    const rest = message.slice('standard input: '.length)
    if (typeof reason === 'string') expect(rest).toBe(reason)
    else expect(rest).toMatch(reason)
  })

  test.each(['csv', 'tsv', 'ndjson', 'json'] as const)('Parquet that is said to be %s', async (kind) => {
    expect(await failure(parquet, kind)).toBe(
      `standard input: begins as Parquet does (PAR1), and --format says ${kind}; say --format parquet`,
    )
  })

  test('Parquet cut off', async () => {
    expect(await failure(parquet.subarray(0, parquet.length / 2), 'parquet')).toBe(
      'standard input: not a whole Parquet file: it is cut off, or another kind of file',
    )
  })
})
