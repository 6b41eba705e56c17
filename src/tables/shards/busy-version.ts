import { OperationError } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { describeHolder } from '../hold-lease.ts'
import type { LeaseStore, PublishTarget } from '../ports.ts'
import { addressIn, parseRunHold } from './run-hold.ts'
import { listed } from './shard.ts'
import { missingShards, readShards } from './shard-state.ts'

/** Says who publishes the version already, and, where several processes do, how far they are. */
export async function busyVersion(
  leases: LeaseStore,
  target: PublishTarget,
  text: string,
): Promise<OperationError> {
  const begin = `${target.modelId}/${target.versionId} is being published already`
  const hold = parseRunHold(text)
  if (hold === null)
    return new OperationError(
      `${begin} (by ${describeHolder(text)}); nothing was read. ` +
        `If that publish has died, its hold lapses after ${limits.leaseMs / 1000} s`,
    )
  const { run, since, generation } = hold
  const name = run.id === null ? 'a run without a name' : `the run ${run.id}`
  const states =
    generation === null ? [] : await readShards(leases, addressIn(target, generation), run.shards)
  const missing = generation === null ? null : missingShards(states)
  const progress =
    missing === null
      ? 'which is being prepared'
      : `of whose shards ${missing.length} are missing: ${listed(missing) || 'none'}`
  return new OperationError(
    `${begin} by ${name}, of ${run.shards} shards and ${run.expectedRows} expected rows (by ${hold.by}, since ${since}), ` +
      `${progress}; nothing was read. If that run has died, its hold lapses ${limits.runLeaseMs / 60_000} minutes after ` +
      'the last of its shards was heard of',
  )
}
