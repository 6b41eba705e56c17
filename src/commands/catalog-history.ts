import type { HistoryEntry } from '../catalog/ports.ts'
import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { Settings } from '../settings/schema.ts'
import { printJson, printTable } from './output.ts'
import { UsageError } from './usage-error.ts'
import { withTools } from './with-tools.ts'

export interface HistoryOptions {
  readonly tenant: string
  readonly limit: number
  readonly json: boolean
}

/** `recgate catalog history`: who changed what of a tenant, when and why; the newest first. */
export async function showHistory(
  settings: Settings,
  { tenant, limit, json }: HistoryOptions,
): Promise<void> {
  if (limit < 1 || limit > limits.historyEntriesMax)
    throw new UsageError(
      `--limit ${limit}: must be from 1 to ${limits.historyEntriesMax}, as many as are kept`,
    )
  const rows: string[][] = []
  await withTools(settings, async ({ catalog }) => {
    let [shown, oldest]: [number, number | undefined] = [0, undefined]
    while (shown < limit) {
      // Each may hold a whole document.
      const wanted = Math.min(limit - shown, limits.historyEntriesPerTrip)
      const entries = await catalog.history(tenant, wanted, oldest)
      for (const entry of entries) {
        if (json) printJson(withoutDocument(entry))
        else rows.push(cells(entry))
      }
      shown += entries.length
      oldest = entries.at(-1)?.revision
      if (entries.length < wanted) break
    }
    if (shown === 0)
      throw new OperationError(`tenant ${tenant} has no history; \`recgate catalog show\` lists the tenants`)
  })
  if (!json) printTable(['REVISION', 'WHEN', 'WHO', 'WHY', 'WHAT'], rows)
}

function withoutDocument({ revision, at, who, why, what }: HistoryEntry) {
  return { revision, at, who, why, what }
}

function cells({ revision, at, who, why, what }: HistoryEntry): string[] {
  return [String(revision), at, who, why, what.join('\n')]
}
