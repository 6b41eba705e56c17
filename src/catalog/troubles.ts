import type { IndexEntry } from './ports.ts'

/**
 * Why a tenant's newest entry doesn't serve: it can't be read or compiled; the index names the tenant no longer; or the
 * index's revision lies below the one that is served, as after a restore of the store from a backup.
 */
export const problems = ['broken', 'vanished', 'backwards'] as const
export type Problem = (typeof problems)[number]

export type TroubleEvent =
  | {
      readonly event: 'broken'
      readonly tenantId: string
      readonly error: Error
      /** Whether an earlier good entry goes on serving. */
      readonly served: boolean
    }
  | { readonly event: 'vanished'; readonly tenants: readonly VanishedTenant[] }
  | { readonly event: 'backwards'; readonly tenants: readonly BackwardsTenant[] }
  | { readonly event: 'over'; readonly tenantIds: readonly string[] }

interface VanishedTenant {
  readonly tenantId: string
  readonly servedRevision: number
}

interface BackwardsTenant extends VanishedTenant {
  readonly storedRevision: number
}

export interface Troubles {
  /** Whether that entry of the index was found broken before: trying it again would find the same. */
  isBroken(tenantId: string, at: IndexEntry): boolean
  broken(tenantId: string, at: IndexEntry, error: Error, served: boolean): void
  vanished(tenant: VanishedTenant): void
  backwards(tenant: BackwardsTenant, at: IndexEntry): void
  over(tenantId: string): void
  /** Tells what is new since the last time: what befell many tenants at once is one event. */
  tell(): void
  standing(): ReadonlyMap<string, Problem>
}

/** Remembers what is wrong with which tenant, so that each trouble is told once, and again when it changes or ends. */
export function trackTroubles(report: (event: TroubleEvent) => void): Troubles {
  const standing = new Map<string, { readonly problem: Problem; readonly at: IndexEntry | null }>()
  let vanished: VanishedTenant[] = []
  let backwards: BackwardsTenant[] = []
  let over: string[] = []

  /** Answers whether that is news. */
  function note(tenantId: string, problem: Problem, at: IndexEntry | null): boolean {
    const known = standing.get(tenantId)
    if (known?.problem === problem && (at === null || sameEntry(known.at, at))) return false
    standing.set(tenantId, { problem, at })
    return true
  }

  return {
    isBroken(tenantId, at) {
      const known = standing.get(tenantId)
      return known?.problem === 'broken' && sameEntry(known.at, at)
    },
    broken(tenantId, at, error, served) {
      if (note(tenantId, 'broken', at)) report({ event: 'broken', tenantId, error, served })
    },
    vanished(tenant) {
      if (note(tenant.tenantId, 'vanished', null)) vanished.push(tenant)
    },
    backwards(tenant, at) {
      if (note(tenant.tenantId, 'backwards', at)) backwards.push(tenant)
    },
    over(tenantId) {
      if (standing.delete(tenantId)) over.push(tenantId)
    },
    tell() {
      if (vanished.length > 0) report({ event: 'vanished', tenants: vanished })
      if (backwards.length > 0) report({ event: 'backwards', tenants: backwards })
      if (over.length > 0) report({ event: 'over', tenantIds: over })
      vanished = []
      backwards = []
      over = []
    },
    standing: () => new Map([...standing].map(([tenantId, { problem }]) => [tenantId, problem])),
  }
}

/** A revision that is no number is the same as itself, too. */
export function sameEntry(a: IndexEntry | null | undefined, b: IndexEntry): boolean {
  return a != null && Object.is(a.revision, b.revision) && a.token === b.token
}
