import { z } from 'zod'
import { statisticsSums } from '../merge-statistics.ts'
import type { GenerationAddress, LeaseStore } from '../ports.ts'

/** What a process found in its part of a table, and wrote. */
const shardReport = z.strictObject({
  rows: z.int(),
  /** Row keys and packed records. */
  bytes: z.int(),
  /** Of a sum over rows, so that those of all shards add up. */
  contentHash: z.string(),
  sums: statisticsSums,
  recordRevision: z.int(),
  rowsRead: z.int(),
  badRows: z.int(),
  badRowsShown: z.array(
    z.strictObject({ file: z.string(), row: z.int(), field: z.string(), problem: z.string() }),
  ),
  longRows: z.int(),
  source: z.array(z.string()),
})

export type ShardReport = z.infer<typeof shardReport>

/** Who loads a shard, and what came of it once it is loaded: a lease first, whose text is the report from then on. */
const shardState = z.object({ by: z.string(), since: z.string(), report: shardReport.nullish() })

export interface ShardState {
  readonly text: string
  readonly by: string
  readonly since: string
  /** Null: it is being loaded. */
  readonly report: ShardReport | null
}

/** Of all shards in their order; null: nobody is at it, nor was to its end. */
export async function readShards(
  leases: LeaseStore,
  address: GenerationAddress,
  shards: number,
): Promise<readonly (ShardState | null)[]> {
  return Promise.all(Array.from({ length: shards }, (_, shard) => readShard(leases, address, shard)))
}

export async function readShard(
  leases: LeaseStore,
  address: GenerationAddress,
  shard: number,
): Promise<ShardState | null> {
  const text = await leases.holder({ lease: 'shard', ...address, shard })
  return text === null ? null : parseShard(text)
}

/** What nobody could have written counts as a claim of somebody: hands can reach the store. */
export function parseShard(text: string): ShardState {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  const parsed = shardState.safeParse(value)
  if (!parsed.success) return { text, by: 'somebody', since: 'an unknown time', report: null }
  const { by, since, report } = parsed.data
  return { text, by, since, report: report ?? null }
}

export function missingShards(states: readonly (ShardState | null)[]): readonly number[] {
  return states.flatMap((state, shard) => (state?.report == null ? [shard] : []))
}

/** Nobody needs to know any more; what is being claimed lapses by itself. */
export async function forgetShards(
  leases: LeaseStore,
  address: GenerationAddress,
  shards: number,
): Promise<void> {
  const states = await readShards(leases, address, shards)
  await Promise.all(
    states.map((state, shard) =>
      state === null ? null : leases.release({ lease: 'shard', ...address, shard }, state.text),
    ),
  )
}
