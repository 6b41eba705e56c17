import type { LiveTenant } from '../../../src/catalog/live-tenant.ts'
import { planDocument } from '../../../src/catalog/plan.ts'
import { checkTenantDocument, type TenantDocument } from '../../../src/domain/tenant-document.ts'
import type { GenerationState, TenantState } from '../../../src/domain/tenant-state.ts'

export const games = {
  key: [{ claim: 'sub', column: 'player_id' }],
  record: { games: { type: 'list', maxItems: 3, items: { type: 'uint', max: 100 } } },
  default: { games: [1, 2] },
  versions: ['popular', 'itemcf'],
  control: 'popular',
  weights: { popular: 90, itemcf: 10 },
}

/** A checked document with these models. */
export function documentWith(
  models: Record<string, unknown>,
  more: Record<string, unknown> = {},
): TenantDocument {
  const checked = checkTenantDocument({ format: 1, tenant: 'studio', issuers: [], models, ...more })
  if (checked.document === null) throw new Error(JSON.stringify(checked.faults))
  return checked.document
}

export interface LiveStudio extends LiveTenant {
  /** What the last change was planned to be. */
  readonly what: readonly string[]
  /** Makes the next change; throws where the plan has faults. */
  to(models: Record<string, unknown>, more?: Record<string, unknown>): LiveStudio
  /** The same with generations of a model, as publishes leave them. */
  with(modelId: string, generations: Record<string, Partial<GenerationState>>): LiveStudio
}

let salts = 0

/** A tenant as it is live after its creation with these models. */
export function liveStudio(models: Record<string, unknown>): LiveStudio {
  return made(null, documentWith(models))
}

function made(live: LiveTenant | null, document: TenantDocument): LiveStudio {
  const { what, state, faults } = planDocument(live, document, () => `salt-${++salts}`)
  if (faults.length > 0) throw new Error(JSON.stringify(faults))
  return studio(document, state, (live?.revision ?? 0) + 1, what)
}

function studio(
  document: TenantDocument,
  state: TenantState,
  revision: number,
  what: readonly string[],
): LiveStudio {
  // As the store gives it back: JSON.
  const live = { document, state: JSON.parse(JSON.stringify(state)) as TenantState, revision }
  return {
    ...live,
    what,
    to: (models, more) => made(live, documentWith(models, more)),
    with(modelId, generations) {
      const all = Object.entries(generations).map(([number, entry]) => [number, { ...generation, ...entry }])
      const model = { ...live.state.models[modelId]!, generations: Object.fromEntries(all) }
      const models = { ...live.state.models, [modelId]: model }
      return studio(document, { ...live.state, models }, revision, [])
    },
  }
}

const generation: GenerationState = {
  version: 'popular',
  state: 'active',
  token: 'token',
  contentHash: 'content',
  rows: 1_000,
  bytes: 20_000,
  memoryBytes: 39_000,
  buckets: 13,
  recordRevision: 1,
  publishedAt: '2026-01-01T00:00:00Z',
  activatedAt: '2026-01-01T00:00:00Z',
  lastActiveAt: null,
  quarantinedAt: null,
  collectedAt: null,
  by: 'tester',
  source: ['memory'],
  findings: [],
  statistics: { means: {}, shares: {} },
}
