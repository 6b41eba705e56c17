import { limits } from '../domain/limits.ts'
import type { SnapshotsEvent } from './snapshots.ts'

/** One line of the log. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** What operators read of the catalog: one line an event, and where they must do something, what. */
export function describeEvent(event: SnapshotsEvent): LogLine {
  switch (event.event) {
    case 'loaded':
      return line('info', { tenant: event.tenantId, revision: event.revision }, 'catalog loaded')
    case 'broken':
      return line(
        'error',
        { tenant: event.tenantId, reason: event.error.message },
        event.served
          ? 'catalog entry can not be served; the last good one is'
          : 'catalog entry can not be served, and there is no earlier good one',
      )
    case 'vanished':
      return line(
        'error',
        named(event.tenants),
        'vanished from the catalog; the last good entry is served. Restore the catalog from a backup, or else: ' +
          applyAbove(event.tenants),
      )
    case 'backwards':
      return line(
        'error',
        named(event.tenants),
        'catalog runs backwards, as after a restore from a backup; the newer entry is served. To serve what is stored: ' +
          applyAbove(event.tenants),
      )
    case 'over':
      return line(
        'info',
        named(event.tenantIds.map((tenantId) => ({ tenantId }))),
        'catalog entries are sound again',
      )
    case 'unreachable':
      return line(
        'warn',
        { reason: event.error.message },
        event.served
          ? 'catalog can not be read; what was loaded is served. Trying on'
          : 'catalog can not be read. Trying on',
      )
    case 'reachable':
      return line('info', {}, 'catalog can be read again')
    case 'from-disk':
      return line(
        'warn',
        { tenants: event.tenants, savedAt: event.savedAt },
        'started without the catalog: what was saved on disk is served',
      )
    case 'saved-unusable':
      return line(
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

function line(level: LogLine['level'], fields: LogLine['fields'], message: string): LogLine {
  return { level, fields, message }
}
