import { join } from 'node:path'
import { DuckDBInstance, quotedString } from '@duckdb/node-api'
import type { Tools } from '../../../src/compose.ts'
import { applyDocument } from '../../support/studio.ts'

/** What every part of `npm run bench:publish` publishes: five ids, five scores, a percent, a time. */

export const [tenant, model, version] = ['bench', 'games', 'itemcf'] as const

/** The numeric id of row `i`, as SQL and as what a token would carry. */
export const numericId = '1000000000 + i * 7'
export const idOfRow = (row: number) => String(1_000_000_000 + row * 7)
export const uuid = `CAST(md5(i::VARCHAR) AS VARCHAR)[1:8] || '-' || md5(i::VARCHAR)[9:12] || '-4' || md5(i::VARCHAR)[14:16] || '-8' || md5(i::VARCHAR)[18:20] || '-' || md5(i::VARCHAR)[21:32]`

/** @param edition other values for the same players */
export async function makeParquet(
  directory: string,
  name: string,
  count: number,
  playerId: string,
  edition = 0,
): Promise<string> {
  const file = join(directory, `${name}.parquet`)
  const list = (item: (index: number) => string) => `[${[1, 2, 3, 4, 5].map(item).join(', ')}]`
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (
    SELECT ${playerId} AS player_id,
      ${list((index) => `(hash(i * 5 + ${index} + ${edition}) % 4096)::INTEGER`)} AS games,
      ${list((index) => `round((hash(i * 7 + ${index}) % 1001) / 1000.0, 3)::DOUBLE`)} AS scores,
      round((hash(i) % 10001) / 100.0, 2)::DOUBLE AS percent,
      make_timestamp((1760000000000000 + (hash(i) % 8640) * 300000000)::BIGINT) AS played_at
    FROM range(${count}) numbers(i)) TO ${quotedString(file)} (FORMAT parquet)`)
  connection.closeSync()
  instance.closeSync()
  return file
}

export async function applyTenant(to: Tools): Promise<void> {
  await applyDocument(to, {
    format: 1,
    tenant,
    issuers: [],
    models: {
      [model]: {
        key: [{ claim: 'sub', column: 'player_id' }],
        record: {
          games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4095 } },
          scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
          percent: { type: 'fixed', min: 0, max: 100, step: 0.01 },
          played_at: { type: 'timestamp', from: '2025-01-01T00:00:00Z', resolutionSeconds: 300, bits: 24 },
        },
        default: 'none',
        versions: [version],
        control: version,
        weights: { [version]: 100 },
      },
    },
  })
}
