import { type DuckDBConnection, DuckDBInstance, quotedString } from '@duckdb/node-api'
import { OperationError } from '../domain/errors.ts'
import { fileReason } from './duckdb-reason.ts'

/**
 * Objects in S3 and Google Cloud Storage, through DuckDB's extension httpfs. Only who names an `s3://` or `gs://` URL
 * gets it, and then for the objects alone that the URL stands for.
 */

export function isObjectUrl(text: string): boolean {
  return /^(s3|gs):\/\//.test(text)
}

type Environment = Readonly<Record<string, string | undefined>>

/** The statement that gives DuckDB the credentials for one scheme, from the variables that AWS' own tools read. */
export function secretStatement(scheme: 's3' | 'gs', environment: Environment): string {
  const options =
    scheme === 's3'
      ? {
          KEY_ID: environment['AWS_ACCESS_KEY_ID'],
          SECRET: environment['AWS_SECRET_ACCESS_KEY'],
          SESSION_TOKEN: environment['AWS_SESSION_TOKEN'],
          REGION: environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'],
          ...endpointOptions(environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL']),
        }
      : {
          KEY_ID: environment['RECGATE_GCS_HMAC_KEY_ID'],
          SECRET: environment['RECGATE_GCS_HMAC_SECRET'],
        }
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`, ${name} ${quotedString(value)}`],
  )
  const type = scheme === 's3' ? 's3' : 'gcs'
  return `CREATE TEMPORARY SECRET ${type} (TYPE ${type}, PROVIDER config${given.join('')})`
}

/** Of a store other than Amazon's, such as MinIO: `https://HOST:PORT`. */
function endpointOptions(url: string | undefined): Record<string, string> {
  if (url === undefined || url === '') return {}
  if (!/^https?:\/\/[^/]+\/?$/.test(url) || !URL.canParse(url))
    throw new OperationError(`AWS_ENDPOINT_URL: ${url} must be http://HOST:PORT or https://HOST:PORT`)
  const { host, protocol } = new URL(url)
  return { ENDPOINT: host, USE_SSL: String(protocol === 'https:'), URL_STYLE: 'path' }
}

/** Lets a DuckDB that isn't sealed yet read objects. Does nothing where none of the paths is one. */
export async function allowObjects(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
  const url = paths.find(isObjectUrl)
  if (url === undefined) return
  try {
    await connection.run('LOAD httpfs').catch(async () => {
      // It isn't part of DuckDB's package; DuckDB checks its signature.
      await connection.run('INSTALL httpfs')
      await connection.run('LOAD httpfs')
    })
  } catch (cause) {
    throw new OperationError(
      `${url}: reading it takes DuckDB's extension httpfs, which is neither installed nor can be fetched ` +
        `(${fileReason(cause)}); copy the files to a disk instead, or install it where extensions.duckdb.org can be reached`,
    )
  }
  for (const scheme of ['s3', 'gs'] as const) {
    if (!paths.some((path) => path.startsWith(`${scheme}://`))) continue
    await connection.run(secretStatement(scheme, process.env)).catch(() => {
      // DuckDB's words may hold the statement.
      throw new OperationError(`${url}: the credentials in the environment are not what DuckDB takes`)
    })
  }
}

export interface ObjectList {
  /** Every object that a pattern matches; a URL without wildcards is given back as it is. */
  matching(pattern: string): Promise<readonly string[]>
  close(): void
}

export async function openObjectList(urls: readonly string[]): Promise<ObjectList> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const close = () => {
    connection.closeSync()
    instance.closeSync()
  }
  try {
    await allowObjects(connection, urls)
  } catch (cause) {
    close()
    throw cause
  }
  return {
    async matching(pattern) {
      try {
        const found = await connection.runAndReadAll(`FROM glob(${quotedString(pattern)})`)
        return found.getRowsJS().map(([path]) => String(path))
      } catch (cause) {
        throw new OperationError(`${pattern}: can't be listed: ${fileReason(cause)}`)
      }
    },
    close,
  }
}
