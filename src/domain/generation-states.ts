/**
 * The life of a generation, in one table: which state may follow which. Up to `loaded` a generation is known by the
 * manifest of its publish alone; from the catalog change that makes it active, or says why it isn't, by the tenant's
 * state. docs/publishing.md says what each state means, and is compared with this table by a test.
 */
export const generationStates = {
  loading: ['loaded', 'failed', 'collecting'],
  loaded: ['active', 'failed', 'collecting'],
  active: ['previous', 'quarantined'],
  previous: ['active', 'collecting'],
  quarantined: ['active', 'collecting'],
  failed: ['collecting'],
  collecting: ['collected'],
  collected: [],
} as const satisfies Record<string, readonly string[]>

export type GenerationStateName = keyof typeof generationStates

/** States that a manifest may tell of. */
export const manifestStates = ['loading', 'loaded', 'failed', 'collecting'] as const

/** States that the tenant's state may tell of. */
export const catalogStates = [
  'loaded',
  'active',
  'previous',
  'quarantined',
  'collecting',
  'collected',
] as const

export function mayBecome(from: GenerationStateName, to: GenerationStateName): boolean {
  return (generationStates[from] as readonly GenerationStateName[]).includes(to)
}
