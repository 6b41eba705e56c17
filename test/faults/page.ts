import { readFile, writeFile } from 'node:fs/promises'
import type { Outcome, Scenario } from './scenario.ts'

/** Writes docs/reliability.md: the rows that were run now, and those of earlier runs as they were. */

export interface Run {
  readonly scenario: Scenario
  /** Null: it couldn't run here; `reason` says why, or what it threw. */
  readonly outcome: Outcome | null
  readonly reason: string | null
  readonly seconds: number
  readonly date: string
  readonly machine: string
}

/** What the table at the top says of a row; stands in the comment before its section. */
interface Verdict {
  readonly date: string
  readonly result: string
}

const intro = `# Reliability

What recgate does while something else fails. \`npm run faults\` wrote this page: each row is a fault under load, over a real Redis and
gateways in processes of their own; what must hold was set before anything was measured, and a row that isn't reached says so with its
figure. Load is open-loop: requests are due at a rate whatever becomes of those before, and each is timed from when it was due, so that
waiting counts. Every answer is read: its record names its player and its generation.

    npm run faults                        all rows, some 55 minutes; needs redis-server, redis-cli and cpulimit
    npm run faults -- redis-killed soak   some of them; the others stay as they are, each with its own date

\`FAULTS_SOAK_MINUTES\` makes the soak shorter, which the row then says.

Short forms run at every change (\`npm run test:faults\`): they hold counts, statuses and order, and judge no time.
`

export async function writePage(
  file: string,
  runs: readonly Run[],
  order: readonly Scenario[],
): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '')
  const sections = new Map(sectionsOf(before))
  for (const run of runs) sections.set(run.scenario.name, sectionOf(run))
  const known = order.filter(({ name }) => sections.has(name))
  const summary = known.map(({ name, fault }) => {
    const { date, result } = verdictOf(sections.get(name)!)
    return `| [${fault}](#${name}) | ${result} | ${date} |`
  })
  const missing = order
    .filter(({ name }) => !sections.has(name))
    .map(({ fault }) => `| ${fault} | not run yet | |`)
  const table = ['| fault, under load | | run |', '|---|---|---|', ...summary, ...missing].join('\n')
  const body = known.map(({ name }) => sections.get(name)!)
  await writeFile(file, `${[intro, `${table}\n`, ...body].join('\n')}`)
}

/** `null` as a name's verdict can't happen: each section is written with one. */
function sectionsOf(page: string): [string, string][] {
  const sections = page.matchAll(/<!-- row (\S+) .*? -->\n[\s\S]*?<!-- end -->\n/g)
  return [...sections].map(([section, name]) => [name!, section])
}

function verdictOf(section: string): Verdict {
  return JSON.parse(/^<!-- row \S+ (.*) -->$/m.exec(section)![1]!) as Verdict
}

function sectionOf({ scenario, outcome, reason, seconds, date, machine }: Run): string {
  const missed = outcome?.findings.filter(({ holds }) => !holds) ?? []
  const misses = missed.map(({ what, found, bound }) => `${what}: ${found} (${bound})`).join('; ')
  const result =
    outcome === null
      ? `not measured: ${reason}`
      : missed.length === 0
        ? 'reached'
        : `**not reached**: ${misses}`
  const verdict = JSON.stringify({ date, result: oneLine(result) } satisfies Verdict).replaceAll(
    '--',
    '\\u002d\\u002d',
  )
  const lines = [
    `<!-- row ${scenario.name} ${verdict} -->`,
    `<a id="${scenario.name}"></a>`,
    '',
    `## ${scenario.fault}`,
    '',
    `Must hold: ${scenario.mustHold}.`,
    '',
  ]
  if (outcome === null) lines.push(`Not measured: ${reason}`, '')
  else {
    if (outcome.settings.length > 0) lines.push(`${outcome.settings.join('; ')}.`, '')
    lines.push('| | found | must be | |', '|---|---|---|---|')
    for (const { what, found, bound, holds } of outcome.findings)
      lines.push(`| ${oneLine(what)} | ${oneLine(found)} | ${bound} | ${holds ? 'holds' : '**missed**'} |`)
    lines.push('')
  }
  lines.push(
    `\`npm run faults -- ${scenario.name}\`, ${date}, ${Math.round(seconds)} s, on ${machine}.`,
    '<!-- end -->',
    '',
  )
  return lines.join('\n')
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|')
}
