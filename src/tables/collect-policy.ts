import { limits } from '../domain/limits.ts'
import type { GenerationState, PackedGeneration } from '../domain/tenant-state.ts'
import type { Manifest } from './manifest.ts'
import type { LiveTables } from './ports.ts'
import { newestPrevious } from './roll-back.ts'

/** A generation whose rows are to be taken away. */
export interface Collectable extends Pick<PackedGeneration, 'version' | 'rows' | 'memoryBytes' | 'buckets'> {
  readonly modelId: string
  readonly generation: number
  /** For people, and for the history. */
  readonly why: string
  /** What the catalog doesn't know of: its publish failed or died. */
  readonly manifest: Manifest | null
}

/** What a collection has to do, in one tenant. */
export interface CollectionPlan {
  readonly collectable: readonly Collectable[]
  /** Generations whose rows are gone, and that nobody needs to know of any more. */
  readonly forgotten: readonly ForgottenGeneration[]
  /** Manifests of generations that the catalog knows: their publishes ended between the two. */
  readonly redundant: readonly ManifestAt[]
}

interface ForgottenGeneration {
  readonly modelId: string
  readonly generation: number
  readonly buckets: number
}

/** A manifest as it was found, with whether its publisher still holds the version. */
export interface ManifestAt {
  readonly modelId: string
  readonly generation: number
  readonly manifest: Manifest
  readonly isHeld: boolean
}

/** What may go, at `now`; the active generation of each version and the newest one before it stay whatever their age. */
export function planCollection(
  live: LiveTables,
  manifests: readonly ManifestAt[],
  now: Date,
): CollectionPlan {
  const collectable: Collectable[] = []
  const forgotten: ForgottenGeneration[] = []
  for (const [modelId, { generations }] of Object.entries(live.state.models)) {
    const document = new Map(Object.entries(live.document.models)).get(modelId)
    const kept = new Set(document?.versions.map((id) => newestPrevious(generations, id)?.generation))
    for (const [number, entry] of Object.entries(generations)) {
      const generation = Number(number)
      const isKept = kept.has(generation)
      const why = isKept ? null : whyCollect(entry, document?.versions.includes(entry.version) ?? false, now)
      if (why !== null) collectable.push({ ...figures(entry), modelId, generation, why, manifest: null })
    }
    forgotten.push(...forgettable(modelId, generations, now))
  }
  const known = (at: ManifestAt) => live.state.models[at.modelId]?.generations[at.generation] !== undefined
  for (const at of manifests) {
    if (known(at) || (at.isHeld && at.manifest.state !== 'failed')) continue
    const { modelId, generation, manifest } = at
    const gone = manifest.run === undefined ? 'its publisher is gone' : 'its shards are gone'
    const why = manifest.state === 'failed' ? 'its publish failed' : gone
    collectable.push({ ...figures(manifest), modelId, generation, why, manifest })
  }
  return { collectable, forgotten, redundant: manifests.filter((at) => known(at) && !at.isHeld) }
}

function figures({ version, rows, memoryBytes, buckets }: PackedGeneration) {
  return { version, rows, memoryBytes, buckets }
}

/** Null: it stays. */
function whyCollect(entry: GenerationState, isLiveVersion: boolean, now: Date): string | null {
  const isOlder = (at: string, ms: number) => now.getTime() - Date.parse(at) >= ms
  const leftAt = entry.lastActiveAt ?? entry.publishedAt
  const isUnread = entry.activatedAt === null || isOlder(leftAt, limits.collectAfterActiveMs)
  switch (entry.state) {
    case 'collecting':
      return 'its collection was cut off'
    case 'previous':
      if (!isUnread) return null
      return isLiveVersion ? `it was replaced at ${leftAt}` : 'its version was deleted'
    case 'loaded':
      if (!isLiveVersion) return 'its version was deleted'
      return isOlder(entry.publishedAt, limits.refusedKeptMs)
        ? `it was refused at ${entry.publishedAt}`
        : null
    case 'quarantined':
      if (!isLiveVersion) return isUnread ? 'its version was deleted' : null
      return isOlder(leftAt, limits.refusedKeptMs) ? `it was rolled back from at ${leftAt}` : null
    case 'active':
    case 'collected':
      return null
  }
}

/** Beyond their age or their number; content that was rolled back from is remembered by its number alone. */
function forgettable(
  modelId: string,
  generations: Readonly<Record<string, GenerationState>>,
  now: Date,
): ForgottenGeneration[] {
  const newestFirst = Object.entries(generations)
    .map(([number, entry]) => ({ generation: Number(number), entry }))
    .filter(({ entry }) => entry.state === 'collected')
    .sort((a, b) => b.generation - a.generation)
  const isOld = ({ collectedAt, quarantinedAt }: GenerationState) =>
    quarantinedAt === null && now.getTime() - Date.parse(collectedAt ?? '') >= limits.collectedKeptMs
  return newestFirst
    .filter(({ entry }, index) => index >= limits.collectedKeptMax || isOld(entry))
    .map(({ generation, entry }) => ({ modelId, generation, buckets: entry.buckets }))
}
