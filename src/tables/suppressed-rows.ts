import type { KeyPart } from '../domain/snapshot.ts'
import type { GenerationCatalog, PublishTarget } from './ports.ts'
import { compileSuppressions, type IsSuppressed } from './suppressions.ts'

/** Rows that a publish leaves out because their players were erased. */
export interface SuppressedRows {
  /** Null while there is nobody to be left out: then rows cost nothing. */
  readonly isSuppressed: IsSuppressed | null
  /** How many were left out so far. */
  readonly count: number
  add(rows: number): void
  /** Asks again: `isSuppressed` knows of everybody from then on. False: nobody came since it was asked last. */
  refresh(): Promise<boolean>
}

/** Which part of a row key names the unit; -1: none does. */
function unitPartOf(key: readonly KeyPart[], unitClaim: string): number {
  return key.findIndex(({ source, name }) => source === 'claim' && name === unitClaim)
}

export async function readSuppressedRows(
  catalog: Pick<GenerationCatalog, 'read' | 'suppressions'>,
  { tenantId, modelId, key }: PublishTarget,
): Promise<SuppressedRows> {
  const { document } = await catalog.read(tenantId)
  const unitPart = unitPartOf(key, document.claims.unit)
  let entries: ReadonlySet<string> = new Set()
  let isSuppressed: IsSuppressed | null = null
  let count = 0

  async function refresh(): Promise<boolean> {
    // Nobody's rows can be told from others'.
    if (unitPart === -1) return false
    const now = await catalog.suppressions(tenantId)
    if (now === null || [...now.entries].every((entry) => entries.has(entry))) return false
    entries = now.entries
    isSuppressed = compileSuppressions(now, modelId, unitPart)
    return isSuppressed !== null
  }

  await refresh()
  return {
    get isSuppressed() {
      return isSuppressed
    },
    get count() {
      return count
    },
    add(rows) {
      count += rows
    },
    refresh,
  }
}
