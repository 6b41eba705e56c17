import { compileKeyPart } from '../catalog/compile.ts'
import { findLiveModel, findLiveTenant } from '../catalog/live-tenant.ts'
import { compileRecordSchema } from '../domain/codec/codec.ts'
import type { Settings } from '../settings/schema.ts'
import { diffTables, type TableDiff } from '../tables/diff.ts'
import { findModelState, findTable } from '../tables/find-generation.ts'
import type { TableAt } from '../tables/retained-keys.ts'
import { showRow } from '../tables/show-row.ts'
import { rereadTable } from '../tables/verify.ts'
import { ReportedError } from './failure.ts'
import { print, printJson, printTable } from './output.ts'
import { withTools } from './with-tools.ts'

/** Commands that read tables back from Redis. */

interface ReadOptions {
  readonly tenant: string
  readonly model: string
  readonly json: boolean
}

/** `recgate tables verify`: one generation, or all of a model that are in Redis. */
export async function verifyTables(
  settings: Settings,
  generation: number | undefined,
  { tenant, model, json }: ReadOptions,
): Promise<void> {
  await withTools(settings, async (tools) => {
    const live = await findLiveTenant(tools.catalog, tenant)
    const generations =
      generation === undefined ? inRedis(findModelState(live, model).generations) : [generation]
    if (generations.length === 0 && !json) print('no generation is in Redis')
    const broken: number[] = []
    for (const number of generations) {
      const entry = findTable(live, model, number)
      const address = { tenantId: tenant, modelId: model, generation: number }
      const check = await rereadTable(tools.tables, address, entry, () => undefined)
      if (!check.isSound) broken.push(number)
      if (json)
        printJson({ model, version: entry.version, generation: number, expectedRows: entry.rows, ...check })
      else
        print(
          `generation ${number} of ${model}/${entry.version} (${entry.state}): ` +
            (check.isSound
              ? `${check.rows} rows, all as they were published`
              : `damaged: ${check.rows} of ${entry.rows} rows, ${check.damagedBuckets} of ${entry.buckets} buckets are ` +
                `missing, ${check.misplacedRows} rows are where nobody looks, ` +
                `content ${check.contentHash === entry.contentHash ? 'as published' : 'changed'}`),
        )
    }
    if (broken.length > 0)
      throw new ReportedError(
        `damaged: generation ${broken.join(', ')} of ${model}; publish again, or roll back to one that is sound`,
      )
  })
}

function inRedis(generations: Readonly<Record<string, { readonly state: string }>>): number[] {
  return Object.entries(generations).flatMap(([number, { state }]) =>
    state === 'collecting' || state === 'collected' ? [] : [Number(number)],
  )
}

/** `recgate tables diff`. */
export async function diffGenerations(
  settings: Settings,
  [before, after]: readonly [number, number],
  { tenant, model, json }: ReadOptions,
): Promise<void> {
  await withTools(settings, async (tools) => {
    const live = await findLiveTenant(tools.catalog, tenant)
    const at = (generation: number): TableAt => ({
      ...findTable(live, model, generation),
      address: { tenantId: tenant, modelId: model, generation },
    })
    const codec = compileRecordSchema(findModelState(live, model).record)
    const diff = await diffTables(tools.tables, codec, at(before), at(after), () => undefined)
    if (json) printJson({ model, before, after, ...diff })
    else describeDiff(model, before, after, diff)
  })
}

/** Fields that a table of text shows. */
const fieldsShownMax = 20

function describeDiff(model: string, before: number, after: number, diff: TableDiff): void {
  const { rows, added, removed, changed, unchanged, fields } = diff
  print(`generation ${before} → ${after} of ${model}: ${rows.before} → ${rows.after} rows`)
  print(`added ${added}, removed ${removed}, changed ${changed}, unchanged ${unchanged}`)
  if (fields.length === 0) return
  const shareOf = (count: number) => `${((count / (changed + unchanged)) * 100).toFixed(1)} %`
  printTable(
    ['FIELD', 'ROWS CHANGED', 'OF THOSE IN BOTH'],
    fields
      .slice(0, fieldsShownMax)
      .map(({ field, changed: count }) => [field, String(count), shareOf(count)]),
  )
}

/** `recgate tables show`: one row as JSON. */
export async function showTableRow(
  settings: Settings,
  generation: number,
  { tenant, model, key }: Omit<ReadOptions, 'json'> & { readonly key: readonly string[] },
): Promise<void> {
  await withTools(settings, async (tools) => {
    const live = await findLiveTenant(tools.catalog, tenant)
    const { document, state } = await findLiveModel(tools.catalog, tenant, model)
    const table = {
      ...findTable(live, model, generation),
      address: { tenantId: tenant, modelId: model, generation },
    }
    const parts = document.key.map(compileKeyPart)
    print(await showRow(tools.tables, compileRecordSchema(state.record), table, parts, key))
  })
}
