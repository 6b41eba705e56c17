import { limits } from '../domain/limits.ts'
import type { Cause } from '../domain/reasons.ts'
import type { ActiveTable, CompiledModel, CompiledVersion } from '../domain/snapshot.ts'
import { bytesOf, type TenantCopies } from './near-cache.ts'
import type { RecordRead, RecordReadResult } from './ports.ts'

/** What may change how long copies of a model's rows answer. */
type CopyingModel = Pick<CompiledModel, 'freshMs' | 'staleMs' | 'control'>

/**
 * One row of one version, as it is read and as it is kept. A class, because one is kept with each verified token: its
 * methods are shared. Times are milliseconds on the reads' clock, which never runs backwards.
 */
export class NearRow implements RecordRead {
  readonly rowKey: string
  readonly own: ActiveTable | null
  readonly control: ActiveTable | null
  private readonly model: CopyingModel
  private readonly version: CompiledVersion
  private readonly copies: TenantCopies
  /** Put together once: most rows are asked for again with the same token. */
  private readonly ownKey: string
  /** Until then the same answer of Redis changes nothing that is kept. */
  private renewAt = 0
  /** What made that answer fall to control's row; null: it was the own one. */
  private heardCause: Cause | null = null

  constructor(rowKey: string, version: CompiledVersion, model: CopyingModel, copies: TenantCopies) {
    this.rowKey = rowKey
    this.own = version.table
    this.control = version === model.control ? null : model.control.table
    this.version = version
    this.model = model
    this.copies = copies
    this.ownKey = this.own === null ? '' : this.own.bucketPrefix + rowKey
  }

  /** What Redis answered; keeps it, or gives up what it says is no more. */
  heard(result: RecordReadResult, now: number): void {
    const { freshMs, staleMs } = this.model
    if (freshMs === 0 && staleMs === 0) return
    if (result.from === 'none') {
      if (result.cause === 'unknown-row') this.dropAll()
      else if (result.ownIsUnknown) this.dropOwn()
      return
    }
    const cause = result.from === 'own' ? null : result.cause
    if (cause === this.heardCause && now < this.renewAt) return
    if (result.from === 'own') this.copies.keep(this.ownKey, result.bytes, now)
    else {
      this.copies.keep(this.control!.bucketPrefix + this.rowKey, result.bytes, now)
      if (cause === 'unknown-row') this.drop(this.own, this.version)
    }
    this.heardCause = cause
    // A tenth: what is kept for seconds must not look much older than it is.
    this.renewAt = freshMs > 0 ? 0 : now + Math.min(limits.nearCacheRenewMs, staleMs / 10)
  }

  /** The version's own record, where a copy is as good as a read. */
  fresh(now: number): RecordReadResult | null {
    const { freshMs } = this.model
    if (freshMs === 0 || this.own === null) return null
    const bytes = this.copyOf(this.ownKey, now - freshMs)
    if (bytes === null) return null
    this.copies.answered('fresh')
    return { from: 'own', bytes }
  }

  /**
   * What may stand in for an answer of Redis: the own row, from the active generation or the one before it, and then
   * control's in the same way.
   */
  stale(now: number): Uint8Array | null {
    const { staleMs, control } = this.model
    if (staleMs === 0) return null
    const since = now - staleMs
    const bytes = this.staleOf(this.version, since) ?? this.staleOf(control, since)
    if (bytes !== null) this.copies.answered('stale')
    return bytes
  }

  private staleOf({ table, previousPrefix }: CompiledVersion, since: number): Uint8Array | null {
    const active = table === null ? null : this.copyOf(table.bucketPrefix + this.rowKey, since)
    if (active !== null || previousPrefix === null) return active
    return this.copyOf(previousPrefix + this.rowKey, since)
  }

  private copyOf(key: string, since: number): Uint8Array | null {
    const copy = this.copies.find(key)
    return copy === undefined || copy.keptAt < since ? null : bytesOf(copy)
  }

  /** What this row's bytes turned out to be is no record: they must not answer again. */
  distrust(whose: 'own' | 'control'): void {
    this.renewAt = 0
    const table = whose === 'own' ? this.own : this.control
    if (table !== null) this.copies.drop(table.bucketPrefix + this.rowKey)
  }

  private dropOwn(): void {
    this.renewAt = 0
    this.drop(this.own, this.version)
  }

  private dropAll(): void {
    this.dropOwn()
    this.drop(this.control, this.model.control)
  }

  /** A row that its generation doesn't have: an older one's must not come back in its place. */
  private drop(table: ActiveTable | null, { previousPrefix }: CompiledVersion): void {
    if (table !== null) this.copies.drop(table.bucketPrefix + this.rowKey)
    if (previousPrefix !== null) this.copies.drop(previousPrefix + this.rowKey)
  }
}

/** Whether Redis failed to say. That a row or a table isn't there is an answer, which no older one may contradict. */
export function isFault(cause: Cause): boolean {
  return cause !== 'unknown-row' && cause !== 'no-table'
}
