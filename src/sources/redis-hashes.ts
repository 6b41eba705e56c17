import { open } from 'node:fs/promises'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { HashPage, HashSource, KeyedHash, RowSource } from '../tables/ports.ts'
import type { OpenInputsOptions } from './duckdb-source.ts'
import type { SpooledHashes } from './format.ts'
import { createSeenKeys } from './seen-keys.ts'
import { openSpooled, spoolError } from './spool.ts'

export interface HashesRequest {
  /** What errors and reports call them. */
  readonly name: string
  /** As Redis' SCAN takes it, e.g. `player:*`. */
  readonly pattern: string
  /** What of a key tells the rows apart; `keyPartOf` the pattern. */
  readonly keyPart: (key: string) => string
  /** The column that holds it. */
  readonly keyColumn: string
}

/** Keys that matched and were no hashes. */
export interface LeftOutKeys {
  readonly count: number
  /** The first of them. */
  readonly shown: readonly string[]
}

/**
 * Opens hashes as rows: `player:1` with the fields `game_1` and `game_2` becomes a row of `key`, `game_1`, `game_2`,
 * all of them text; a field that a hash lacks is null.
 * @throws OperationError when nothing matches, or the hashes can't be rows.
 */
export async function openHashes(
  source: HashSource,
  { name, pattern, keyPart, keyColumn }: HashesRequest,
  options: OpenInputsOptions,
): Promise<{ readonly source: RowSource; readonly leftOut: LeftOutKeys }> {
  const rows = createRows(name, keyColumn, keyPart)
  const leftOut = { count: 0, shown: [] as string[] }
  const opened = await openSpooled(async (path) => {
    const file = await open(path, 'wx', 0o600)
    try {
      for await (const page of source.pages(pattern)) {
        collect(leftOut, page.otherKeys)
        await file.write(rows.linesOf(page))
      }
    } catch (cause) {
      throw cause instanceof OperationError ? cause : spoolError(name, cause)
    } finally {
      await file.close()
    }
    if (rows.count === 0) throw nothingFound(name, leftOut)
    return { name, path, format: rows.format(), mayBeEmpty: false }
  }, options)
  return { source: opened, leftOut }
}

/**
 * What a key has between the pattern's fixed beginning and its fixed end: `123` of `player:123:recs` for
 * `player:*:recs`. Null for a pattern without a wildcard.
 */
export function keyPartOf(pattern: string): ((key: string) => string) | null {
  const [, beginning = '', wild = '', end = ''] =
    /^((?:\\.|[^*?[\\])*)(.*?)((?:\\.|[^*?\]\\])*)$/s.exec(pattern) ?? []
  if (wild === '') return null
  const plain = (text: string) => text.replace(/\\(.)/gs, '$1').length
  const [start, rest] = [plain(beginning), plain(end)]
  return (key) => key.slice(start, key.length - rest)
}

const own = { ordinal: 'recgate: line', suspect: 'recgate: suspect' } as const

/** Turns pages into lines, and gathers the columns. */
function createRows(name: string, keyColumn: string, keyPart: (key: string) => string) {
  const known = new Map<string, string>([
    [keyColumn.toLowerCase(), keyColumn],
    [own.ordinal, own.ordinal],
    [own.suspect, own.suspect],
  ])
  const seenKeys = createSeenKeys()
  let count = 0
  let hasSuspects = false

  const added = new Set<string>([keyColumn, own.ordinal, own.suspect])

  function learn(field: string, key: string): void {
    const folded = field.toLowerCase()
    const same = known.get(folded)
    if (same === field && !added.has(field)) return
    if (folded === keyColumn.toLowerCase())
      throw new OperationError(
        `${name}: the hash ${key} has a field "${field}", as the column is called that gets the key; give that another name with --key-column`,
      )
    if (same !== undefined)
      throw new OperationError(
        `${name}: the hash ${key} has a field "${field}" beside "${same}"; columns must differ in more than upper and lower case`,
      )
    if (known.size > limits.hashFieldsMax)
      throw new OperationError(
        `${name}: the hashes have more than ${limits.hashFieldsMax} different fields, the last of them "${field}" of ${key}; ` +
          `rows have the same ones`,
      )
    known.set(folded, field)
  }

  function lineOf({ key, fields }: KeyedHash): string {
    const line: Record<string, string | number | boolean> = Object.create(null)
    line[keyColumn] = keyPart(key)
    for (const [field, value] of fields) {
      learn(field, key)
      line[field] = value
    }
    line[own.ordinal] = count
    count++
    if (seenKeys.mayHave(key)) hasSuspects = line[own.suspect] = true
    return `${JSON.stringify(line)}\n`
  }

  return {
    get count() {
      return count
    },
    linesOf: ({ hashes }: HashPage) => hashes.map(lineOf).join(''),
    format: (): SpooledHashes => ({
      kind: 'spooled-hashes',
      columns: [keyColumn, ...[...known.values()].filter((column) => !added.has(column)).sort()],
      ordinalColumn: own.ordinal,
      suspectColumn: own.suspect,
      hasSuspects,
      compression: 'uncompressed',
    }),
  }
}

function collect(leftOut: { count: number; shown: string[] }, keys: readonly string[]): void {
  leftOut.count += keys.length
  leftOut.shown.push(...keys.slice(0, limits.leftOutShownMax - leftOut.shown.length))
}

function nothingFound(name: string, { count, shown }: LeftOutKeys): OperationError {
  return new OperationError(
    count === 0
      ? `${name}: no key matches`
      : `${name}: ${count} keys match, and none of them is a hash: ${shown.join(', ')}${count > shown.length ? ', …' : ''}`,
  )
}
