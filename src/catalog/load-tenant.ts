import { FaultsError } from '../domain/errors.ts'
import { type CompiledTenantWithIssuers, type CompileEnvironment, compileTenant } from './compile.ts'
import { type LiveTenant, parseStoredTenant } from './live-tenant.ts'
import type { CatalogStore, IndexEntry, SavedTenant, StoredTenant } from './ports.ts'

/** A tenant that serves. */
export interface LoadedTenant extends CompiledTenantWithIssuers {
  readonly at: IndexEntry
  /** When it was saved, where it came from disk and the store hasn't confirmed it; null where it stands in the store. */
  readonly savedAt: Date | null
}

export interface LoadServices {
  readonly store: CatalogStore
  readonly environment: CompileEnvironment
  /** The tenant that is trusted with an `iss` now; null where none is. */
  readonly holderOf: (issuer: string) => string | null
}

export type LoadOutcome =
  | { readonly loaded: LoadedTenant; readonly stored: StoredTenant }
  /** Why what lies there can't be served. */
  | { readonly broken: Error }

/**
 * Reads, checks and compiles what the index says of a tenant. Rejects where the store can't be read, which says nothing
 * about the tenant.
 */
export async function loadTenant(
  { store, environment, holderOf }: LoadServices,
  tenantId: string,
  at: IndexEntry,
): Promise<LoadOutcome> {
  const reading = await settled(async () => parseTenant(tenantId, at, await store.read(tenantId)))
  if ('broken' in reading) return reading
  const { stored, live } = reading.value
  const claimed = live.document.issuers.map(({ issuer }) => issuer)
  const owners = await store.issuerOwners(claimed)
  try {
    for (const [index, issuer] of claimed.entries()) {
      // Where the store has lost its list of owners, whoever is trusted with it now keeps it.
      const rightful = owners[index] ?? holderOf(issuer) ?? tenantId
      if (rightful !== tenantId) throw foreignIssuer(tenantId, index, issuer)
    }
    const compiled = await compileTenant(live.document, live.state, live.revision, environment)
    const { revision, token } = stored
    return { stored, loaded: { ...compiled, at: { revision, token }, savedAt: null } }
  } catch (error) {
    return { broken: error as Error }
  }
}

/** Whether the index says anything that can be compared. */
export function isSound({ revision, token }: IndexEntry): boolean {
  return Number.isSafeInteger(revision) && revision >= 1 && token !== ''
}

/** Checks and compiles a saved tenant. Throws where it can't be served. */
export async function loadSavedTenant(
  { stored, savedAt }: SavedTenant,
  environment: CompileEnvironment,
): Promise<LoadedTenant> {
  const { document, state, revision } = parseStoredTenant(stored)
  const compiled = await compileTenant(document, state, revision, environment)
  return { ...compiled, at: { revision, token: stored.token }, savedAt }
}

/** Faults of the tenant are an outcome; any other rejection is the store's. */
async function settled<T>(read: () => Promise<T>): Promise<{ value: T } | { broken: Error }> {
  try {
    return { value: await read() }
  } catch (error) {
    if (error instanceof FaultsError) return { broken: error }
    throw error
  }
}

function parseTenant(
  tenantId: string,
  at: IndexEntry,
  stored: StoredTenant | null,
): { readonly stored: StoredTenant; readonly live: LiveTenant } {
  const faulty = (problem: string) =>
    new FaultsError(`catalog, tenant ${tenantId}`, [{ path: '(index)', problem }])
  if (!isSound(at)) throw faulty('must be a revision, a space and a token')
  if (stored === null) throw faulty('names it, and nothing is stored under it')
  // A newer one was stored since the index was read; an older one, or another at the same revision, was put there by
  // hand, or by half a restore.
  const agrees = stored.revision === at.revision ? stored.token === at.token : stored.revision > at.revision
  if (!agrees)
    throw faulty(`says revision ${at.revision}, and another is stored, of revision ${stored.revision}`)
  return { stored, live: parseStoredTenant(stored) }
}

/** One iss, one tenant, also where somebody wrote a document past `recgate catalog apply`. */
function foreignIssuer(tenantId: string, index: number, issuer: string): FaultsError {
  return new FaultsError(`catalog, tenant ${tenantId}`, [
    { path: `issuers[${index}].issuer`, problem: `claims the issuer ${issuer}, which isn't its own` },
  ])
}
