/**
 * Makes test/golden/clients.json: what every generated client must read, made by the codec.
 *
 *     node test/support/golden-clients/clients.ts
 *
 * An entry that stands in the file stays as it is for ever, because clients of other releases read those bytes: this
 * only adds what is new, behind them, and fails where the codec would have it otherwise.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { type EntryGiven, entryOf, type GoldenEntry } from './entry.ts'
import { inheritedEntries, nameEntries } from './names.ts'
import { nestedEntries } from './nested.ts'
import { numberEntries } from './numbers.ts'
import { revisionEntries } from './revisions.ts'
import { textEntries } from './texts.ts'

const file = fileURLToPath(new URL('../../golden/clients.json', import.meta.url))

/** In the order in which they came: new ones stand last. */
const given: readonly EntryGiven[] = [
  ...numberEntries,
  ...textEntries,
  ...nestedEntries,
  ...revisionEntries,
  ...nameEntries,
  ...inheritedEntries,
]

/** As the codec has them today. */
export function madeEntries(): GoldenEntry[] {
  return given.map((entry, index) => entryOf(entry, index))
}

/** As they stand in the file. */
export function goldenEntries(): GoldenEntry[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { entries: GoldenEntry[] }).entries
}

/** One line a body; ASCII alone, so that no editor and no eye passes over a character. */
function textOf(entries: readonly GoldenEntry[]): string {
  const about =
    'Pinned: every generated client reads these bytes so. Made by test/support/golden-clients/clients.ts, which adds entries and changes none.'
  const blocks = entries.map(({ bodies, ...head }) => {
    const lines = bodies.map((body) => `      ${JSON.stringify(body)}`).join(',\n')
    return `    ${JSON.stringify(head).slice(0, -1)},"bodies":[\n${lines}\n    ]}`
  })
  const text = `{\n  "about": ${JSON.stringify(about)},\n  "entries": [\n${blocks.join(',\n')}\n  ]\n}\n`
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function main(): void {
  const made = madeEntries()
  const kept = goldenEntries()
  for (const entry of kept) {
    const now = made.find(({ name }) => name === entry.name)
    if (now !== undefined && isDeepStrictEqual(JSON.parse(JSON.stringify(now)), entry)) continue
    process.stderr.write(`${file}: "${entry.name}" would change; what clients read once stays as it is\n`)
    process.exitCode = 1
    return
  }
  const names = new Set(kept.map(({ name }) => name))
  const added = made.filter(({ name }) => !names.has(name))
  writeFileSync(file, textOf([...kept, ...added]))
  process.stderr.write(`${added.length} entries added to ${kept.length}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
