import { setTimeout as pause } from 'node:timers/promises'
import { OperationError } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { activeGeneration, type PackedGeneration } from '../../domain/tenant-state.ts'
import { confirmContent } from '../confirm-content.ts'
import { holdLease } from '../hold-lease.ts'
import type { Candidate } from '../load-generation.ts'
import type { RunEnd } from '../manifest.ts'
import type { TableStore } from '../ports.ts'
import { estimateMemory, measuredMemory } from '../preflight.ts'
import { type PublishReport, reportOf } from '../publish-report.ts'
import type { PublishRequest, PublishServices } from '../publish-request.ts'
import { settleGeneration } from '../settle-generation.ts'
import { hasContent, standingGeneration } from '../standing-content.ts'
import { readSuppressedRows, type SuppressedRows } from '../suppressed-rows.ts'
import { targetModel } from '../target-model.ts'
import { rereadTable, type TableCheck, tripsOf } from '../verify.ts'
import { createErasedRows } from './erased-rows.ts'
import { endWithoutTrace, findRun, type LiveRun } from './find-run.ts'
import { checkExpectedRows } from './load-shard.ts'
import { type MergedReports, mergeReports } from './merge-reports.ts'
import { concludeRun, endOf } from './run-end.ts'
import { type RunPublication, takeOver } from './run-publication.ts'
import type { Shard } from './shard.ts'
import { missingShards, readShards } from './shard-state.ts'

export type Finish =
  | { readonly is: 'waiting'; readonly missing: readonly number[] }
  /** By this process, or by another one. */
  | { readonly is: 'settled'; readonly report: PublishReport }
  | { readonly is: 'over'; readonly end: RunEnd }

/**
 * Where all shards are loaded: verifies and activates, as whoever publishes alone does. One process at a time is at it;
 * where it dies, the next one that comes by, such as a retry of any shard, begins with it anew.
 */
export async function finishRun(
  services: PublishServices,
  request: PublishRequest,
  run: LiveRun,
  shard: Shard,
): Promise<Finish> {
  const { leases, newToken, now } = services
  const name = { lease: 'finisher', ...run.address } as const
  for (;;) {
    const states = await readShards(leases, run.address, shard.count)
    const missing = missingShards(states)
    // Reports are taken away when a run is over: then all are missing.
    const found = await findRun(services, request.target, shard)
    if (found.is === 'over') return found
    if (found.is !== 'live' || found.run.address.generation !== run.address.generation)
      return { is: 'over', end: await endWithoutTrace(leases, request.target, run.hold) }
    if (missing.length > 0) return { is: 'waiting', missing }
    const since = now().toISOString()
    const lease = await holdLease(leases, name, { token: newToken(), by: request.by, since })
    if (lease.held === null) {
      await pause(limits.runPollMs)
      continue
    }
    try {
      const publication = await takeOver(services, request.target, found.run)
      // It ended, or another process took it over, between the question and the answer.
      if (publication === null) continue
      const merged = mergeReports(states.flatMap((state) => (state?.report == null ? [] : [state.report])))
      return await settle(services, request, found.run, publication, merged)
    } finally {
      await lease.held.release()
    }
  }
}

async function settle(
  services: PublishServices,
  request: PublishRequest,
  run: LiveRun,
  publication: RunPublication,
  merged: MergedReports,
): Promise<Finish> {
  const { target } = request
  try {
    const decided = await decide(services, request, run, publication, merged)
    if (decided.is === 'over') return decided
    const { report } = decided
    const problem = report.outcome === 'refused' ? describeRefused(report) : null
    const end = { outcome: report.outcome, generation: report.generation, problem }
    if (report.outcome === 'unchanged' || report.generation !== run.address.generation)
      await publication.discard(end)
    else await concludeRun(services.leases, target, run, end)
    return decided
  } finally {
    publication.close()
  }
}

function describeRefused({ failedGates }: PublishReport): string {
  return failedGates.map(({ gate }) => gate).join(', ') || 'its content was rolled back from'
}

async function decide(
  services: PublishServices,
  request: PublishRequest,
  run: LiveRun,
  publication: RunPublication,
  merged: MergedReports,
): Promise<Exclude<Finish, { is: 'waiting' }>> {
  const { store, catalog } = services
  const { target } = request
  const { address } = run
  const suppressed = await readSuppressedRows(catalog, target)
  suppressed.add(merged.suppressedRows)
  const counts = { ...merged.counts, suppressed }
  let candidate: Candidate
  try {
    if (merged.rows === 0) throw new OperationError('no shard has a row to publish; nothing was activated')
    const model = targetModel(await catalog.read(target.tenantId), target)
    const known = model.generations[address.generation]
    // Whoever was at it before got that far.
    if (known !== undefined) return { is: 'over', end: endOf(address.generation, known) }
    const active = activeGeneration(model, target.versionId)
    if (active !== null && (await hasContent(store, target, active, merged.contentHash))) {
      const catalogRevision = await confirmContent(services, target, active.generation)
      // It was rolled back from, or another one activated, between the two looks.
      if (catalogRevision === null) return decide(services, request, run, publication, merged)
      const described = reportOf(active.generation, active.entry, counts)
      return { is: 'settled', report: { ...described, outcome: 'unchanged', catalogRevision } }
    }
    const standing = await standingGeneration(store, target, model, merged.contentHash)
    candidate = standing ?? (await verified(services, request, run, publication, merged, suppressed))
  } catch (error) {
    await publication.abandon(error as Error)
    throw error
  }
  return { is: 'settled', report: await settleGeneration(services, request, counts, candidate) }
}

/**
 * Seals the buckets, then reads every row again: what another attempt at a shard wrote, or two shards with one row key, no
 * count tells of; and nobody can add anything after the seal.
 */
async function verified(
  { store }: PublishServices,
  { onProgress, by, target }: PublishRequest,
  { address, manifest }: LiveRun,
  publication: RunPublication,
  merged: MergedReports,
  suppressed: SuppressedRows,
): Promise<Candidate> {
  const { buckets, token } = manifest
  const { sealedToken, expectedRows } = manifest.run!
  const { rows, bytes, contentHash, recordRevision, statistics, source, counts } = merged
  checkExpectedRows(rows, buckets, expectedRows)
  await sealAll(store, publication, { from: token, to: sealedToken })
  const table = { buckets, token: sealedToken, rows, contentHash }
  const erased = createErasedRows(store, address, suppressed)
  const check = await rereadTable(
    store,
    address,
    table,
    (done, total) => onProgress({ phase: 'verifying', done, total }),
    erased.look,
  )
  if (!check.isSound) throw damaged(check, rows)
  const measured = await measuredMemory(store, address, buckets)
  const reported: PackedGeneration = {
    version: target.versionId,
    token: sealedToken,
    contentHash,
    rows,
    bytes,
    memoryBytes: measured ?? estimateMemory(rows, bytes, buckets, counts.longRows),
    buckets,
    recordRevision,
    by,
    source,
    statistics,
  }
  const entry = { ...reported, ...(await erased.takeOut(reported)) }
  await publication.beat({ state: 'loaded', memoryBytes: entry.memoryBytes })
  return {
    address,
    entry,
    publication,
    warnings: expectationWarnings(rows, buckets, expectedRows),
    leaveOutErased: erased.takeOutLater,
  }
}

async function sealAll(
  store: TableStore,
  { address, manifest, beat }: RunPublication,
  tokens: { readonly from: string; readonly to: string },
): Promise<void> {
  for (const { first, count } of tripsOf(manifest.buckets)) {
    const [isSealed] = await Promise.all([store.sealBuckets(address, tokens, first, count), beat()])
    if (!isSealed)
      throw new OperationError(
        'the new generation is damaged: buckets that were made are not there; nothing was activated. ' +
          'Is Redis full, or evicting?',
      )
  }
}

function damaged({ rows, damagedBuckets, misplacedRows }: TableCheck, reported: number): OperationError {
  const retry = 'load all shards again, as a run of another name'
  const twice = 'a publish of all files by one process names each of them'
  if (damagedBuckets > 0 || misplacedRows > 0)
    return new OperationError(
      `the new generation is damaged: ${damagedBuckets} buckets are missing; nothing was activated. ` +
        `Is Redis full, or evicting? Then ${retry}`,
    )
  if (rows < reported)
    return new OperationError(
      `shards share row keys: they have ${reported} rows, of which ${rows} are there, so that ${reported - rows} stand in ` +
        `more than one shard; each row key may stand once. Nothing was activated; ${twice}`,
    )
  if (rows > reported)
    return new OperationError(
      `${rows - reported} rows are there that no shard has reported (${rows} instead of ${reported}): a process that died ` +
        `had read other rows than the one that took its place. Nothing was activated; ${retry}`,
    )
  return new OperationError(
    `${reported} rows are there, but not those that were reported: shards share row keys (${twice}), or a process that ` +
      `died had read other rows than the one that took its place. Nothing was activated; ${retry}`,
  )
}

/** A wrong guess costs memory, and nothing else. */
function expectationWarnings(rows: number, buckets: number, expectedRows: number): readonly string[] {
  const each = rows / buckets
  const begin = `${rows} rows came instead of the ${expectedRows} of --expected-rows: ${each.toFixed(0)} a bucket instead of ${limits.rowsPerBucket}`
  if (each > limits.rowsPerBucketCompactMax)
    return [
      `${begin}. A bucket of more than 128 rows (512 on Redis 7.0) costs Redis about 93 bytes a row instead of 39`,
    ]
  if (buckets > 1 && each < limits.rowsPerBucket / 2)
    return [`${begin}. Redis needs some 180 bytes more for each bucket`]
  return []
}
