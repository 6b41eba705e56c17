import { z } from 'zod'
import { limits } from '../../domain/limits.ts'
import type { GenerationState } from '../../domain/tenant-state.ts'
import { type RunEnd, runEnd } from '../manifest.ts'
import type { LeaseName, LeaseStore, PublishTarget } from '../ports.ts'
import { type RunHold, versionLease } from './run-hold.ts'
import { forgetShards } from './shard-state.ts'

/**
 * How a run ended, kept under its name for a day: a process that tries again after the end, as Kubernetes' and Spark's
 * do, must hear of it, and not begin a run of its own that nobody else joins.
 */
const runNote = z.union([runEnd, runEnd.extend({ outcome: z.literal('begun') })])

type RunNote = z.infer<typeof runNote>

/** Under which name a run's end stands: a run without one goes by its token, which those who are in it know. */
export function nameOf({ run, token }: RunHold): string {
  return run.id ?? token
}

/** Null: nothing is known of a run of that name. Of one whose hold stands, what it says isn't final. */
export async function knownEnd(
  leases: LeaseStore,
  target: PublishTarget,
  name: string,
): Promise<RunEnd | null> {
  const text = await leases.holder(noteName(target, name))
  const note = text === null ? null : parseNote(text)
  if (note === null) return null
  if (note.outcome !== 'begun') return note
  return {
    outcome: 'failed',
    generation: note.generation,
    problem: `nothing was heard of it for ${limits.runLeaseMs / 60_000} minutes, and it was given up`,
  }
}

/** As the catalog has it. */
export function endOf(generation: number, { state, findings }: GenerationState): RunEnd {
  if (state === 'active' || state === 'previous' || state === 'quarantined')
    return { outcome: 'activated', generation, problem: null }
  if (state !== 'loaded') return { outcome: 'failed', generation, problem: 'it was given up, and collected' }
  const gates = findings.map(({ gate }) => gate).join(', ')
  return { outcome: 'refused', generation, problem: gates || 'its content was rolled back from' }
}

export async function noteBegin(leases: LeaseStore, target: PublishTarget, hold: RunHold): Promise<void> {
  await write(leases, target, hold, { outcome: 'begun', generation: hold.generation!, problem: null })
}

/** The version is free again. Best effort, since the outcome stands: what stays behind lapses. */
export async function concludeRun(
  leases: LeaseStore,
  target: PublishTarget,
  { hold, text }: { readonly hold: RunHold; readonly text: string },
  end: RunEnd,
): Promise<void> {
  const { tenantId, modelId } = target
  try {
    await write(leases, target, hold, end)
    await forgetShards(leases, { tenantId, modelId, generation: hold.generation! }, hold.run.shards)
    await leases.release(versionLease(target), text)
  } catch {
    // A connection that broke; whoever tries again finds the run over, and does the same.
  }
}

async function write(leases: LeaseStore, target: PublishTarget, hold: RunHold, note: RunNote): Promise<void> {
  const name = noteName(target, nameOf(hold))
  const text = JSON.stringify(note)
  for (;;) {
    const other = await leases.take(name, text, limits.runKnownMs)
    if (other === null || (await leases.replace(name, other, text, limits.runKnownMs))) return
  }
}

function noteName({ tenantId, modelId, versionId }: PublishTarget, runId: string): LeaseName {
  return { lease: 'run', tenantId, modelId, versionId, runId }
}

function parseNote(text: string): RunNote | null {
  try {
    return runNote.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
