import { OperationError } from '../domain/errors.ts'
import type { HeldLease } from './hold-lease.ts'
import type { Manifest } from './manifest.ts'
import type { GenerationAddress, TableStore } from './ports.ts'
import { removeTable } from './remove-table.ts'

/**
 * A generation that is being loaded, by whoever still has its manifest and its version's lease. Both are looked at with
 * every batch: a publisher that was stopped, and whose generation was collected meanwhile, finds out and ends.
 */
export interface Publication {
  readonly address: GenerationAddress
  /** As it was last written. */
  readonly manifest: Manifest
  /** Says that the publisher lives, and what has changed. Throws OperationError where the generation is no longer its own. */
  beat(change?: Partial<Pick<Manifest, 'state' | 'memoryBytes'>>): Promise<void>
  /** It won't become active, for this reason: takes away what was written. Never fails. */
  abandon(reason: Error): Promise<void>
}

export async function beginPublication(
  store: TableStore,
  lease: HeldLease,
  address: GenerationAddress,
  first: Manifest,
  now: () => Date,
): Promise<Publication> {
  let manifest = first
  await store.putManifest(address, manifest)
  return {
    address,
    get manifest() {
      return manifest
    },
    async beat(change = {}) {
      const from = manifest
      // At once: what is sent after this compares with it.
      manifest = { ...from, ...change, heartbeatAt: now().toISOString() }
      const [isOwn] = await Promise.all([store.replaceManifest(address, from, manifest), lease.renew()])
      if (!isOwn) throw lost(address)
    },
    abandon: (reason) => takeAway(store, address, manifest, reason),
  }
}

/** Best effort: where Redis is gone, the manifest stays and tells what is left. */
export async function takeAway(
  store: TableStore,
  address: GenerationAddress,
  manifest: Manifest,
  reason: Error,
): Promise<void> {
  try {
    await removeTable(store, address, manifest.buckets)
    await store.removeManifest(address)
  } catch {
    // The error that led here says more than this one.
    const failed = { ...manifest, state: 'failed' as const, problem: reason.message }
    await store.replaceManifest(address, manifest, failed).catch(() => undefined)
  }
}

function lost({ modelId, generation }: GenerationAddress): OperationError {
  return new OperationError(
    `generation ${generation} of ${modelId} is no longer this publish's own: its manifest was taken or lost, as happens ` +
      'where a publisher stands still for long and its generation is collected, or where Redis loses its data; ' +
      'nothing was activated, publish again',
  )
}
