/** What the catalog asks of the world; `redis/catalog-store.ts` implements most of it. */

/** A tenant as it lies in the store: texts, because the store never looks into them. */
export interface StoredTenant {
  readonly tenantId: string
  /** Raised by one with every change. */
  readonly revision: number
  /** Random at every change: tells two changes apart that reached the same revision (a store restored from a backup). */
  readonly token: string
  /** The tenant's document, as JSON. */
  readonly document: string
  /** What only machines write, as JSON. */
  readonly state: string
}

export interface IndexEntry {
  readonly revision: number
  readonly token: string
}

export interface HistoryEntry {
  readonly revision: number
  /** RFC 3339. */
  readonly at: string
  readonly who: string
  readonly why: string
  /** What was done, one line each, for people. */
  readonly what: readonly string[]
  /** The whole document where the change configured something; state changes carry only `what`. */
  readonly document: string | null
}

export interface CatalogChange {
  readonly tenantId: string
  /** The revision that the change was planned against; 0 creates the tenant. */
  readonly expectedRevision: number
  readonly state: string
  /** Null where only the state changes, as a publish does: then nothing is written that tenants share. */
  readonly configuration: {
    readonly document: string
    /** Every `iss` that the document claims. */
    readonly issuers: readonly string[]
  } | null
  /** The new revision lies above it, too: for a store restored from a backup, whose gateways have seen higher ones. */
  readonly revisionAbove?: number
  readonly history: Omit<HistoryEntry, 'revision' | 'document'>
}

export type ChangeOutcome =
  | { readonly outcome: 'changed'; readonly revision: number; readonly token: string }
  | { readonly outcome: 'outdated'; readonly revision: number }
  | { readonly outcome: 'issuer-taken'; readonly issuer: string }

/** Each method throws UnreachableError where the store can't be asked at the moment. */
export interface CatalogStore {
  /** Tenant → what it stands at; small, however large the documents are. */
  index(): Promise<ReadonlyMap<string, IndexEntry>>
  /** Throws FaultsError where what lies there can be no tenant; any other rejection says nothing about the tenant. */
  read(tenantId: string): Promise<StoredTenant | null>
  /** The tenant that claims each `iss`, null where none does. */
  issuerOwners(issuers: readonly string[]): Promise<readonly (string | null)[]>
  /** Compare and set: all of it happens, or nothing. Announces what it did. */
  change(change: CatalogChange): Promise<ChangeOutcome>
  /** Newest first; only those below the revision, where one is given. */
  history(tenantId: string, entriesMax: number, belowRevision?: number): Promise<readonly HistoryEntry[]>
  /** The next number of the model's one counter, above `highestInUse`; never given twice. */
  nextGeneration(tenantId: string, modelId: string, highestInUse: number): Promise<number>
}

export interface CatalogAnnouncements {
  /** Calls back with the tenant of every change, and with null at each connection, before which some may have been missed. */
  subscribe(onChange: (tenantId: string | null) => void): Promise<void>
  close(): Promise<void>
}

/** A tenant as it was last loaded from the store, kept where a store that is out of reach can't take it away. */
export interface SavedTenant {
  readonly stored: StoredTenant
  readonly savedAt: Date
  /** For messages. */
  readonly file: string
}

/** `disk/saved-catalog.ts` implements it. */
export interface SavedCatalog {
  /** One after the other, because all texts at once may be hundreds of megabytes. What is damaged is left out and reported. */
  load(): AsyncIterable<SavedTenant>
  /** Soon, in the background; never fails. */
  save(stored: StoredTenant): void
}
