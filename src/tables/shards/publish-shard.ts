import { setTimeout as pause } from 'node:timers/promises'
import { limits } from '../../domain/limits.ts'
import { holdLease } from '../hold-lease.ts'
import type { RunEnd } from '../manifest.ts'
import { type PackedRows, packRows, type RowCounts } from '../pack-rows.ts'
import type { PublishReport } from '../publish-report.ts'
import type { PublishRequest, PublishServices } from '../publish-request.ts'
import { beginRun } from './begin-run.ts'
import { findRun, type LiveRun } from './find-run.ts'
import { finishRun } from './finish-run.ts'
import { loadShard } from './load-shard.ts'
import { knownEnd } from './run-end.ts'
import { type RunHold, versionLease } from './run-hold.ts'
import type { Shard } from './shard.ts'
import { readShard } from './shard-state.ts'

/** What a process that loads one shard brought about. */
export type ShardOutcome =
  | {
      readonly outcome: 'loaded'
      readonly generation: number
      /** Shards that nobody has loaded yet. */
      readonly missing: readonly number[]
      /** It was loaded before, and nothing was read. */
      readonly isRepeated: boolean
      readonly rows: number
      readonly counts: RowCounts
      readonly warnings: readonly string[]
    }
  /** It was the last one: what came of all of them. */
  | (PublishReport & { readonly isLast: true })
  /** The run had ended already. */
  | (RunEnd & { readonly isOver: true })

/**
 * Loads one shard of a generation that several processes load, the first of which begins it; the last to be done verifies
 * and activates. Repeating it does no harm: a shard that is loaded stays so. Throws OperationError where somebody else
 * publishes the version, and where the shard, or all together, can't be published.
 */
export async function publishShard(
  services: PublishServices,
  request: PublishRequest,
  shard: Shard,
): Promise<ShardOutcome> {
  const { target, source, onProgress } = request
  const early = await findRun(services, target, shard)
  if (early.is === 'over') return { ...early.end, isOver: true }
  if (early.is === 'live') {
    const state = await readShard(services.leases, early.run.address, shard.index)
    if (state?.report != null) return finish(services, request, early.run, shard, { isRepeated: true })
  }
  const packed = await packRows(source, target, {
    badRowsMax: request.badRowsMax,
    mayBeEmpty: true,
    onProgress: (done) => onProgress({ phase: 'reading', done, total: source.rowsExpected }),
  })
  try {
    // What it holds is needed no more, and writing needs memory of its own.
    await source.close()
    const joined = await joinRun(services, request, shard, packed)
    if (joined.is === 'over') return { ...joined.end, isOver: true }
    const { run, warnings } = joined
    const isRepeated = !(await loadShard(services, request, run, shard, packed))
    return await finish(services, request, run, shard, { isRepeated, warnings })
  } finally {
    await packed.partitions.close()
  }
}

async function finish(
  services: PublishServices,
  request: PublishRequest,
  run: LiveRun,
  shard: Shard,
  { isRepeated, warnings = [] }: { readonly isRepeated: boolean; readonly warnings?: readonly string[] },
): Promise<ShardOutcome> {
  const own = await readShard(services.leases, run.address, shard.index)
  const finished = await finishRun(services, request, run, shard)
  if (finished.is === 'settled')
    return { ...finished.report, warnings: [...warnings, ...finished.report.warnings], isLast: true }
  if (finished.is === 'over') return { ...finished.end, isOver: true }
  const { rows, rowsRead, badRows, badRowsShown, longRows } = own?.report ?? nothing
  return {
    outcome: 'loaded',
    generation: run.address.generation,
    missing: finished.missing,
    isRepeated,
    rows,
    counts: { rowsRead, badRows, badRowsShown, longRows },
    warnings,
  }
}

const nothing = { rows: 0, rowsRead: 0, badRows: 0, badRowsShown: [], longRows: 0 }

type Joined =
  | { readonly is: 'live'; readonly run: LiveRun; readonly warnings: readonly string[] }
  | { readonly is: 'over'; readonly end: RunEnd }

/** Joins the run of this name, or begins it: of those that come first, one gets the version's lease. */
async function joinRun(
  services: PublishServices,
  request: PublishRequest,
  shard: Shard,
  packed: PackedRows,
): Promise<Joined> {
  const { leases, newToken, now } = services
  const { target, by } = request
  const { runId, count, expectedRows } = shard
  for (;;) {
    const found = await findRun(services, target, shard)
    if (found.is === 'over') return found
    if (found.is === 'live') return { ...found, warnings: [] }
    // Whoever prepares it holds the lease for as long as it lives.
    if (found.is === 'prepared') {
      await pause(limits.runPollMs)
      continue
    }
    const hold: RunHold = {
      token: newToken(),
      by,
      since: now().toISOString(),
      run: { id: runId, shards: count, expectedRows },
      generation: null,
    }
    const { held } = await holdLease(leases, versionLease(target), hold)
    if (held === null) continue
    try {
      // It may have been begun, and have ended, since it was looked for.
      const end = runId === null ? null : await knownEnd(leases, target, runId)
      if (end !== null) return { is: 'over', end }
      return { is: 'live', ...(await beginRun(services, request, shard, packed, { lease: held, hold })) }
    } finally {
      // Of its own text alone, which doesn't stand there any more once the run is begun.
      await held.release()
    }
  }
}
