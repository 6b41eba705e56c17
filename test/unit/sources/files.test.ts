import { mkdtemp, readdir, symlink } from 'node:fs/promises'
import { relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRows } from '../../../src/sources/duckdb-source.ts'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
beforeAll(async () => {
  files = await createWorkspace()
})
afterAll(() => files.remove())

describe('several files', () => {
  test('are read in the order given, each numbered from 1', async () => {
    const second = await files.write('b.csv', 'id,n\n3,30\n')
    const first = await files.write('a.csv', 'id,n\n1,10\n2,20\n')
    const { batches, rows, rowsExpected } = await readAll([first, second])
    expect(batches).toEqual([
      { file: first, firstRow: 1, rowCount: 2 },
      { file: second, firstRow: 1, rowCount: 1 },
    ])
    expect(rows).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ])
    expect(rowsExpected).toBe(3)
  })

  test('may have their columns in another order, and be of another kind', async () => {
    const csv = await files.write('order.csv', 'id,n\n1,10\n')
    const json = await files.write('order.ndjson', '{"n":20,"id":2}')
    const parquet = await files.writeParquet('order.parquet', 'SELECT 30 AS n, 3 AS id')
    const { columns, rows } = await readAll([csv, json, parquet])
    expect(columns).toEqual(['id', 'n'])
    expect(rows).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ])
  })

  test('with other columns than the first are refused', async () => {
    const first = await files.write('first.csv', 'id,n,m\n1,10,5\n')
    const lacking = await files.write('lacking.csv', 'id\n1\n')
    const extra = await files.write('extra.csv', 'id,n,m,x,y\n1,2,3,4,5\n')
    const both = await files.write('both.csv', 'id,N,m\n1,2,3\n')
    const differ = `the columns differ from those of ${first}: it`
    expect(await failureOf([first, lacking])).toBe(`${lacking}: ${differ} lacks n, m`)
    expect(await failureOf([first, extra])).toBe(`${extra}: ${differ} has x, y too many`)
    expect(await failureOf([first, both])).toBe(`${both}: ${differ} lacks n and has N too many`)
  })
})

describe('a file that is refused', () => {
  test('for its kind', async () => {
    for (const name of ['rows.txt', 'rows', 'rows.parquet.gz', 'rows.csv.bz2', '.csvx']) {
      expect(await failureOf(await files.write(name, 'a\n1\n'))).toMatch(
        `${name}: not a kind of file that can be read; fit are .csv, .tsv, .ndjson, .jsonl and .json`,
      )
    }
  })

  test('because it is not there, or not a file', async () => {
    const gone = files.path('gone.csv')
    expect(await failureOf(gone)).toBe(`${gone}: no such file`)
    expect(await failureOf('/dev/null')).toMatch('/dev/null: not a kind of file that can be read')
    await symlink('/dev/null', files.path('device.csv'))
    expect(await failureOf(files.path('device.csv'))).toBe(
      `${files.path('device.csv')}: not a regular file; send its rows to standard input, as - with --format`,
    )
    expect(await failureOf('https://example.com/rows.csv')).toBe('https://example.com/rows.csv: no such file')
    expect(await failureOf('~/rows.csv')).toBe('~/rows.csv: no such file')
    expect(await failureOf([])).toBe('no file to read rows from')
  })

  test('because DuckDB would take its name for a pattern, and read its neighbours', async () => {
    await files.write('part1.csv', 'a\n1\n')
    for (const name of ['part?.csv', 'part*.csv', 'part[1].csv']) {
      const file = await files.write(name, 'a\n2\n')
      expect(await failureOf(file)).toBe(
        `${file}: DuckDB takes *, ?, [ and ] in a name for a pattern; rename or link the file`,
      )
    }
  })

  test('is named as the user named it', async () => {
    const file = relative(process.cwd(), await files.write('broken.csv', 'a,b\n1,2\n3\n'))
    expect(await failureOf(file)).toBe(`${file}: line 3: Expected Number of Columns: 2 Found: 1`)
    const parquet = relative(process.cwd(), await files.write('broken.parquet', 'not a Parquet file'))
    expect(await failureOf(parquet)).toBe(
      `${parquet}: not a whole Parquet file: it is cut off, or another kind of file`,
    )
  })
})

test('names with quotes, blanks and unicode are read', async () => {
  const file = await files.write(`it's a "プ" file.csv`, `"it's","a ""b"""\n1,2\n`)
  const { columns, rows } = await readAll(file)
  expect(columns).toEqual(["it's", 'a "b"'])
  expect(rows).toEqual([[1, 2]])
})

describe('a source', () => {
  test('can be left early, and read again from the start', async () => {
    const file = await files.writeParquet('again.parquet', 'SELECT range AS n FROM range(50000)')
    const source = await openRows([file])
    for await (const batch of source.batches()) {
      expect(batch.columns[0]?.at(0)).toBe(0)
      break
    }
    let rows = 0
    for await (const batch of source.batches()) rows += batch.rowCount
    expect(rows).toBe(50_000)
    await source.close()
  })

  test('can be read twice at once', async () => {
    const file = await files.writeParquet('twice.parquet', 'SELECT range AS n FROM range(20000)')
    const source = await openRows([file])
    const count = async () => {
      let rows = 0
      for await (const batch of source.batches()) rows += batch.rowCount
      return rows
    }
    expect(await Promise.all([count(), count()])).toEqual([20_000, 20_000])
    await source.close()
  })

  test('notices rows that went missing since it was opened', async () => {
    const file = await files.write('shrinks.csv', `n\n${'1\n'.repeat(10_000)}`)
    const source = await openRows([file])
    await files.write('shrinks.csv', `n\n${'1\n'.repeat(9_000)}`)
    const reading = (async () => {
      for await (const batch of source.batches()) expect(batch.file).toBe(file)
    })()
    await expect(reading).rejects.toThrow(`${file}: 9000 rows could be read where 10000 were found before`)
    await source.close()
  })

  test('notices rows that broke since it was opened', async () => {
    const file = await files.write('breaks.csv', `a,b\n${'1,2\n'.repeat(100_000)}`)
    const source = await openRows([file])
    await files.write('breaks.csv', `a,b\n${'1,2\n'.repeat(99_999)}1\n`)
    const reading = (async () => {
      for await (const batch of source.batches()) expect(batch.file).toBe(file)
    })()
    await expect(reading).rejects.toThrow(`${file}: line 100001: Expected Number of Columns: 2 Found: 1`)
    await source.close()
  })

  test('leaves no temporary files', async () => {
    const file = await files.writeParquet('spill.parquet', 'SELECT range AS n FROM range(1000)')
    // Other files' tests have theirs in the usual directory at the same time.
    const usual = process.env['TMPDIR']
    const own = await mkdtemp(files.path('temporary-'))
    process.env['TMPDIR'] = own
    try {
      await readAll(file, { sql: 'SELECT * FROM input ORDER BY n DESC' })
      await failureOf(file, { sql: 'SELECT nothing FROM input' })
    } finally {
      if (usual === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = usual
    }
    expect(await readdir(own)).toEqual([])
  })
})
