import { setTimeout as pause } from 'node:timers/promises'
import { limits } from '../domain/limits.ts'
import type { GenerationAddress, TableStore } from './ports.ts'
import { tripsOf } from './verify.ts'

/**
 * Takes all buckets of a generation away, at most `limits.bucketsPerTrip` at a time with a pause between: Redis frees a
 * listpack in the thread that answers readers. Also of a generation that is only partly there.
 *
 * @param onTrip throwing ends it
 */
export async function removeTable(
  store: TableStore,
  address: GenerationAddress,
  buckets: number,
  onTrip: () => Promise<void> = async () => undefined,
): Promise<void> {
  for (const { first, count } of tripsOf(buckets)) {
    if (first > 0) await pause(limits.unlinkPauseMs)
    await onTrip()
    await store.removeBuckets(address, first, count)
  }
}
