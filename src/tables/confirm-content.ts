import { withGenerations } from '../domain/generation-moves.ts'
import type { PublishTarget } from './ports.ts'
import type { PublishServices } from './publish-request.ts'
import { targetModel } from './target-model.ts'

/**
 * The active generation has the content that was published just now: what is served is as young as that, which whoever
 * watches its age must see. Answers the catalog revision; null: it isn't active any more.
 */
export async function confirmContent(
  { catalog, now }: Pick<PublishServices, 'catalog' | 'now'>,
  target: PublishTarget,
  generation: number,
): Promise<number | null> {
  const { tenantId, modelId, versionId } = target
  let isActive = false
  const revision = await catalog.change(tenantId, (live) => {
    const entry = targetModel(live, target).generations[generation]
    isActive = entry?.state === 'active'
    if (entry?.state !== 'active') return null
    const confirmed = { ...entry, publishedAt: now().toISOString() }
    return {
      state: withGenerations(live.state, modelId, new Map([[generation, confirmed]])),
      what: [`finds generation ${generation} of ${modelId}/${versionId} unchanged (${entry.rows} rows)`],
    }
  })
  return isActive ? revision : null
}
