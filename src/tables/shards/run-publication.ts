import { OperationError } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import type { Manifest, RunEnd } from '../manifest.ts'
import type { PublishTarget } from '../ports.ts'
import { type Publication, takeAway } from '../publication.ts'
import type { PublishServices } from '../publish-request.ts'
import type { LiveRun } from './find-run.ts'
import { lost } from './load-shard.ts'
import { concludeRun } from './run-end.ts'
import { versionLease } from './run-hold.ts'

/** The end of a run in the hands of one process: whoever takes it over next ends it for the one before. */
export interface RunPublication extends Publication {
  /** It won't become active, and this is what came of it. Never fails. */
  discard(end: RunEnd): Promise<void>
  close(): void
}

/** Null: the run has ended, or is another process's by now. */
export async function takeOver(
  { store, leases, now }: PublishServices,
  target: PublishTarget,
  live: LiveRun,
): Promise<RunPublication | null> {
  const { address, hold, text } = live
  const run = live.manifest.run!
  let manifest: Manifest = {
    ...live.manifest,
    run: { ...run, finishers: run.finishers + 1 },
    heartbeatAt: now().toISOString(),
  }
  if (!(await store.replaceManifest(address, live.manifest, manifest))) return null

  async function beat(change: Parameters<Publication['beat']>[0] = {}): Promise<void> {
    const from = manifest
    // At once: what is sent after this compares with it.
    manifest = { ...from, ...change, heartbeatAt: now().toISOString() }
    const [isOwn, isHeld] = await Promise.all([
      store.replaceManifest(address, from, manifest),
      leases.replace(versionLease(target), text, text, limits.runLeaseMs),
    ])
    if (!isOwn || !isHeld) throw lost(live)
  }

  async function discard(end: RunEnd): Promise<void> {
    const from = manifest
    const problem = end.problem ?? end.outcome
    manifest = { ...from, state: 'failed', problem, run: { ...from.run!, end } }
    try {
      if (!(await store.replaceManifest(address, from, manifest))) return
    } catch {
      return
    }
    await concludeRun(leases, target, { hold, text }, end)
    // A process that was at it before may have been stopped right before its catalog change, which nothing here can
    // see: a collector changes the catalog first.
    if (manifest.run!.finishers === 1) await takeAway(store, address, manifest, new Error(problem))
  }

  // An error here is the next beat's, too, which tells of it.
  const timer = setInterval(() => void beat().catch(() => undefined), limits.leaseRenewMs)
  timer.unref()
  return {
    address,
    get manifest() {
      return manifest
    },
    beat,
    discard,
    async abandon(reason) {
      clearInterval(timer)
      // After a broken connection a retry of any shard goes on; a refusal is certain.
      if (!(reason instanceof OperationError)) return
      await discard({ outcome: 'failed', generation: address.generation, problem: reason.message })
    },
    close: () => clearInterval(timer),
  }
}
