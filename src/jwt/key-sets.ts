import { limits } from '../domain/limits.ts'
import type { KeySet, Snapshot } from '../domain/snapshot.ts'
import { createFairQueue, type QueueBounds } from './fair-queue.ts'
import {
  createFetchedKeySet,
  type FetchedKeySet,
  type KeyEvent,
  type KeyPace,
  type KeySetPlace,
  type SavedKeySet,
  usualPace,
} from './fetched-key-set.ts'
import type { FetchKeys } from './key-fetch.ts'

/**
 * All key sets that are fetched, beside the snapshots: a set lives for as long as any snapshot holds its issuer at its
 * URL, whatever else of the tenant changes meanwhile.
 */

export interface KeySetsOptions {
  readonly fetchKeys: FetchKeys
  readonly report: (event: KeyEvent) => void
  /** A fetch has succeeded: `savedKeys` says something new, if only a later `fetchedAt`. */
  readonly onKeysChanged?: () => void
  /** Default `usualPace`. */
  readonly pace?: KeyPace
  /** Unix time in milliseconds; default `Date.now`. */
  readonly clock?: () => number
}

export interface KeySets {
  /** Takes what `savedKeys` of an earlier process gave, for sets that are still to be made. */
  restore(saved: readonly SavedKeySet[]): void
  /** The set that is followed, or a new one, which fetches nothing until a snapshot holds it. */
  keySetFor(place: KeySetPlace): Promise<KeySet>
  /** Starts what this snapshot holds, and stops what it doesn't. */
  follow(snapshot: Snapshot): void
  savedKeys(): readonly SavedKeySet[]
  ages(): readonly KeySetAge[]
  /** By tenant, since this process began. */
  fetches(): ReadonlyMap<string, { readonly ok: number; readonly failed: number }>
  close(): void
}

interface KeySetAge {
  readonly tenantId: string
  readonly issuer: string
  /** Since the last successful fetch, or since the set was needed where none has succeeded. */
  readonly ageMs: number
}

/** A gateway that starts with thousands of tenants opens some connections at a time; each set waits for one at most. */
const fetchBounds: QueueBounds = {
  atOnceMax: limits.keyFetchesAtOnceMax,
  waitingPerLineMax: Number.POSITIVE_INFINITY,
  waitingMax: Number.POSITIVE_INFINITY,
}

export function createKeySets(options: KeySetsOptions): KeySets {
  const { fetchKeys, report, onKeysChanged, pace = usualPace, clock = Date.now } = options
  const turns = createFairQueue(fetchBounds)
  /** By tenant, so that one whose servers all hang keeps nobody else's keys away. */
  const fetchInTurn = (tenantId: string): FetchKeys => {
    const aborted = { failure: 'given up' }
    return async (url, signal) => {
      const run = async () => (signal.aborted ? aborted : fetchKeys(url, signal))
      return (await turns.run(tenantId, run)) ?? aborted
    }
  }
  const restoredByPlace = new Map<string, SavedKeySet>()
  /** Of an issuer in a snapshot: which set made its keys. Sets that no snapshot and no issuer holds are forgotten. */
  const made = new WeakMap<KeySet, FetchedKeySet>()
  const fetches = new Map<string, { ok: number; failed: number }>()
  let followed: ReadonlyMap<string, FetchedKeySet> = new Map()
  let closed = false

  async function create(place: KeySetPlace): Promise<FetchedKeySet> {
    const onFetched = (outcome: 'ok' | 'failed') => {
      countsOf(place.tenantId)[outcome]++
      if (outcome === 'ok') onKeysChanged?.()
    }
    const inTurn = fetchInTurn(place.tenantId)
    const set = createFetchedKeySet({ place, fetchKeys: inTurn, pace, clock, report, onFetched })
    const saved = restoredByPlace.get(idOf(place))
    if (saved !== undefined) await set.restore(saved)
    made.set(set, set)
    return set
  }

  function countsOf(tenantId: string) {
    const counts = fetches.get(tenantId) ?? { ok: 0, failed: 0 }
    fetches.set(tenantId, counts)
    return counts
  }

  return {
    restore(saved) {
      for (const each of saved) restoredByPlace.set(idOf(each), each)
    },
    async keySetFor({ tenantId, issuer, url }) {
      const place = { tenantId, issuer, url }
      return followed.get(idOf(place)) ?? create(place)
    },
    follow(snapshot) {
      if (closed) return
      const held = new Map<string, FetchedKeySet>()
      for (const { keySet } of snapshot.issuers.values()) {
        const set = made.get(keySet)
        if (set !== undefined) held.set(idOf(set.place), set)
      }
      for (const [id, set] of followed) if (held.get(id) !== set) set.stop()
      followed = held
      for (const [id, set] of held) {
        countsOf(set.place.tenantId)
        set.start()
        restoredByPlace.delete(id)
      }
    },
    savedKeys() {
      // A tenant that isn't loaded yet, or can't be, keeps what was restored for it.
      const waiting = [...restoredByPlace.values()].filter(
        ({ fetchedAt }) => clock() < fetchedAt + pace.serveMs,
      )
      const live = [...followed.values()].flatMap((set) => set.saved() ?? [])
      return [...waiting, ...live]
    },
    ages: () =>
      [...followed.values()].map((set) => ({
        tenantId: set.place.tenantId,
        issuer: set.place.issuer,
        ageMs: set.ageMs(),
      })),
    fetches: () => fetches,
    close() {
      closed = true
      for (const set of followed.values()) set.stop()
    },
  }
}

/** As JSON, so that no name can pass for two. */
function idOf({ tenantId, issuer, url }: KeySetPlace): string {
  return JSON.stringify([tenantId, issuer, url])
}
