import type { GenerationState, ModelState } from './tenant-state.ts'

/** States in which a generation takes memory of Redis. */
export const statesInRedis = ['loaded', 'active', 'previous', 'quarantined', 'collecting'] as const

/** `gates`: it failed some. `rollback`: its content was rolled back from before. */
export const refusals = ['gates', 'rollback'] as const

type PublishRefusal = (typeof refusals)[number]

/** What the catalog knows of a version's publishes, for whoever watches that they go on. */
export interface PublishFacts {
  /** When the newest generation that ever became active was published; null: none did. */
  readonly lastSuccessAt: Date | null
  /**
   * Why the newest generation never became active; null where it did, and where there is none. It stays so while its rows
   * are collected: nothing better has come since.
   */
  readonly refused: PublishRefusal | null
  readonly generations: Readonly<Record<(typeof statesInRedis)[number], number>>
}

/** Of the generations that the catalog still knows. */
export function publishFacts(
  { generations }: Pick<ModelState, 'generations'>,
  versionId: string,
): PublishFacts {
  const entries = Object.entries(generations)
    .filter(([, { version }]) => version === versionId)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, entry]) => entry)
  const lastSuccess = entries.findLast(({ activatedAt }) => activatedAt !== null)
  const counts = { loaded: 0, active: 0, previous: 0, quarantined: 0, collecting: 0, collected: 0 }
  for (const { state } of entries) counts[state]++
  const { collected: _, ...inRedis } = counts
  return {
    lastSuccessAt: lastSuccess === undefined ? null : new Date(lastSuccess.publishedAt),
    refused: refusalOf(entries.at(-1)),
    generations: inRedis,
  }
}

function refusalOf(newest: GenerationState | undefined): PublishRefusal | null {
  if (newest === undefined || newest.activatedAt !== null) return null
  return newest.findings.length > 0 ? 'gates' : 'rollback'
}
