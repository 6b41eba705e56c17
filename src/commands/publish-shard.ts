import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import { describeBadRow } from '../tables/pack-rows.ts'
import type { PublishReport } from '../tables/publish-report.ts'
import type { ShardOutcome } from '../tables/shards/publish-shard.ts'
import { listed, type Shard } from '../tables/shards/shard.ts'
import { note, print, printJson } from './output.ts'
import { UsageError } from './usage-error.ts'

/** Options of `recgate publish` for one of several processes that publish one table. */
export interface ShardOptions {
  /** `I/N`, I from 0. */
  readonly shard: string | undefined
  readonly expectedRows: number | undefined
  readonly run: string | undefined
}

/** Null: this process publishes the whole table. Throws UsageError for options that can't be meant together. */
export function shardOf({ shard, expectedRows, run }: ShardOptions): Shard | null {
  if (shard === undefined) {
    const given = expectedRows !== undefined ? '--expected-rows' : run !== undefined ? '--run' : null
    if (given === null) return null
    throw new UsageError(
      `${given} goes with --shard I/N, which says what part of the table this process loads`,
    )
  }
  const [, first, second] = /^([0-9]{1,9})\/([0-9]{1,9})$/.exec(shard) ?? []
  if (first === undefined || second === undefined)
    throw new UsageError(`--shard ${shard}: it must be I/N, such as 0/8 for the first of eight`)
  const [index, count] = [Number(first), Number(second)]
  if (count < 1 || count > limits.shardsMax)
    throw new UsageError(`--shard ${shard}: there may be 1 to ${limits.shardsMax} shards`)
  if (index >= count)
    throw new UsageError(
      `--shard ${shard}: shards are counted from 0; of ${count} they are 0 to ${count - 1}`,
    )
  if (expectedRows === undefined || expectedRows < 1)
    throw new UsageError(
      '--shard needs --expected-rows R: about how many rows all shards have together, the same for each, 1 or more',
    )
  if (run !== undefined && (run === '' || Buffer.byteLength(run) > limits.runIdBytesMax))
    throw new UsageError(`--run: a run's name has 1 to ${limits.runIdBytesMax} bytes of UTF-8`)
  return { index, count, expectedRows, runId: run ?? null }
}

/** What a process that wasn't the last one, or came too late, has to tell. */
type PartOutcome = Exclude<ShardOutcome, { readonly isLast: true }>

/** False: the whole table's report, as of one process that published it. */
export function isPart(outcome: PublishReport | ShardOutcome): outcome is PartOutcome {
  return 'isOver' in outcome || outcome.outcome === 'loaded'
}

interface PublishedPart {
  readonly shard: string | undefined
  readonly model: string
  readonly version: string
  readonly json: boolean
  readonly seconds: number
}

/** Throws OperationError where the run has ended, and the table isn't served. */
export function tellShard(outcome: PartOutcome, to: PublishedPart): void {
  const name = `shard ${to.shard}`
  if (to.json) printJson({ ...flat(outcome), shard: to.shard, seconds: to.seconds })
  if ('isOver' in outcome) {
    const { generation, problem } = outcome
    const what = `generation ${generation} of ${to.model}/${to.version}`
    if (problem !== null)
      throw new OperationError(
        outcome.outcome === 'refused'
          ? `${name}: its run has ended: ${what} is loaded and not active: ${problem}`
          : `${name}: its run, with ${what}, has ended, and nothing was activated: ${problem}. ` +
              'Load all shards again, under another --run',
      )
    if (!to.json) print(`${name}: its run has ended already: ${what} is ${ends[outcome.outcome]}`)
    return
  }
  const { generation, missing, isRepeated, rows, counts, warnings } = outcome
  for (const warning of warnings) note(`warning: ${warning}`)
  if (to.json) return
  for (const badRow of counts.badRowsShown) note(`left out: ${describeBadRow(badRow)}`)
  if (counts.badRows > counts.badRowsShown.length)
    note(`left out: … and ${counts.badRows - counts.badRowsShown.length} more`)
  print(
    `${name} of generation ${generation} of ${to.model}/${to.version} ${isRepeated ? 'was loaded already' : 'loaded'}: ` +
      `${rows} rows, ${to.seconds.toFixed(1)} s; ${missing.length} shards missing: ${listed(missing)}`,
  )
}

const ends = {
  activated: 'active, or was',
  unchanged: 'what is active: all shards together have the same content',
  refused: 'loaded',
  failed: 'gone',
} as const

function flat(outcome: PartOutcome): object {
  if ('isOver' in outcome) return outcome
  const { counts, ...rest } = outcome
  return { ...rest, ...counts }
}
