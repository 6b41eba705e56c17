import { jitteredMs } from '../domain/jitter.ts'
import { rounded } from '../domain/rounded.ts'
import type { CompiledTenant, Snapshot, TrustedIssuer } from '../domain/snapshot.ts'
import type { CompileEnvironment } from './compile.ts'
import { isSound, type LoadedTenant, loadSavedTenant, loadTenant } from './load-tenant.ts'
import type { CatalogAnnouncements, CatalogStore, IndexEntry, SavedCatalog } from './ports.ts'
import { type Problem, sameEntry, type TroubleEvent, trackTroubles } from './troubles.ts'

/** What a gateway tells its operators about its catalog. */
interface SnapshotsStatus {
  readonly ready: boolean
  /** `disk` until the catalog was read for the first time; `none` where nothing serves. */
  readonly source: 'none' | 'disk' | 'catalog'
  /** Whether the last try to read the catalog succeeded. */
  readonly reachable: boolean
  /** Since the index was last read; since the process began until it was. */
  readonly readAgeSeconds: number
  readonly tenants: number
  readonly fromDisk: FromDisk
  /** Tenants whose newest entry can't be served, and why; their last good one is, where there is one. */
  readonly problems: Readonly<Record<string, Problem>>
}

/** Tenants whose saved entry serves without the catalog's having confirmed it, and when the newest of them was saved. */
interface FromDisk {
  readonly tenants: number
  readonly savedAt: Date | null
}

export interface SnapshotsOptions {
  readonly store: CatalogStore
  readonly announcements: CatalogAnnouncements
  /** Where the last good catalog is kept for the next start; null: nowhere. */
  readonly saved: SavedCatalog | null
  readonly environment: CompileEnvironment
  /** Trusted beside the documents' issuers, per tenant: the development key's. */
  readonly extraIssuers: (tenantId: string) => readonly TrustedIssuer[]
  /** ±25 %. */
  readonly pollMs: number
  readonly report: (event: SnapshotsEvent) => void
  /** Called after each swap. */
  readonly onSwap?: (snapshot: Snapshot) => void
}

export type SnapshotsEvent =
  | TroubleEvent
  | { readonly event: 'loaded'; readonly tenantId: string; readonly revision: number }
  /** Once, until it is reachable again. */
  | { readonly event: 'unreachable'; readonly error: Error; readonly served: boolean }
  | { readonly event: 'reachable' }
  /** A start without the catalog: what was saved serves. */
  | ({ readonly event: 'from-disk' } & FromDisk)
  | { readonly event: 'saved-unusable'; readonly file: string; readonly error: Error }

export interface WatchedSnapshots {
  current(): Snapshot | null
  status(): SnapshotsStatus
  /** Loads once; rejects nothing: a catalog out of reach is reported, and read again with the next poll. */
  start(): Promise<void>
  /** Reads the index now, and not with the next poll: for a connection that has come back. */
  refresh(): void
  close(): Promise<void>
}

/**
 * Keeps the snapshot in step with the catalog: by announcement, and by one jittered read of the index, since an
 * announcement may get lost. A tenant is read only when its revision or token differs, and replaces its predecessor
 * only when it is valid and compiled, and isn't older: validate → compile → swap.
 *
 * The saved tenants are loaded before the first read of the index, and are predecessors like any other: what the index
 * confirms needs no read, and what is newer, broken, missing or runs backwards there meets the same rules.
 */
export function watchSnapshots(options: SnapshotsOptions): WatchedSnapshots {
  /** In the order of loading: of two tenants that claim one `iss`, the later has it. */
  const loaded = new Map<string, LoadedTenant>()
  const troubles = trackTroubles(options.report)
  const holderOf = (issuer: string) => holderAmong(loaded, issuer)
  let index: ReadonlyMap<string, IndexEntry> | null = null
  let snapshot: Snapshot | null = null
  /** Something was loaded that the snapshot doesn't show yet; survives a run that the store cuts short. */
  let outdated = true
  let readAt = performance.now()
  let reachable = true
  let timer: NodeJS.Timeout | undefined
  let started = false
  let closed = false
  let running: Promise<void> | null = null
  let again = false

  async function loadSaved(): Promise<void> {
    const tenants: [string, LoadedTenant, Date][] = []
    for await (const saved of options.saved?.load() ?? []) {
      try {
        const tenant = await loadSavedTenant(saved, options.environment)
        tenants.push([saved.stored.tenantId, tenant, saved.savedAt])
      } catch (error) {
        options.report({ event: 'saved-unusable', file: saved.file, error: error as Error })
      }
    }
    tenants.sort(([, , a], [, , b]) => a.getTime() - b.getTime())
    for (const [tenantId, tenant] of tenants) loaded.set(tenantId, tenant)
  }

  async function synchronise(): Promise<void> {
    index = await options.store.index()
    readAt = performance.now()
    try {
      for (const [tenantId, at] of index) await follow(tenantId, at)
      for (const tenantId of troubles.standing().keys())
        if (!index.has(tenantId) && !loaded.has(tenantId)) troubles.over(tenantId)
      for (const [tenantId, { at }] of loaded)
        if (!index.has(tenantId)) troubles.vanished({ tenantId, servedRevision: at.revision })
    } finally {
      troubles.tell()
    }
    swap()
    if (!reachable) options.report({ event: 'reachable' })
    reachable = true
  }

  /** Rejects where the store can't be read. */
  async function follow(tenantId: string, at: IndexEntry): Promise<void> {
    const served = loaded.get(tenantId)
    if (served !== undefined && sameEntry(served.at, at)) {
      // In its place: only a load goes to the end.
      if (served.savedAt !== null) loaded.set(tenantId, { ...served, savedAt: null })
      troubles.over(tenantId)
    } else if (served !== undefined && isSound(at) && at.revision < served.at.revision) {
      const [servedRevision, storedRevision] = [served.at.revision, at.revision]
      troubles.backwards({ tenantId, servedRevision, storedRevision }, at)
    } else if (!troubles.isBroken(tenantId, at)) {
      await load(tenantId, at, served !== undefined)
    }
  }

  async function load(tenantId: string, at: IndexEntry, served: boolean): Promise<void> {
    const outcome = await loadTenant({ ...options, holderOf }, tenantId, at)
    if ('broken' in outcome) {
      troubles.broken(tenantId, at, outcome.broken, served)
      return
    }
    loaded.delete(tenantId)
    loaded.set(tenantId, outcome.loaded)
    outdated = true
    options.saved?.save(outcome.stored)
    options.report({ event: 'loaded', tenantId, revision: outcome.loaded.at.revision })
    troubles.over(tenantId)
  }

  function swap(): void {
    // Before the index was read for the first time, nobody knows which tenants are missing; nor where it names none,
    // which is a catalog that was emptied sooner than one that is to be empty.
    const named = [...(index?.keys() ?? [])]
    const isEmpty = named.length === 0 && loaded.size === 0
    const incomplete = index === null || isEmpty || named.some((tenantId) => !loaded.has(tenantId))
    if (closed || (!outdated && snapshot?.incomplete === incomplete)) return
    snapshot = assemble(loaded, options.extraIssuers, incomplete)
    outdated = false
    options.onSwap?.(snapshot)
  }

  /** One run at a time; what is announced during a run is read by one more run after it. */
  function refresh(): Promise<void> {
    if (!started || closed) return Promise.resolve()
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
          if (reachable && !closed)
            options.report({ event: 'unreachable', error: error as Error, served: loaded.size > 0 })
          reachable = false
        }
      } while (again && !closed)
      running = null
    })()
    return running
  }

  function schedule(): void {
    if (closed) return
    timer = setTimeout(() => void refresh().then(schedule), jitteredMs(options.pollMs))
    timer.unref()
  }

  /** What was saved serves where the first read of the catalog was not to be had. */
  async function firstRead(): Promise<void> {
    const anySaved = loaded.size > 0
    await refresh()
    if (snapshot === null && anySaved) {
      swap()
      options.report({ event: 'from-disk', ...fromDisk(loaded) })
    }
    schedule()
  }

  return {
    current: () => snapshot,
    status: () => ({
      ready: snapshot !== null,
      source: snapshot === null ? 'none' : index === null ? 'disk' : 'catalog',
      reachable,
      readAgeSeconds: rounded((performance.now() - readAt) / 1_000),
      tenants: loaded.size,
      fromDisk: fromDisk(loaded),
      problems: Object.fromEntries(troubles.standing()),
    }),
    async start() {
      await loadSaved()
      if (closed) return
      started = true
      await Promise.all([options.announcements.subscribe(() => void refresh()), firstRead()])
    },
    refresh: () => void refresh(),
    async close() {
      closed = true
      clearTimeout(timer)
      await running
      await options.announcements.close()
    },
  }
}

function fromDisk(loaded: ReadonlyMap<string, LoadedTenant>): FromDisk {
  const dates = [...loaded.values()].flatMap(({ savedAt }) => (savedAt === null ? [] : [savedAt]))
  const newest = dates.reduce<Date | null>((a, b) => (a === null || a < b ? b : a), null)
  return { tenants: dates.length, savedAt: newest }
}

function holderAmong(loaded: ReadonlyMap<string, LoadedTenant>, issuer: string): string | null {
  for (const [tenantId, { issuers }] of loaded)
    if (issuers.some((trusted) => trusted.issuer === issuer)) return tenantId
  return null
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
