import { slotOf } from './allocation.ts'

/** What selecting looks at; `V` is a compiled version for the gateway, and its id for `recgate assign`. */
export interface SelectableModel<V> {
  readonly id: string
  readonly salt: string
  readonly overrides: ReadonlyMap<string, V>
  readonly versions: ReadonlyMap<string, V>
  /** The version that owns each of the 10,000 slots. */
  readonly slots: readonly V[]
}

interface SelectedVersion<V> {
  readonly version: V
  readonly reason: 'split' | 'override'
}

/**
 * Step 3: which version a unit gets. The document's overrides come first, then a version that the token's issuer
 * signed, then the unit's slot. A signed version that the model doesn't have (any more) is passed over: a token may
 * outlive a version, and the player still needs an answer.
 */
export function selectVersion<V>(
  model: SelectableModel<V>,
  unit: string,
  signedVersion: unknown,
): SelectedVersion<V> {
  const overridden =
    model.overrides.get(unit) ??
    (typeof signedVersion === 'string' ? model.versions.get(signedVersion) : undefined)
  if (overridden !== undefined) return { version: overridden, reason: 'override' }
  const version = model.slots[slotOf(model.salt, unit)]
  if (version === undefined) throw new Error(`model ${model.id}: an allocation must own every slot`)
  return { version, reason: 'split' }
}
