import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { secretStatement } from '../../../src/sources/object-store.ts'
import { createWorkspace, failureOf, readAll, type Workspace } from './workspace.ts'

async function canLoadHttpfs(): Promise<boolean> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const isThere = await connection.run('LOAD httpfs').then(
    () => true,
    () => false,
  )
  connection.closeSync()
  instance.closeSync()
  return isThere
}

const hasHttpfs = await canLoadHttpfs()
if (!hasHttpfs)
  process.stderr.write(
    'tests: reading S3 is skipped; install DuckDB’s extension httpfs (INSTALL httpfs, from extensions.duckdb.org)\n',
  )

describe('credentials for DuckDB', () => {
  test('of S3 come from AWS’ variables', () => {
    expect(
      secretStatement('s3', {
        AWS_ACCESS_KEY_ID: "A'K",
        AWS_SECRET_ACCESS_KEY: 'S/+K',
        AWS_SESSION_TOKEN: 'T',
        AWS_DEFAULT_REGION: 'eu-central-1',
      }),
    ).toBe(
      `CREATE TEMPORARY SECRET s3 (TYPE s3, PROVIDER config, KEY_ID 'A''K', SECRET 'S/+K', SESSION_TOKEN 'T', REGION 'eu-central-1')`,
    )
    expect(secretStatement('s3', {})).toBe('CREATE TEMPORARY SECRET s3 (TYPE s3, PROVIDER config)')
    expect(secretStatement('s3', { AWS_REGION: 'a', AWS_DEFAULT_REGION: 'b', AWS_SESSION_TOKEN: '' })).toBe(
      `CREATE TEMPORARY SECRET s3 (TYPE s3, PROVIDER config, REGION 'a')`,
    )
  })

  test('of another store than Amazon’s, too', () => {
    expect(secretStatement('s3', { AWS_ENDPOINT_URL: 'http://minio:9000/' })).toBe(
      `CREATE TEMPORARY SECRET s3 (TYPE s3, PROVIDER config, ENDPOINT 'minio:9000', USE_SSL 'false', URL_STYLE 'path')`,
    )
    for (const url of ['minio:9000', 'https://minio/path', 'ftp://minio'])
      expect(() => secretStatement('s3', { AWS_ENDPOINT_URL_S3: url })).toThrow(
        `AWS_ENDPOINT_URL: ${url} must be http://HOST:PORT or https://HOST:PORT`,
      )
  })

  test('of GCS are an HMAC key', () => {
    expect(secretStatement('gs', { RECGATE_GCS_HMAC_KEY_ID: 'G', RECGATE_GCS_HMAC_SECRET: 'S' })).toBe(
      `CREATE TEMPORARY SECRET gcs (TYPE gcs, PROVIDER config, KEY_ID 'G', SECRET 'S')`,
    )
  })
})

describe('objects are refused before anything is asked for', () => {
  test('where they are no Parquet, or stand among files', async () => {
    expect(await failureOf('s3://bucket/rows.csv.gz')).toBe(
      's3://bucket/rows.csv.gz: only Parquet is read from S3 and GCS, since others tell only at their end whether they are whole; copy it to a disk',
    )
    expect(await failureOf(['rows.csv', 'gs://bucket/out/'])).toBe(
      'rows.csv and gs://bucket/out/: files and objects are published one after the other',
    )
  })

  test.skipIf(hasHttpfs)('where DuckDB has no httpfs, and none can be fetched', async () => {
    // Where it can be fetched, the store itself is what is missing.
    vi.stubEnv('HOME', '/nonexistent')
    expect(await failureOf('s3://bucket/rows.parquet')).toMatch(
      /^s3:\/\/bucket\/rows\.parquet: reading it takes DuckDB's extension httpfs, which is neither installed nor can be fetched \(.+\); copy the files to a disk instead, or install it where extensions\.duckdb\.org can be reached$/,
    )
    vi.unstubAllEnvs()
  })
})

describe.skipIf(!hasHttpfs)('objects in S3', () => {
  let files: Workspace
  let server: Server
  let objects: Map<string, Uint8Array>
  let written: string[]
  const parquet = new Map<string, Buffer>()

  beforeAll(async () => {
    files = await createWorkspace()
    for (const [name, from, to] of [
      ['first', 0, 3],
      ['second', 3, 5],
    ] as const) {
      const query = `SELECT range AS n FROM range(${from}, ${to})`
      parquet.set(name, await readFile(await files.writeParquet(`${name}.parquet`, query)))
    }
    server = createServer(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${port}`)
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  })
  beforeEach(() => {
    written = []
    objects = new Map([
      ['out/part-00000-x.parquet', parquet.get('first')!],
      ['out/part-00001-x.parquet', parquet.get('second')!],
      ['out/_SUCCESS', Buffer.alloc(0)],
      ['other/rows.parquet', parquet.get('first')!],
    ])
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    server?.close()
    await files?.remove()
  })

  /** As much of S3 as reading takes: lists, heads and ranges. */
  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://s3')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      written.push(`${request.method} ${url.pathname}`)
    if (url.searchParams.has('list-type')) {
      const prefix = url.searchParams.get('prefix') ?? ''
      const contents = [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .map(
          ([key, { length }]) =>
            `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>${length}</Size></Contents>`,
        )
      response.setHeader('Content-Type', 'application/xml')
      response.end(
        `<ListBucketResult>${contents.join('')}<IsTruncated>false</IsTruncated></ListBucketResult>`,
      )
      return
    }
    const object = objects.get(decodeURIComponent(url.pathname).replace('/bucket/', ''))
    if (object === undefined) {
      response.writeHead(404).end()
      return
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const body = first === undefined ? object : object.subarray(Number(first), Number(last) + 1)
    response.writeHead(first === undefined ? 200 : 206, {
      'Accept-Ranges': 'bytes',
      'Content-Length': body.length,
      ETag: '"e"',
      'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      ...(first === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${object.length}` }),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  test('are read by name, by prefix and by pattern, as files are', async () => {
    for (const [url, expected] of [
      ['s3://bucket/out/part-00001-x.parquet', [3, 4]],
      ['s3://bucket/out/', [0, 1, 2, 3, 4]],
      ['s3://bucket/o*/part-*.parquet', [0, 1, 2, 3, 4]],
    ] as const)
      expect((await readAll(url)).rows.map(([n]) => n)).toEqual(expected)
    const { batches } = await readAll('s3://bucket/out/')
    expect(batches.map(({ file }) => file)).toEqual([
      's3://bucket/out/part-00000-x.parquet',
      's3://bucket/out/part-00001-x.parquet',
    ])
    expect((await readAll('s3://bucket/out/', { sql: 'SELECT sum(n) AS n FROM input' })).rows).toEqual([[10]])
  })

  test('of a job that has not ended are refused', async () => {
    objects.delete('out/_SUCCESS')
    expect(await failureOf('s3://bucket/out/')).toMatch(/^s3:\/\/bucket\/out: .*_SUCCESS is missing/)
    expect((await readAll('s3://bucket/out/', { allowUnfinished: true })).rows).toHaveLength(5)
    objects.set('out/_SUCCESS', Buffer.alloc(0))
    objects.set('out/_temporary/0/part-00002-x.parquet', parquet.get('first')!)
    expect(await failureOf('s3://bucket/out/')).toMatch(/there is _temporary/)
  })

  test('that are not there, or cut off, are refused by their name', async () => {
    expect(await failureOf('s3://bucket/out/none.parquet')).toMatch(/^s3:\/\/bucket\/out\/none\.parquet: /)
    expect(await failureOf('s3://bucket/nowhere/')).toBe(
      's3://bucket/nowhere/: no object has a name of this kind; those that begin with _ or . are passed over',
    )
    objects.set('out/part-00001-x.parquet', parquet.get('second')!.subarray(0, 200))
    expect(await failureOf('s3://bucket/out/')).toMatch(/^s3:\/\/bucket\/out\/part-00001-x\.parquet: /)
  })

  test.each([
    "FROM read_parquet('s3://bucket/other/rows.parquet')",
    "FROM read_parquet('s3://bucket/out/*.parquet')",
    "FROM glob('s3://bucket/**')",
    "FROM read_text('/etc/passwd')",
    "FROM read_text('https://example.com/')",
    "COPY (SELECT 1) TO 's3://bucket/out/part-00000-x.parquet'",
  ])('alone are reached by --sql, not %s', async (sql) => {
    expect(await failureOf('s3://bucket/out/', { sql })).toMatch(
      /Permission Error|file system operations are disabled|is no SELECT/,
    )
    expect(written).toEqual([])
  })

  test('give --sql no credentials', async () => {
    const { rows } = await readAll('s3://bucket/out/', { sql: 'SELECT secret_string FROM duckdb_secrets()' })
    expect(JSON.stringify(rows)).not.toMatch(/secret=secret/)
  })
})
