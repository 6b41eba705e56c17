import type { AnswerHeads } from './answer-head.ts'
import type { RecordCodec } from './codec/codec.ts'
import type { PublishFacts } from './publish-facts.ts'

/**
 * The immutable, compiled view of the catalog that a request reads once, at its start. `catalog/compile.ts`
 * makes it; everything that can be worked out before a request is worked out there.
 */
export interface Snapshot {
  readonly tenants: ReadonlyMap<string, CompiledTenant>
  /** By `iss`, compared byte for byte: one issuer belongs to one tenant. */
  readonly issuers: ReadonlyMap<string, TrustedIssuer>
  /**
   * A tenant of the catalog could never be compiled since this process began: a token that no issuer here knows may be
   * one of its players', who must come back rather than give up.
   */
  readonly incomplete: boolean
}

export interface CompiledTenant {
  readonly id: string
  /** Raised by one with every change of the tenant. */
  readonly revision: number
  /** Raised by every erasure of a row: copies that were kept under another number are void. */
  readonly erasures: number
  readonly models: ReadonlyMap<string, CompiledModel>
  readonly claims: ClaimNames
  /** Of the whole fleet; null: the tenant may ask as much as it likes. */
  readonly quota: TenantQuota | null
}

export interface TenantQuota {
  readonly requestsPerSecond: number
  /** Requests that may come at once where fewer came before. */
  readonly burst: number
  /** Requests that are being answered at one time. */
  readonly concurrency: number
}

/** Which claims of a token mean what, for one tenant. */
interface ClaimNames {
  readonly model: string
  readonly unit: string
  /** Null: the tenant signs no version claims. */
  readonly version: string | null
}

export type Algorithm = 'ES256' | 'RS256' | 'PS256' | 'EdDSA' | 'HS256'

/**
 * One issuer of one tenant. The same object stands in every snapshot for as long as what its document says of it stays
 * the same, so that its identity, together with that of its keys, can vouch for cached tokens.
 */
export interface TrustedIssuer {
  readonly issuer: string
  readonly tenantId: string
  readonly audience: string
  /** The models that every token of this issuer may ask for; null: the token's model claim says. */
  readonly models: readonly string[] | null
  readonly maxLifetimeSeconds: number | null
  /** Its keys with these names verify nothing. */
  readonly revokedKids: ReadonlySet<string>
  /** Lives on beside the snapshots: a reload of the catalog drops no fetched key. */
  readonly keySet: KeySet
}

/** The keys that stand in a document, or the live ones of a key server. */
export interface KeySet {
  /** The array's identity changes exactly when the keys do. */
  readonly keys: readonly VerificationKey[]
  /** From here on they verify nothing, in Unix milliseconds; past where none were ever fetched, infinite for a document's. */
  readonly goodUntilMs: number
  /** Asks for newer keys, for a token that these can't verify. */
  renew(): KeyRenewal
}

/**
 * A promise: for the end of a fetch, whatever came of it, or for the moment from which on it isn't worth waiting for.
 * `resting`: nothing newer can be had in time, or it was asked for lately. `busy`: too many tokens wait for a fetch.
 */
export type KeyRenewal = Promise<void> | 'resting' | 'busy'

/** As in jose: Node's types name the class only as a value. */
type CryptoKey = Extract<Awaited<ReturnType<typeof crypto.subtle.generateKey>>, { type: string }>

export interface VerificationKey {
  readonly kid: string | null
  /** A key verifies one algorithm only, so that no header can choose another. */
  readonly algorithm: Algorithm
  readonly material: CryptoKey | Uint8Array
}

export interface CompiledModel {
  readonly id: string
  readonly tenantId: string
  /** Random at the model's creation, never changed: mixes units into slots. */
  readonly salt: string
  /** The row key's parts in declared order. */
  readonly key: readonly KeyPart[]
  /** Every query parameter that a request may carry, `model` excepted: true where the row key needs it. */
  readonly parameters: ReadonlyMap<string, boolean>
  readonly codec: RecordCodec
  /** Null where the document says `default: none`. */
  readonly defaultRecord: Uint8Array | null
  readonly maxAgeSeconds: number
  readonly deadlineMs: number
  /** For so long a kept copy answers in place of a read; 0: never. */
  readonly freshMs: number
  /** For so long it may answer where Redis doesn't; 0: never. */
  readonly staleMs: number
  readonly control: CompiledVersion
  readonly versions: ReadonlyMap<string, CompiledVersion>
  /** The version that owns each of the 10,000 slots. */
  readonly slots: readonly CompiledVersion[]
  readonly overrides: ReadonlyMap<string, CompiledVersion>
}

export interface CompiledVersion {
  readonly id: string
  readonly modelId: string
  readonly tenantId: string
  /** Null: nothing was ever activated; the ladder's cause is `no-table`. */
  readonly table: ActiveTable | null
  /** Where the records of the generation before it lie; null where there was none, or it was rolled back from. */
  readonly previousPrefix: string | null
  /** What is told of the table to whoever watches it; null as `table` is. */
  readonly published: {
    readonly at: Date
    /** Row keys and packed records, without what Redis adds. */
    readonly bytes: number
  } | null
  readonly publishes: PublishFacts
  /** How old the table may become before somebody should be told; null: no age is too old. */
  readonly tableAgeSecondsMax: number | null
  readonly heads: AnswerHeads
}

/** Where the records of a version's active generation lie. */
export interface ActiveTable {
  readonly generation: number
  /** Stands in every bucket's empty field; a bucket without it is damaged. */
  readonly token: string
  readonly buckets: number
  readonly rows: number
  /** `bucketPrefix + bucket` is the Redis key. */
  readonly bucketPrefix: string
}

export type KeyPart =
  | { readonly source: 'claim'; readonly name: string; readonly column: string }
  | {
      readonly source: 'query'
      readonly name: string
      readonly column: string
      readonly accepts: ParameterType
    }

export type ParameterType =
  | { readonly type: 'values'; readonly values: ReadonlySet<string> }
  | { readonly type: 'uint'; readonly max: number }
  | { readonly type: 'id'; readonly maxBytes: number }
