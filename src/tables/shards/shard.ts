import { limits } from '../../domain/limits.ts'

/** One process' part of a generation that several load together, in a run. */
export interface Shard {
  /** From 0. */
  readonly index: number
  readonly count: number
  /** Of all shards together: how many buckets there are follows from it. */
  readonly expectedRows: number
  /** Tells this run from any other; null: whichever has as many shards and expects as many rows. */
  readonly runId: string | null
}

/** For people; a thousand of them would tell nobody anything. */
export function listed(shards: readonly number[]): string {
  const shown = shards.slice(0, limits.leftOutShownMax).join(', ')
  return shards.length > limits.leftOutShownMax ? `${shown}, …` : shown
}
