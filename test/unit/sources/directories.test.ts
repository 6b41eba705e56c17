import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSparkPart } from '../../../src/sources/job-output.ts'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
beforeAll(async () => {
  files = await createWorkspace()
})
afterAll(() => files.remove())

const uuid = 'a3f9c1de-7f9e-4c2b-9a76-0c7e3f0b8d11'
const part = (number: number, rest = '-c000.snappy.parquet') =>
  `part-${String(number).padStart(5, '0')}-${uuid}${rest}`

/** A directory with these files in it, empty unless they have content. */
async function directory(name: string, contents: Readonly<Record<string, string | Uint8Array>> = {}) {
  const path = files.path(name)
  await mkdir(path, { recursive: true })
  for (const [file, content] of Object.entries(contents)) await writeFile(join(path, file), content)
  return path
}

/** As Spark leaves Parquet: parts with rows `from` to `to`, checksums, and _SUCCESS unless told otherwise. */
async function sparkDirectory(name: string, ranges: readonly (readonly [from: number, to: number])[]) {
  const path = await directory(name, { _SUCCESS: '', '._SUCCESS.crc': 'crc' })
  for (const [index, [from, to]] of ranges.entries()) {
    await files.writeParquet(`${name}/${part(index)}`, `SELECT range AS n FROM range(${from}, ${to})`)
    await writeFile(join(path, `.${part(index)}.crc`), 'crc')
  }
  return path
}

const numbers = (rows: readonly (readonly unknown[])[]) => rows.map(([n]) => n)

describe('a directory', () => {
  test('as Spark leaves it: parts in order of their names, what lies beside them passed over', async () => {
    const out = await sparkDirectory('spark', [
      [0, 2],
      [2, 4],
      [4, 5],
    ])
    for (const name of ['_committed_42', '_started_42', '_metadata', '.hidden.parquet', 'checksum.crc'])
      await writeFile(join(out, name), 'no rows')
    for (const arg of [out, `${out}/`]) {
      const { rows, batches } = await readAll(arg)
      expect(numbers(rows)).toEqual([0, 1, 2, 3, 4])
      expect(batches.map(({ file }) => file)).toEqual([0, 1, 2].map((index) => join(out, part(index))))
    }
  })

  test('as BigQuery exports it, without _SUCCESS', async () => {
    const out = await directory('bigquery')
    for (const index of [1, 0])
      await files.writeParquet(
        `bigquery/part-${String(index).padStart(12, '0')}.parquet`,
        `SELECT ${index} AS n`,
      )
    expect(numbers((await readAll(out)).rows)).toEqual([0, 1])
  })

  test('with --sql sees all its files as input', async () => {
    const out = await sparkDirectory('query', [
      [0, 3],
      [3, 5],
    ])
    const { rows } = await readAll(out, { sql: 'SELECT sum(n) AS total, count(*) AS rows FROM input' })
    expect(rows).toEqual([[10, 5]])
  })

  test('may have empty parts of every kind, as long as there is one row', async () => {
    const out = await sparkDirectory('rowless', [
      [0, 0],
      [0, 3],
      [3, 3],
    ])
    const { rows, rowsExpected, batches } = await readAll(out)
    expect([numbers(rows), rowsExpected, batches.length]).toEqual([[0, 1, 2], 3, 1])
    const csv = await directory('rowless-csv', {
      _SUCCESS: '',
      [part(0, '-c000.csv')]: '',
      [part(1, '-c000.csv')]: 'n,m\n1,2\n',
      [part(2, '-c000.csv')]: 'n,m\n',
    })
    expect((await readAll(csv)).rows).toEqual([[1, 2]])
    const json = await directory('rowless-json', {
      _SUCCESS: '',
      [part(0, '-c000.json.gz')]: gzipSync(''),
      [part(1, '-c000.json.gz')]: gzipSync('{"n":1}\n'),
    })
    expect(numbers((await readAll(json)).rows)).toEqual([1])
  })

  test('without a row in any file is refused, and so is an empty file where no job says that it is right', async () => {
    const out = await sparkDirectory('none', [
      [0, 0],
      [0, 0],
    ])
    expect(await failureOf(out)).toBe(`${join(out, part(0))} and 1 more: none of the files has rows`)
    const empty = await directory('none-csv', { _SUCCESS: '', [part(0, '-c000.csv')]: '' })
    expect(await failureOf(empty)).toBe(`${join(empty, part(0, '-c000.csv'))}: the file has no rows`)
    const unattested = await directory('unattested', { 'a.csv': 'n\n1\n', 'b.csv': '' })
    expect(await failureOf(unattested)).toBe(`${join(unattested, 'b.csv')}: the file is empty`)
  })

  test('whose parts differ in their columns is refused, an empty part too', async () => {
    const out = await directory('differ', { _SUCCESS: '' })
    await files.writeParquet(`differ/${part(0)}`, 'SELECT 1 AS n')
    await files.writeParquet(`differ/${part(1)}`, 'SELECT 1 AS m WHERE false')
    expect(await failureOf(out)).toBe(
      `${join(out, part(1))}: the columns differ from those of ${join(out, part(0))}: it lacks n and has m too many`,
    )
  })

  test('with files of several kinds is refused, and one with a kind that can not be read', async () => {
    const mixed = await directory('mixed', { 'a.csv': 'n\n1\n', 'b.parquet': 'PAR1' })
    expect(await failureOf(mixed)).toBe(
      `${mixed}: files of different kinds, such as a.csv and b.parquet; name those that are meant`,
    )
    const twice = await directory('packed', { 'a.csv': 'n\n1\n', 'a.csv.gz': gzipSync('n\n1\n') })
    expect(await failureOf(twice)).toContain('files of different kinds, such as a.csv and a.csv.gz')
    const readme = await directory('readme', { 'a.csv': 'n\n1\n', 'readme.txt': 'rows' })
    expect(await failureOf(readme)).toMatch(/readme\.txt: not a kind of file that can be read; fit are \.csv/)
  })

  test('with nothing to read is refused', async () => {
    const out = await directory('nothing', { _SUCCESS: '', '.a.csv': 'n\n1\n', 'a.csv.crc': 'x' })
    expect(await failureOf(out)).toBe(
      `${out}: the directory holds no files with rows; those that begin with _ or . are passed over`,
    )
  })

  test('with partitions is refused, and says how one or all of them are published', async () => {
    const out = await directory('partitioned', { _SUCCESS: '' })
    for (const [day, n] of [
      ['2026-01-01', 1],
      ['2026-01-02', 2],
    ] as const) {
      await directory(`partitioned/dt=${day}`)
      await files.writeParquet(`partitioned/dt=${day}/${part(0)}`, `SELECT ${n} AS n`)
    }
    const first = join(out, 'dt=2026-01-01')
    expect(await failureOf(out)).toBe(
      `${first}: a partition, whose files lack the column "dt"; name one partition as ${first}/, ` +
        `or all of them as '${out}/dt=*/' to read them without that column`,
    )
    // _SUCCESS stands above the partitions.
    expect(await readAll(`${first}/`)).toMatchObject({ columns: ['n'], rows: [[1]] })
    expect(await readAll(`${out}/dt=*/`)).toMatchObject({ columns: ['n'], rows: [[1], [2]] })
  })

  test('with other directories in it is refused', async () => {
    const out = await directory('nested', { 'a.csv': 'n\n1\n' })
    await directory('nested/older')
    expect(await failureOf(out)).toBe(
      `${out}/older: a directory within ${out}, which is not read; name ${out}/older itself, or the files as '${out}/*.…'`,
    )
  })
})

describe('a Spark job that has not ended', () => {
  const missing =
    'the files are named as Spark names them, and _SUCCESS is missing, which Spark writes when a job has ended'
  const advice = 'wait for the job, or publish what is there with --allow-unfinished'

  async function unfinished(name: string): Promise<string> {
    const out = await directory(name)
    for (const index of [0, 1]) await files.writeParquet(`${name}/${part(index)}`, `SELECT ${index} AS n`)
    return out
  }

  test('is refused as a directory, as a pattern and file by file, unless that is allowed', async () => {
    const out = await unfinished('unfinished')
    const args = [[out], [`${out}/part-*.parquet`], [join(out, part(0)), join(out, part(1))]]
    for (const arg of args) {
      expect(await failureOf(arg)).toBe(`${out}: ${missing}; ${advice}`)
      expect(numbers((await readAll(arg, { allowUnfinished: true })).rows)).toEqual([0, 1])
    }
  })

  test('is refused while it writes beside an older _SUCCESS', async () => {
    const out = await sparkDirectory('appended', [[0, 1]])
    await mkdir(join(out, '_temporary'))
    expect(await failureOf(out)).toBe(
      `${out}: a job still writes here, or died while it did: there is _temporary; ${advice}`,
    )
    expect(numbers((await readAll(out, { allowUnfinished: true })).rows)).toEqual([0])
    const databricks = await sparkDirectory('databricks', [[0, 1]])
    await writeFile(join(databricks, '_started_77'), '')
    expect(await failureOf(databricks)).toContain('there is _started_77 without _committed_77')
    await writeFile(join(databricks, '_committed_77'), '{}')
    expect(numbers((await readAll(databricks)).rows)).toEqual([0])
  })

  test('may not hide an empty file', async () => {
    const out = await directory('cut', { [part(0, '-c000.csv')]: 'n\n1\n', [part(1, '-c000.csv')]: '' })
    expect(await failureOf(out, { allowUnfinished: true })).toBe(
      `${join(out, part(1, '-c000.csv'))}: the file is empty`,
    )
  })
})

test.each([
  [part(0), true],
  ['part-00000', true],
  ['part-00012.csv', true],
  ['part-123456-x.parquet', true],
  ['part-r-00000-x.gz.parquet', true],
  ['part-00000-tid-4711-a-1-1-c000.snappy.parquet', true],
  ['part-000000000000.parquet', false],
  ['part-000000000123.csv.gz', false],
  ['part-0.parquet', false],
  ['part-00000a.parquet', false],
  ['parts-00000.parquet', false],
  ['rows.parquet', false],
])('%s named by Spark: %s', (name, expected) => {
  expect(isSparkPart(name)).toBe(expected)
})

describe('a pattern', () => {
  test('stands for the files that it matches, sorted, in the place where it stands', async () => {
    const out = await directory('pattern', {
      'b-2.csv': 'n\n2\n',
      'b-10.csv': 'n\n10\n',
      'a-9.csv': 'n\n9\n',
      '_b-3.csv': 'n\n3\n',
      '.b-4.csv': 'n\n4\n',
      'b-5.csv.crc': 'crc',
    })
    const of = async (...args: string[]) => numbers((await readAll(args.map((arg) => join(out, arg)))).rows)
    expect(await of('b-*')).toEqual([10, 2])
    expect(await of('b-?.csv')).toEqual([2])
    expect(await of('[ab]-[0-9].csv')).toEqual([9, 2])
    expect(await of('b-*', 'a-9.csv')).toEqual([10, 2, 9])
    expect(await of('*')).toEqual([9, 10, 2])
  })

  test('passes over what a job has not yet moved into place', async () => {
    const out = await directory('deep', { 'a.csv': 'n\n1\n' })
    await directory('deep/_temporary/0', { 'b.csv': 'n\n2\n' })
    await directory('deep/day', { 'c.csv': 'n\n3\n' })
    expect(numbers((await readAll(`${out}/**/*.csv`)).rows)).toEqual([1, 3])
    expect(numbers((await readAll(`${out}/_temporary/*/*.csv`)).rows)).toEqual([2])
  })

  test('without a match is refused', async () => {
    const out = await directory('unmatched', { '_a.csv': 'n\n1\n' })
    expect(await failureOf(`${out}/*.csv`)).toBe(
      `${out}/*.csv: no file has a name of this pattern; those that begin with _ or . are passed over`,
    )
    expect(await failureOf(files.path('nowhere/*.csv'))).toContain('no file has a name of this pattern')
  })

  test('that matches files of several kinds is refused', async () => {
    const out = await directory('kinds', { 'a.csv': 'n\n1\n', 'b.ndjson': '{"n":1}\n' })
    expect(await failureOf(`${out}/*`)).toBe(
      `${out}/*: files of different kinds, such as a.csv and b.ndjson; name those that are meant`,
    )
  })

  test('is none where a file has that very name, which DuckDB could not open', async () => {
    const out = await directory('literal', { 'a*.csv': 'n\n1\n', 'ab.csv': 'n\n2\n' })
    const refused = 'DuckDB takes *, ?, [ and ] in a name for a pattern; rename or link the file'
    expect(await failureOf(join(out, 'a*.csv'))).toBe(`${join(out, 'a*.csv')}: ${refused}`)
    expect(await failureOf(out)).toBe(`${join(out, 'a*.csv')}: ${refused}`)
  })
})

test('a file that several arguments stand for is refused', async () => {
  const out = await directory('twice', { 'a.csv': 'n\n1\n' })
  expect(await failureOf([out, `${out}/*.csv`])).toBe(`${out}/a.csv: named twice; each file is read once`)
})
