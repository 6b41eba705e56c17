import { LRUCache } from 'lru-cache'
import { limits } from '../domain/limits.ts'
import type { CompiledTenant, Snapshot } from '../domain/snapshot.ts'

/**
 * Copies of records that Redis gave, in this process: what answers where Redis doesn't, and, where a model says so, what
 * saves reads. A copy lies under its generation and row key, so that a publish or a rollback changes what is asked for
 * and never what is kept; an erasure voids all of a tenant's copies.
 *
 * All copies together stay within one bound of bytes. Where they reach it, the tenant that has most gives up the ones
 * that it used longest ago: of n tenants each is sure of an nth, and what others leave unused is anybody's.
 */
export interface NearCache {
  copiesOf(tenant: Pick<CompiledTenant, 'id' | 'erasures'>): TenantCopies
  /** Gives up what this snapshot voids. To be called at each swap, before the snapshot's first request. */
  follow(snapshot: Snapshot): void
  /** By tenant. */
  counts(): ReadonlyMap<string, NearCacheCounts>
}

/** One tenant's copies, up to its next erasure; from then on it holds nothing, and keeps nothing that a late read brings. */
export interface TenantCopies {
  /** Counts as a use of it. */
  find(key: string): Copy | undefined
  /** @param now milliseconds, on the clock of whoever asks for the copy's age */
  keep(key: string, bytes: Uint8Array, now: number): void
  drop(key: string): void
  /** Tells that a copy answered, and as what. */
  answered(as: 'fresh' | 'stale'): void
}

interface Copy {
  readonly packed: string
  readonly keptAt: number
}

/** What a kept copy says. */
export function bytesOf({ packed }: Copy): Uint8Array {
  return Buffer.from(packed, 'latin1')
}

interface NearCacheCounts {
  readonly entries: number
  readonly bytes: number
  readonly fresh: number
  readonly stale: number
  /** Given up for lack of room. */
  readonly evicted: number
}

/**
 * Packed bytes, one a character: small and with nothing beside it. A Buffer from a reply is a slice of its 64 kB, and
 * would keep them all. Measured with 1 M records of 24 bytes on Node 24, key and index included: 235 bytes a copy as a
 * text, 323 as a Buffer of the pool, 435 as one of its own.
 */
interface KeptCopy extends Copy {
  packed: string
  /** Whole milliseconds, which V8 keeps in the object itself. */
  keptAt: number
}

interface Share {
  readonly erasures: number
  readonly counts: { fresh: number; stale: number; evicted: number }
  readonly copies: TenantCopies
  /** Null once an erasure has voided it: requests, and targets kept with their tokens, may still hold the share. */
  lru: LRUCache<string, KeptCopy> | null
}

/** Room is made for some hundred copies at a time, so that not each of them looks for the tenant that has most. */
const roomShare = 1 / 1024

/** @param bytesMax 0 keeps nothing */
export function createNearCache(bytesMax: number): NearCache {
  const shares = new Map<string, Share>()
  let bytes = 0

  function createShare(erasures: number, counts: Share['counts']): Share {
    const lru = new LRUCache<string, KeptCopy>({
      maxSize: Math.max(1, bytesMax),
      dispose(_copy, _key, reason) {
        if (reason === 'evict') counts.evicted++
      },
    })
    const share: Share = {
      erasures,
      counts,
      lru,
      copies: {
        find: (key) => share.lru?.get(key),
        keep: (key, record, now) => keep(share, key, latin1Of(record), Math.trunc(now)),
        drop: (key) => counted(share, (kept) => kept.delete(key)),
        answered: (as) => void counts[as]++,
      },
    }
    return share
  }

  function keep(share: Share, key: string, packed: string, keptAt: number): void {
    const kept = share.lru?.get(key)
    if (kept !== undefined && kept.packed.length === packed.length) {
      kept.packed = packed
      kept.keptAt = keptAt
      return
    }
    const size = sizeOf(key, packed)
    counted(share, (lru) => lru.set(key, { packed, keptAt }, { size }))
    if (bytes > bytesMax) makeRoom()
  }

  function counted({ lru }: Share, change: (lru: LRUCache<string, KeptCopy>) => void): void {
    if (lru === null) return
    const before = lru.calculatedSize
    change(lru)
    bytes += lru.calculatedSize - before
  }

  function makeRoom(): void {
    const [first, ...others] = shares.values()
    let largest = first!
    for (const share of others) if (bytesIn(share) > bytesIn(largest)) largest = share
    const target = bytesMax * (1 - roomShare)
    while (bytes > target && bytesIn(largest) > 0) counted(largest, (lru) => lru.pop())
  }

  /** The copies are left to the garbage collector: taking them out one by one would hold requests up. */
  function makeVoid(share: Share): void {
    bytes -= bytesIn(share)
    share.lru = null
  }

  return {
    copiesOf({ id, erasures }) {
      const known = shares.get(id)
      if (known !== undefined) return known.copies
      const share = createShare(erasures, { fresh: 0, stale: 0, evicted: 0 })
      shares.set(id, share)
      return share.copies
    },
    follow({ tenants }) {
      for (const [id, share] of shares) {
        const tenant = tenants.get(id)
        if (tenant?.erasures === share.erasures) continue
        makeVoid(share)
        if (tenant === undefined) shares.delete(id)
        else shares.set(id, createShare(tenant.erasures, share.counts))
      }
    },
    counts: () =>
      new Map(
        [...shares].map(([id, share]) => [
          id,
          { ...share.counts, entries: share.lru?.size ?? 0, bytes: bytesIn(share) },
        ]),
      ),
  }
}

function bytesIn({ lru }: Share): number {
  return lru?.calculatedSize ?? 0
}

function latin1Of(record: Uint8Array): string {
  const bytes =
    record instanceof Buffer ? record : Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  return bytes.toString('latin1')
}

/** A key with one character beyond Latin-1 takes two bytes for each. */
function sizeOf(key: string, packed: string): number {
  const keyBytes = Buffer.byteLength(key) === key.length ? key.length : 2 * key.length
  return limits.nearCacheEntryBytes + keyBytes + packed.length
}
