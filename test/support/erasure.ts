import { expect } from 'vitest'
import { findLiveTenant } from '../../src/catalog/live-tenant.ts'
import { randomToken, type Tools } from '../../src/compose.ts'
import { splitRowKey } from '../../src/domain/row-key.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { type EraseServices, type Erasure, erase } from '../../src/tables/erase.ts'
import { rereadTable } from '../../src/tables/verify.ts'
import { keysOf } from './redis-clients.ts'

export function eraseServices(tools: Tools): EraseServices {
  return {
    store: tools.tables,
    suppressions: tools.suppressions,
    catalog: tools.generationCatalog({ who: 'tester', why: 'test' }),
    newToken: randomToken,
    now: () => new Date(),
  }
}

export function eraseUnit(
  tools: Tools,
  tenantId: string,
  unit: string,
  modelIds: readonly string[] = [],
): Promise<Erasure> {
  return erase(eraseServices(tools), { tenantId, unit, modelIds, by: 'tester' })
}

/** Every key in Redis that has a row in whose row key the unit stands, whoever knows of the generation. */
export async function keysWithUnit(hands: RedisClient, tenantId: string, unit: string): Promise<string[]> {
  const found: string[] = []
  for (const key of await keysOf(hands, `rg:t:${tenantId}:*`))
    if ((await hands.hkeys(key)).some((rowKey) => splitRowKey(rowKey).includes(unit))) found.push(key)
  return found
}

/** Every generation whose rows are there has the rows and the content that the catalog says. Answers how many those are. */
export async function expectSound(tools: Tools, tenantId: string): Promise<number> {
  const { state } = await findLiveTenant(tools.catalog, tenantId)
  let checked = 0
  for (const [modelId, { generations }] of Object.entries(state.models))
    for (const [number, entry] of Object.entries(generations)) {
      expect(entry.erasing, `generation ${number} of ${modelId}`).toBeUndefined()
      if (entry.state === 'collecting' || entry.state === 'collected') continue
      const address = { tenantId, modelId, generation: Number(number) }
      const { rows, bytes } = await rereadTable(tools.tables, address, entry, () => undefined).then(
        async (check) => {
          expect(check, `generation ${number} of ${modelId}`).toMatchObject({ isSound: true })
          return { rows: check.rows, bytes: await bytesOf(tools, address, entry) }
        },
      )
      expect({ rows, bytes }, `generation ${number} of ${modelId}`).toEqual({
        rows: entry.rows,
        bytes: entry.bytes,
      })
      checked++
    }
  return checked
}

async function bytesOf(
  tools: Tools,
  address: Parameters<Tools['tables']['readBuckets']>[0],
  { token, buckets }: { readonly token: string; readonly buckets: number },
): Promise<number> {
  const numbers = Array.from({ length: buckets }, (_, number) => number)
  const rows = (await tools.tables.readBuckets(address, token, numbers)).flatMap((some) => some ?? [])
  return rows.reduce((sum, { rowKey, packed }) => sum + Buffer.byteLength(rowKey) + packed.length, 0)
}
