import { access, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

let files: Workspace
let wide: string
beforeAll(async () => {
  files = await createWorkspace()
  wide = await files.write(
    'wide.csv',
    'player_id,game_1,game_2,game_3,game_4,game_5,score_1,score_2\n007,3,4,5,6,7,1.0,0.308\n010,1,2,,,,0.5,\n',
  )
})
afterAll(() => files.remove())

describe('a query', () => {
  test('reshapes numbered columns into lists', async () => {
    const sql = `SELECT player_id, [game_1, game_2, game_3, game_4, game_5] AS games,
      list_filter([score_1, score_2], lambda score: score IS NOT NULL) AS scores FROM input`
    const { columns, rows, batches, rowsExpected } = await readAll(wide, { sql, textColumns: ['player_id'] })
    expect(columns).toEqual(['player_id', 'games', 'scores'])
    expect(rows).toEqual([
      ['007', [3, 4, 5, 6, 7], [1, 0.308]],
      ['010', [1, 2, null, null, null], [0.5]],
    ])
    expect(batches[0]?.file).toBe(wide)
    expect(rowsExpected).toBe(2)
  })

  test('over several files sees their union by name', async () => {
    const one = await files.write('one.csv', 'id,n\n1,10\n2,20\n')
    const two = await files.write('two.ndjson', '{"extra":["x"],"id":3}')
    const { rows, batches } = await readAll([one, two], { sql: 'FROM input' })
    expect(rows).toEqual([
      [1, 10, null],
      [2, 20, null],
      [3, null, ['x']],
    ])
    expect(batches).toHaveLength(1)
    expect(batches[0]).toMatchObject({ file: 'query result', firstRow: 1 })
  })

  test('keeps the order of the files, or the one that it asks for, over many rows', async () => {
    const one = await files.writeParquet('one.parquet', 'SELECT range AS n FROM range(150000)')
    const two = await files.writeParquet('two.parquet', 'SELECT range + 150000 AS n FROM range(150000)')
    const kept = await readAll([one, two], { sql: 'SELECT n FROM input WHERE n % 3 = 0' })
    expect(kept.rows).toHaveLength(100_000)
    expect(kept.rows.every(([n], index) => n === index * 3)).toBe(true)
    const sorted = await readAll([one, two], { sql: 'SELECT n FROM input ORDER BY n DESC' })
    expect(sorted.rows.every(([n], index) => n === 299_999 - index)).toBe(true)
  })

  test.each([
    'SELECT 1 AS a FROM input LIMIT 1;',
    'SELECT 1 AS a -- and no more',
    'WITH one AS (SELECT 1 AS a) FROM one /* ; */ ;  ',
    "SELECT 1 AS a WHERE ';' <> '--'",
  ])('may be written as %s', async (sql) => {
    expect(await readAll(wide, { sql })).toMatchObject({ columns: ['a'], rows: [[1]] })
  })

  test('may find no rows', async () => {
    const { rows, batches, rowsExpected } = await readAll(wide, { sql: 'FROM input WHERE false' })
    expect({ rows, batches, rowsExpected }).toEqual({ rows: [], batches: [], rowsExpected: 0 })
  })

  test('takes a timestamp without a zone for UTC', async () => {
    const sql = "SELECT TIMESTAMP '2024-07-01 12:00:00'::TIMESTAMPTZ AS at"
    expect((await readAll(wide, { sql })).rows).toEqual([['2024-07-01T12:00:00Z']])
  })
})

describe('a query is refused', () => {
  const rule = 'it must be one SELECT over "input"'
  test.each([
    ['', `the query is empty; ${rule}`],
    [' ; -- nothing\n', `the query is empty; ${rule}`],
    ['SELECT 1; SELECT 2', `the query holds 2 statements; ${rule}`],
    ['CREATE TABLE t (a INTEGER)', `the query is no SELECT but CREATE; ${rule}`],
    ['EXPLAIN SELECT 1', `the query is no SELECT but EXPLAIN; ${rule}`],
    ['SELECT ? AS a', 'the query has parameters, which nothing can fill'],
    ['SELECT 1 AS a, 2 AS A', 'the query gives two columns the name "A"; rename one with AS'],
  ])('%j', async (sql, message) => {
    expect(await failureOf(wide, { sql })).toBe(message)
  })

  test("with DuckDB's own message", async () => {
    expect(await failureOf(wide, { sql: 'SELEC 1' })).toMatch(
      /^the query failed: Parser Error: syntax error at or near "SELEC"/,
    )
    expect(await failureOf(wide, { sql: 'SELECT nope FROM input' })).toMatch(
      /^the query failed: Binder Error: Referenced column "nope" not found/,
    )
    expect(await failureOf(wide, { sql: 'SELECT * FROM other' })).toMatch(
      /^the query failed: Catalog Error: Table with name other does not exist! The rows to be published are called input\./,
    )
    const sql = "SELECT CASE WHEN player_id = '010' THEN 'x' ELSE '1' END::INTEGER AS n FROM input"
    expect(await failureOf(wide, { sql, textColumns: ['player_id'] })).toMatch(
      /^the query failed: Conversion Error: Could not convert string 'x' to INT32/,
    )
  })

  test('for a type without a plain value', async () => {
    expect(await failureOf(wide, { sql: "SELECT MAP {'a': 1} AS odd" })).toBe(
      `${wide}: column "odd" has the type MAP(VARCHAR, INTEGER), which has no plain value; reshape it with --sql`,
    )
  })

  test('when the columns of its files have nothing in common', async () => {
    const list = await files.write('list.ndjson', '{"a":[1]}')
    const struct = await files.write('struct.ndjson', '{"a":{"b":1}}')
    expect(await failureOf([list, struct], { sql: 'FROM input' })).toMatch(
      /^the query failed: Conversion Error: Unimplemented type for cast \(STRUCT\(b BIGINT\) -> BIGINT\[\]\)/,
    )
  })
})

describe('a query reaches nothing but the input files', () => {
  test.each([
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/hostname')",
    "FROM '/etc/passwd'",
    "FROM '/etc/passwd.csv'",
    "FROM read_text('/proc/self/environ')",
    "FROM read_text('~/.bashrc')",
    "FROM read_text('~/.duckdbrc')",
    "FROM glob('/etc/*')",
    "FROM glob('*')",
    "FROM read_csv('https://example.com/rows.csv')",
    "FROM read_parquet('s3://bucket/rows.parquet')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM query('COPY (SELECT 1) TO ''/tmp/recgate-out.csv''')",
    "SELECT getenv('HOME') AS home",
    "COPY (SELECT 1) TO '/tmp/recgate-out.csv'",
    "COPY input TO '/tmp/recgate-out.parquet'",
    "ATTACH '/tmp/recgate-out.db'",
    "EXPORT DATABASE '/tmp/recgate-out'",
    "IMPORT DATABASE '/tmp/recgate-out'",
    'INSTALL httpfs',
    'LOAD httpfs',
    'SET enable_external_access = true',
    'SET lock_configuration = false',
    "SET allowed_paths = ['/etc/passwd']",
    'RESET allowed_paths',
    'PRAGMA threads = 1',
    "CALL enable_logging(storage = 'file', storage_path = '/tmp/recgate-out')",
    "SELECT 1; COPY (SELECT 1) TO '/tmp/recgate-out.csv'",
  ])('%s', async (sql) => {
    expect(await failureOf(wide, { sql })).toMatch(
      /^the query (failed: (Permission|Catalog|Parser|Binder) Error|is no SELECT|holds)/,
    )
  })

  test('and these it can only read', async () => {
    const before = await readFile(wide, 'utf8')
    expect(await failureOf(wide, { sql: `COPY (SELECT 1 AS a) TO '${wide}'` })).toMatch(
      /^the query is no SELECT but COPY/,
    )
    expect(await readFile(wide, 'utf8')).toBe(before)
    expect((await readAll(wide, { sql: `SELECT count(*) AS n FROM read_csv('${wide}')` })).rows).toEqual([
      [2],
    ])
  })

  test('nor writes a profile', async () => {
    const out = files.path('profile.json')
    const sql = `FROM enable_profiling(format = 'json', save_location = '${out}')`
    expect(await failureOf(wide, { sql })).toMatch(/^the query failed: /)
    await expect(access(out)).rejects.toThrow('ENOENT')
  })

  test('not even to a neighbour whose name it begins', async () => {
    const neighbour = await files.write('wide.csv.csv', 'secret\n1\n')
    expect(await failureOf(wide, { sql: `FROM read_csv('${neighbour}')` })).toMatch(/Permission Error/)
    expect(await failureOf(wide, { sql: `FROM read_csv('${files.directory}/*.csv')` })).toMatch(
      /Permission Error/,
    )
  })
})
