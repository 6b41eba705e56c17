import type { CompiledTenant, Snapshot, TrustedIssuer } from '../domain/snapshot.ts'
import { type CompiledTenantWithIssuers, type CompileEnvironment, compileTenant } from './compile.ts'
import { parseStoredTenant } from './live-tenant.ts'
import type { CatalogAnnouncements, CatalogStore, IndexEntry } from './ports.ts'

/** What a gateway tells its operators about its catalog. */
interface SnapshotsStatus {
  readonly ready: boolean
  readonly tenants: number
  /** Tenants whose newest document can't be served; the last good one is. */
  readonly brokenTenants: readonly string[]
}

export interface SnapshotsOptions {
  readonly store: CatalogStore
  readonly announcements: CatalogAnnouncements
  readonly environment: CompileEnvironment
  /** Trusted beside the documents' issuers, per tenant: the development key's. */
  readonly extraIssuers: (tenantId: string) => readonly TrustedIssuer[]
  readonly pollMs: number
  readonly report: (event: SnapshotsEvent) => void
  /** Called after each swap, with what is served from now on. */
  readonly onSwap?: (snapshot: Snapshot) => void
}

export type SnapshotsEvent =
  | { readonly event: 'loaded'; readonly tenantId: string; readonly revision: number }
  | { readonly event: 'broken'; readonly tenantId: string; readonly error: Error }
  | { readonly event: 'vanished'; readonly tenantId: string }
  | { readonly event: 'unreachable'; readonly error: Error }

interface LoadedTenant extends CompiledTenantWithIssuers {
  readonly at: IndexEntry
}

export interface WatchedSnapshots {
  current(): Snapshot | null
  status(): SnapshotsStatus
  /** Loads once; rejects nothing: a catalog out of reach is reported, and read again with the next poll. */
  start(): Promise<void>
  close(): Promise<void>
}

/**
 * Keeps the snapshot in step with the catalog: by announcement, and by one jittered read of the index, since an
 * announcement may get lost. A tenant is read only when its revision or token differs, and replaces its predecessor
 * only when it is valid and compiled: validate → compile → swap.
 */
export function watchSnapshots(options: SnapshotsOptions): WatchedSnapshots {
  const loaded = new Map<string, LoadedTenant>()
  /** What was last found broken, so that a broken document is reported once and not at every poll. */
  const broken = new Map<string, IndexEntry>()
  let snapshot: Snapshot | null = null
  /** Something was loaded that the snapshot doesn't show yet; survives a run that the store cuts short. */
  let outdated = true
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let running: Promise<void> | null = null
  let again = false

  async function synchronise(): Promise<void> {
    const index = await options.store.index()
    for (const [tenantId, at] of index) {
      if (sameEntry(loaded.get(tenantId)?.at, at)) broken.delete(tenantId)
      else if (!sameEntry(broken.get(tenantId), at)) await loadTenant(tenantId, at)
    }
    for (const tenantId of broken.keys())
      if (!index.has(tenantId) && !loaded.has(tenantId)) broken.delete(tenantId)
    for (const tenantId of loaded.keys()) {
      if (index.has(tenantId) || broken.has(tenantId)) continue
      broken.set(tenantId, { revision: -1, token: '' })
      options.report({ event: 'vanished', tenantId })
    }
    const incomplete = [...index.keys()].some((tenantId) => !loaded.has(tenantId))
    if ((outdated || snapshot?.incomplete !== incomplete) && !closed) {
      snapshot = assemble(loaded, options.extraIssuers, incomplete)
      options.onSwap?.(snapshot)
    }
    outdated = false
  }

  /** Rejects where the store can't be read, which says nothing about the tenant. */
  async function loadTenant(tenantId: string, at: IndexEntry): Promise<void> {
    const stored = await options.store.read(tenantId)
    try {
      if (stored === null) throw new Error('the index names it, and nothing is stored under it')
      const { document, state, revision } = parseStoredTenant(stored)
      const compiled = await compileTenant(document, state, revision, options.environment)
      loaded.set(tenantId, { ...compiled, at: { revision, token: stored.token } })
      broken.delete(tenantId)
      outdated = true
      options.report({ event: 'loaded', tenantId, revision })
    } catch (error) {
      broken.set(tenantId, at)
      options.report({ event: 'broken', tenantId, error: error as Error })
    }
  }

  /** One run at a time; what is announced during a run is read by one more run after it. */
  function refresh(): Promise<void> {
    if (running !== null) {
      again = true
      return running
    }
    running = (async () => {
      do {
        again = false
        try {
          await synchronise()
        } catch (error) {
          if (!closed) options.report({ event: 'unreachable', error: error as Error })
        }
      } while (again && !closed)
      running = null
    })()
    return running
  }

  function schedule(): void {
    if (closed) return
    // ±25 %: a fleet that was started together must not read together.
    timer = setTimeout(() => void refresh().then(schedule), options.pollMs * (0.75 + Math.random() / 2))
    timer.unref()
  }

  return {
    current: () => snapshot,
    status: () => ({ ready: snapshot !== null, tenants: loaded.size, brokenTenants: [...broken.keys()] }),
    async start() {
      await Promise.all([options.announcements.subscribe(() => void refresh()), refresh()])
      schedule()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await running
      await options.announcements.close()
    },
  }
}

function sameEntry(a: IndexEntry | undefined, b: IndexEntry): boolean {
  return a !== undefined && a.revision === b.revision && a.token === b.token
}

function assemble(
  loaded: ReadonlyMap<string, LoadedTenant>,
  extraIssuers: (tenantId: string) => readonly TrustedIssuer[],
  incomplete: boolean,
): Snapshot {
  const tenants = new Map<string, CompiledTenant>()
  const issuers = new Map<string, TrustedIssuer>()
  for (const [tenantId, { tenant, issuers: own }] of loaded) {
    tenants.set(tenantId, tenant)
    for (const issuer of [...own, ...extraIssuers(tenantId)]) issuers.set(issuer.issuer, issuer)
  }
  return { tenants, issuers, incomplete }
}
