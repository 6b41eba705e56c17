import { limits } from '../domain/limits.ts'
import { type LogLine, logLine } from '../domain/log-line.ts'
import type { SnapshotsEvent } from './snapshots.ts'

/** What operators read of the catalog: one line an event, and where they must do something, what. */
export function describeSnapshotsEvent(event: SnapshotsEvent): LogLine {
  switch (event.event) {
    case 'loaded':
      return logLine('info', { tenant: event.tenantId, revision: event.revision }, 'catalog loaded')
    case 'broken':
      return logLine(
        'error',
        { tenant: event.tenantId, reason: event.error.message },
        event.served
          ? 'catalog entry can not be served; the last good one is'
          : 'catalog entry can not be served, and there is no earlier good one',
      )
    case 'vanished':
      return logLine(
        'error',
        named(event.tenants),
        'vanished from the catalog; the last good entry is served. Restore the catalog from a backup, or else: ' +
          applyAbove(event.tenants),
      )
    case 'backwards':
      return logLine(
        'error',
        named(event.tenants),
        'catalog runs backwards, as after a restore from a backup; the newer entry is served. To serve what is stored: ' +
          applyAbove(event.tenants),
      )
    case 'over':
      return logLine(
        'info',
        named(event.tenantIds.map((tenantId) => ({ tenantId }))),
        'catalog entries are sound again',
      )
    case 'unreachable':
      return logLine(
        'warn',
        { reason: event.error.message },
        event.served
          ? 'catalog can not be read; what was loaded is served. Trying on'
          : 'catalog can not be read. Trying on',
      )
    case 'reachable':
      return logLine('info', {}, 'catalog can be read again')
    case 'from-disk':
      return logLine(
        'warn',
        { tenants: event.tenants, savedAt: event.savedAt },
        'started without the catalog: what was saved on disk is served',
      )
    case 'saved-unusable':
      return logLine(
        'error',
        { file: event.file, reason: event.error.message },
        'saved catalog entry can not be served; it is passed over',
      )
  }
}

/** Gateways take a revision only when it lies above the served one. */
function applyAbove(tenants: readonly { readonly servedRevision: number }[]): string {
  const above = Math.max(...tenants.map(({ servedRevision }) => servedRevision))
  return `recgate catalog apply FILE… --revision-above ${above}`
}

/** All tenants of a catalog may be too many for a line. */
function named(tenants: readonly { readonly tenantId: string }[]): Readonly<Record<string, unknown>> {
  const shown = tenants
    .slice(0, limits.tenantsLoggedMax)
    .map(({ tenantId, ...more }) => ({ tenant: tenantId, ...more }))
  return { count: tenants.length, tenants: shown }
}
