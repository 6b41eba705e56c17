import type { Logger } from 'pino'
import { composeHashSource } from '../compose.ts'
import { type Settings, settingsSchema } from '../settings/schema.ts'
import { type OpenInputsOptions, openRows } from '../sources/duckdb-source.ts'
import { keyPartOf, type LeftOutKeys, openHashes } from '../sources/redis-hashes.ts'
import { type InputKind, inputKinds, openStream } from '../sources/standard-input.ts'
import type { RowSource } from '../tables/ports.ts'
import { note } from './output.ts'
import { UsageError } from './usage-error.ts'

/** Options of `recgate publish` that say where its rows come from. */
export interface SourceOptions {
  readonly sql: string | undefined
  /** What standard input holds. */
  readonly format: string | undefined
  readonly allowUnfinished: boolean
  /** A pattern of keys. */
  readonly fromRedisHashes: string | undefined
  readonly redisSource: string | undefined
  readonly keyColumn: string | undefined
}

export type OpenSource = (options: OpenInputsOptions) => Promise<RowSource>

export interface PublishSource {
  /** Where the rows come from, for the history. */
  readonly names: readonly string[]
  readonly open: OpenSource
}

/** Which source is meant; nothing is opened yet. Throws UsageError for options that can't be meant together. */
export function publishSource(
  settings: Settings,
  args: readonly string[],
  options: SourceOptions,
  log: Logger,
): PublishSource {
  const { fromRedisHashes: pattern, format } = options
  if (format !== undefined && !args.includes('-'))
    throw new UsageError('--format says what standard input holds; files tell it by their names')
  if (pattern !== undefined) {
    if (args.length > 0)
      throw new UsageError('--from-redis-hashes takes the place of files; publish them one after the other')
    return hashes(settings, pattern, options, log)
  }
  for (const [option, value] of Object.entries({
    '--redis-source': options.redisSource,
    '--key-column': options.keyColumn,
  }))
    if (value !== undefined) throw new UsageError(`${option} is for --from-redis-hashes, and not for files`)
  if (args.includes('-')) return standardInput(args, format)
  if (args.length === 0)
    throw new UsageError('name a file, a directory, a pattern or -, or say --from-redis-hashes PATTERN')
  return { names: args, open: (how) => openRows(args, { ...how, allowUnfinished: options.allowUnfinished }) }
}

function standardInput(args: readonly string[], format: string | undefined): PublishSource {
  if (args.length > 1) throw new UsageError('- stands alone: standard input is read without other files')
  if (!isInputKind(format))
    throw new UsageError(
      format === undefined
        ? `-: say what standard input holds, as --format ${inputKinds.join('|')}`
        : `--format ${format}: is not known; it must be one of ${inputKinds.join(', ')}`,
    )
  if (process.stdin.isTTY)
    throw new UsageError(
      `-: standard input is a terminal; send rows to it, e.g. zcat rows.${format}.gz | recgate publish - --format ${format} …`,
    )
  return { names: ['standard input'], open: (how) => openStream(process.stdin, format, how) }
}

function isInputKind(text: string | undefined): text is InputKind {
  return (inputKinds as readonly (string | undefined)[]).includes(text)
}

function hashes(
  settings: Settings,
  pattern: string,
  { redisSource, keyColumn = 'key' }: SourceOptions,
  log: Logger,
): PublishSource {
  const redis = redisSource === undefined ? settings.redis : redisSettings(redisSource)
  const keyPart = keyPartOf(pattern)
  if (keyPart === null)
    throw new UsageError(
      `--from-redis-hashes ${pattern}: the pattern has no *, ? or [; it must have one for what tells the rows apart, e.g. player:*`,
    )
  // Without user and password.
  const name = `hashes ${pattern} of ${redis.url.replace(/^.*(?:@|:\/\/)/, '').replace(/\/0?$/, '')}`
  return {
    names: [name],
    async open(how) {
      const hashSource = await composeHashSource(redis, log)
      try {
        const { source, leftOut } = await openHashes(hashSource, { name, pattern, keyPart, keyColumn }, how)
        tellLeftOut(leftOut)
        return source
      } finally {
        hashSource.close()
      }
    },
  }
}

function redisSettings(url: string): Settings['redis'] {
  const parsed = settingsSchema.shape.redis.safeParse({ url })
  if (!parsed.success)
    throw new UsageError(`--redis-source: ${parsed.error.issues.map(({ message }) => message).join('; ')}`)
  return parsed.data
}

function tellLeftOut({ count, shown }: LeftOutKeys): void {
  for (const key of shown) note(`left out: ${key} is no hash`)
  if (count > shown.length) note(`left out: … and ${count - shown.length} more`)
}
