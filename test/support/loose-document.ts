/**
 * Documents that tests change before these are checked: the outline is typed, so that tests can reach every place, and
 * what stands there is not, so that they can put anything in it.
 */

export type Mapping = Record<string, unknown>

/** The places of the sample documents that tests change; a sample may lack those that its tests don't use. */
export interface LooseDocument extends Mapping {
  tenant?: unknown
  issuers: [Mapping, ...Mapping[]]
  claims: Mapping
  quota: { burst?: unknown }
  models: { games: LooseModel; [id: string]: LooseModel }
}

export interface LooseModel extends Mapping {
  key: [Mapping, ...Mapping[]]
  public?: unknown
  record: { games: { items: Mapping }; hours_played: Mapping; [field: string]: Mapping }
  default: Mapping
  maxAgeSeconds?: unknown
  maxAgeHours?: unknown
  deadlineMs?: unknown
  versions: string[]
  control?: unknown
  weights: { itemcf?: unknown }
  overrides: Mapping
  gates?: unknown
  ignoredParameters?: unknown
}

/** Takes a field away, also one without which the outline is broken. */
export function leaveOut(mapping: object, field: string): void {
  Reflect.deleteProperty(mapping, field)
}
