import type { Manifest, RunEnd } from '../manifest.ts'
import type { GenerationAddress, LeaseStore, PublishTarget } from '../ports.ts'
import type { PublishServices } from '../publish-request.ts'
import { busyVersion } from './busy-version.ts'
import { concludeRun, endOf, knownEnd, nameOf } from './run-end.ts'
import { addressIn, isRunOf, parseRunHold, type RunHold, versionLease } from './run-hold.ts'
import type { Shard } from './shard.ts'

/** A run that can be joined: its buckets are there, and bear its token. */
export interface LiveRun {
  readonly address: GenerationAddress
  readonly hold: RunHold
  /** The hold as it stands in the version's lease. */
  readonly text: string
  readonly manifest: Manifest
}

export type FoundRun =
  | { readonly is: 'none' }
  /** Whoever began it makes its buckets. */
  | { readonly is: 'prepared' }
  | { readonly is: 'live'; readonly run: LiveRun }
  | { readonly is: 'over'; readonly end: RunEnd }

/**
 * The run that a shard belongs to, as it stands. Throws OperationError where the version is published by somebody else.
 */
export async function findRun(
  services: Pick<PublishServices, 'store' | 'leases' | 'catalog'>,
  target: PublishTarget,
  shard: Shard,
): Promise<FoundRun> {
  const { store, leases, catalog } = services
  const text = await leases.holder(versionLease(target))
  if (text === null) {
    const end = shard.runId === null ? null : await knownEnd(leases, target, shard.runId)
    return end === null ? { is: 'none' } : { is: 'over', end }
  }
  const hold = parseRunHold(text)
  if (hold === null || !isRunOf(hold, shard)) throw await busyVersion(leases, target, text)
  if (hold.generation === null) return { is: 'prepared' }
  const address = addressIn(target, hold.generation)
  const manifest = await store.manifest(address)
  // The manifest first: it leaves only after the catalog knows how the run ended, or its note does.
  const { state } = await catalog.read(target.tenantId)
  const entry = state.models[target.modelId]?.generations[hold.generation]
  const isLive = manifest?.state === 'loading' || manifest?.state === 'loaded'
  if (isLive && manifest.token === hold.token && entry === undefined)
    return { is: 'live', run: { address, hold, text, manifest } }
  const end =
    entry !== undefined
      ? endOf(hold.generation, entry)
      : (manifest?.run?.end ?? (await endWithoutTrace(leases, target, hold)))
  // Whoever should have done so may have died before.
  if (entry !== undefined && manifest !== null) await store.removeManifest(address)
  await concludeRun(leases, target, { hold, text }, end)
  return { is: 'over', end }
}

/** What is known of a run that left neither a manifest nor a generation that the catalog knows. */
export async function endWithoutTrace(
  leases: LeaseStore,
  target: PublishTarget,
  hold: RunHold,
): Promise<RunEnd> {
  const end = await knownEnd(leases, target, nameOf(hold))
  if (end !== null) return end
  const problem = 'its manifest is gone: Redis may have lost its data'
  return { outcome: 'failed', generation: hold.generation!, problem }
}
