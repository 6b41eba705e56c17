/** One row of the fault suite's table: what happens, and what must hold while it does. */
export interface Scenario {
  /** As `npm run faults -- NAME` takes it. */
  readonly name: string
  /** As a page says it. */
  readonly fault: string
  readonly mustHold: string
  /** Why it can't run on this machine; null where it can. */
  readonly missing?: () => Promise<string | null>
  run(ground: Ground): Promise<void>
}

/** One thing that a scenario looked at. */
interface Finding {
  readonly what: string
  readonly found: string
  readonly bound: string
  readonly holds: boolean
  /** A figure of a machine under load is judged in the long form alone; a count, a status or an order always. */
  readonly isFigure: boolean
}

/** What a scenario stands on: its form, what it must clean up, and where it says what it found. */
export interface Ground {
  readonly isLong: boolean
  /** Called when the scenario is over, the last one first. */
  onEnd(clean: () => Promise<unknown>): void
  /** A count, a status or an order. */
  must(what: string, found: number | string, bound: string, holds: boolean): void
  figure(what: string, found: number | string, bound: string, holds: boolean): void
  /** What the figures were measured with, for the page. */
  setting(text: string): void
}

export interface Outcome {
  readonly findings: readonly Finding[]
  readonly settings: readonly string[]
}

export async function play(scenario: Scenario, { isLong }: { readonly isLong: boolean }): Promise<Outcome> {
  const findings: Finding[] = []
  const settings: string[] = []
  const cleaners: (() => Promise<unknown>)[] = []
  const add = (isFigure: boolean) => (what: string, found: number | string, bound: string, holds: boolean) =>
    void findings.push({ what, found: shown(found), bound, holds, isFigure })
  try {
    await scenario.run({
      isLong,
      onEnd: (clean) => void cleaners.push(clean),
      must: add(false),
      figure: add(true),
      setting: (text) => void settings.push(text),
    })
    return { findings, settings }
  } finally {
    // Each, whatever the others meet: a server that stays would be in the way of the rows to come.
    for (const clean of cleaners.reverse())
      await clean().catch((error: Error) => add(false)('cleaning up', error.message, 'done', false))
  }
}

function shown(found: number | string): string {
  if (typeof found === 'string') return found
  return Number.isInteger(found) ? found.toLocaleString('en') : found.toPrecision(3)
}
