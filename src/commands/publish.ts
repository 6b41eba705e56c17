import { SingleBar } from 'cli-progress'
import { compileKeyPart } from '../catalog/compile.ts'
import { findLiveModel } from '../catalog/live-tenant.ts'
import type { CatalogStore } from '../catalog/ports.ts'
import { randomToken, type Tools } from '../compose.ts'
import { compileRecordSchema } from '../domain/codec/codec.ts'
import { OperationError } from '../domain/errors.ts'
import { resolveGates } from '../domain/gates.ts'
import { limits } from '../domain/limits.ts'
import { rounded } from '../domain/rounded.ts'
import { activeGeneration } from '../domain/tenant-state.ts'
import type { Settings } from '../settings/schema.ts'
import { openRows } from '../sources/duckdb-source.ts'
import { describeFinding } from '../tables/gates.ts'
import { describeBadRow } from '../tables/pack-rows.ts'
import type { PublishTarget } from '../tables/ports.ts'
import { publish } from '../tables/publish.ts'
import type { PublishReport } from '../tables/publish-report.ts'
import type { PublishProgress, PublishRequest, PublishServices } from '../tables/publish-request.ts'
import { publishShard, type ShardOutcome } from '../tables/shards/publish-shard.ts'
import { ReportedError } from './failure.ts'
import { keepHeapLean } from './lean-heap.ts'
import { countedRows, createCommandLog, currentUser, note, print, printJson } from './output.ts'
import { metricsTeller, type PublishMetricsOptions } from './publish-metrics.ts'
import { isPart, type ShardOptions, shardOf, tellShard } from './publish-shard.ts'
import { type OpenSource, publishSource, type SourceOptions } from './publish-source.ts'
import { withTools } from './with-tools.ts'

export interface PublishOptions extends SourceOptions, ShardOptions, PublishMetricsOptions {
  readonly tenant: string
  readonly model: string
  readonly version: string
  readonly maxBadRows: number
  readonly json: boolean
  readonly who: string | undefined
  readonly why: string
}

type WhatToPublish = Omit<
  PublishOptions,
  'json' | keyof ShardOptions | keyof PublishMetricsOptions | Exclude<keyof SourceOptions, 'sql'>
>

/** `recgate publish`: rows → a new, active generation of a version's table. */
export async function publishFiles(
  settings: Settings,
  files: readonly string[],
  options: PublishOptions,
): Promise<void> {
  keepHeapLean()
  const shard = shardOf(options)
  const log = createCommandLog(settings.logLevel)
  const { names, open } = publishSource(settings, files, options, log)
  const tell = metricsTeller(options)
  const startedAt = performance.now()
  const finish = (report: PublishReport | null) => ({
    report,
    durationSeconds: rounded((performance.now() - startedAt) / 1000),
    at: new Date(),
  })
  const publishing = withTools(settings, async (tools) => {
    const report: PublishReport | ShardOutcome =
      shard === null
        ? await publishWith(tools, names, options, open)
        : await publishBy((...given) => publishShard(...given, shard), tools, names, options, open)
    return { report, active: report.outcome === 'refused' ? await servedInstead(tools, options) : null }
  })
  const { report, active } = await publishing.catch(async (error: Error) => {
    await tell(finish(null))
    throw error
  })
  // Only the whole table has an outcome; the shard that ends it tells.
  if (isPart(report)) {
    tellShard(report, { ...options, seconds: finish(null).durationSeconds })
    return
  }
  const finished = finish(report)
  for (const warning of report.warnings) note(`warning: ${warning}`)
  if (options.json) printJson({ ...report, seconds: finished.durationSeconds })
  else describe(report, options, finished.durationSeconds)
  await tell(finished)
  if (report.outcome === 'refused') throw new ReportedError(describeRefusal(report, options, active))
}

/** The version's active generation, to compare with; null where it has none. */
async function servedInstead(
  { catalog }: Tools,
  { tenant, model, version }: PublishOptions,
): Promise<number | null> {
  const { state } = await findLiveModel(catalog, tenant, model)
  return activeGeneration(state, version)?.generation ?? null
}

/** @param files Where the rows come from, for the history; and what they are read from, without `open`. */
export async function publishWith(
  tools: Tools,
  files: readonly string[],
  options: WhatToPublish,
  open: OpenSource = (how) => openRows(files, how),
): Promise<PublishReport> {
  return publishBy(publish, tools, files, options, open)
}

async function publishBy<Report>(
  work: (services: PublishServices, request: PublishRequest) => Promise<Report>,
  tools: Tools,
  files: readonly string[],
  options: WhatToPublish,
  open: OpenSource,
): Promise<Report> {
  const target = await publishTarget(tools.catalog, options)
  const textColumns = [
    ...target.key.map((part) => part.column),
    ...Object.entries(target.record).flatMap(([name, { type }]) =>
      options.sql === undefined || textTypes.has(type) ? [name] : [],
    ),
  ]
  const source = await open({
    textColumns,
    ...(options.sql === undefined ? {} : { sql: options.sql }),
  })
  const by = options.who ?? currentUser()
  const progress = createProgress()
  try {
    return await work(
      {
        store: tools.tables,
        leases: tools.leases,
        memoryShareOf: tools.memoryShareOf,
        catalog: tools.generationCatalog({ who: by, why: options.why }),
        newToken: randomToken,
        now: () => new Date(),
      },
      { target, source, files, by, badRowsMax: options.maxBadRows, onProgress: progress.show },
    )
  } finally {
    progress.stop()
    await source.close()
  }
}

/**
 * Fields whose text must reach the codec as it is written; a CSV reader would guess numbers and dates. Without a query
 * that is every field: one bad number makes a guessed column text, and all its rows look bad.
 */
const textTypes: ReadonlySet<string> = new Set(['string', 'enum', 'bytes'])

async function publishTarget(
  catalog: CatalogStore,
  { tenant, model, version }: Pick<PublishOptions, 'tenant' | 'model' | 'version'>,
): Promise<PublishTarget> {
  const { document, state } = await findLiveModel(catalog, tenant, model)
  if (!document.versions.includes(version))
    throw new OperationError(
      `model ${model} has no version ${version}; it has ${document.versions.join(', ')}`,
    )
  return {
    tenantId: tenant,
    modelId: model,
    versionId: version,
    key: document.key.map(compileKeyPart),
    record: state.record,
    codec: compileRecordSchema(state.record),
    gates: resolveGates(document.gates),
  }
}

/** Only a terminal gets a bar; a log would fill with them. */
function createProgress() {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined }
  const bar = new SingleBar({
    format: '{phase} [{bar}] {value}/{total}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  })
  let phase: string | null = null
  return {
    show(progress: PublishProgress) {
      const total = progress.total ?? progress.done
      if (phase === null) bar.start(total, progress.done, progress)
      if (phase !== progress.phase) phase = progress.phase
      bar.setTotal(Math.max(total, 1))
      bar.update(progress.done, progress)
    },
    stop: () => bar.stop(),
  }
}

function describe(report: PublishReport, { model, version }: PublishOptions, seconds: number): void {
  const { rows, buckets, generation, bytes, badRows, badRowsShown, longRows, catalogRevision } = report
  for (const badRow of badRowsShown) note(`left out: ${describeBadRow(badRow)}`)
  if (badRows > badRowsShown.length) note(`left out: … and ${badRows - badRowsShown.length} more`)
  if (longRows > 0)
    note(
      `warning: ${longRows} ${longRows === 1 ? 'row has' : 'rows have'} a row key or record over 64 bytes; ` +
        `all of the some ${limits.rowsPerBucket} rows of such a row's bucket take about 93 bytes of Redis each, instead of 39`,
    )
  if (report.suppressedRows > 0) note(`${countedRows(report.suppressedRows)} of erased players left out`)
  if (report.outcome === 'unchanged')
    print(
      `unchanged: generation ${generation} of ${model}/${version} has the same ${rows} rows and stays active; ` +
        `nothing was loaded, ${seconds.toFixed(1)} s`,
    )
  if (report.outcome === 'activated')
    print(
      `published generation ${generation} of ${model}/${version}: ${rows} rows, ${bytes} bytes in ${buckets} buckets, ` +
        `${seconds.toFixed(1)} s; active since catalog revision ${catalogRevision}`,
    )
}

/** Which gate, by how much, and what to do. */
function describeRefusal(
  { generation, failedGates, quarantined }: PublishReport,
  { tenant, model, version }: PublishOptions,
  active: number | null,
): string {
  const reasons = failedGates.map(describeFinding)
  if (quarantined) reasons.push('a generation with the same content was rolled back from')
  const place = `--tenant ${tenant} --model ${model}`
  const look =
    active === null ? '' : `to look into it:\n  recgate tables diff ${active} ${generation} ${place}\n`
  return (
    `generation ${generation} of ${model}/${version} is loaded and not active; what was served stays served:\n` +
    `${reasons.map((reason) => `  ${reason}`).join('\n')}\n` +
    `${look}to activate it all the same:\n` +
    `  recgate tables activate ${generation} ${place} --despite-gates --reason '…'`
  )
}
