import type { GenerationCatalog, LeaseStore, PublishTarget, RowSource, TableStore } from './ports.ts'

export interface PublishServices {
  readonly store: TableStore
  readonly leases: LeaseStore
  readonly catalog: GenerationCatalog
  /** The part of Redis' memory, 0 to 1, that a tenant's tables may take together. */
  readonly memoryShareOf: (tenantId: string) => number
  /** A fresh random text at each call. */
  readonly newToken: () => string
  readonly now: () => Date
}

export interface PublishRequest {
  readonly target: PublishTarget
  readonly source: RowSource
  /** The files, as the publisher named them. */
  readonly files: readonly string[]
  readonly by: string
  readonly badRowsMax: number
  readonly onProgress: (progress: PublishProgress) => void
}

export interface PublishProgress {
  readonly phase: 'reading' | 'writing' | 'verifying'
  readonly done: number
  /** Null where it isn't known beforehand. */
  readonly total: number | null
}
