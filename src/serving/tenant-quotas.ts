import { type Refusal, refuse, refuseTo } from '../domain/errors.ts'
import type { CompiledTenant, Snapshot, TenantQuota } from '../domain/snapshot.ts'
import { type BucketShape, TokenBucket } from './token-bucket.ts'

/** What each tenant may still ask of this process. A document's quota is the fleet's: each process gives its share of it. */
export interface TenantQuotas {
  /**
   * Charges one request of a verified token, or so many units of a batch, all of them or none; null: it may go on, and must
   * `leave` with as many when it is answered.
   */
  enter(tenant: CompiledTenant, units?: number): Refusal | null
  leave(tenant: CompiledTenant, units?: number): void
  /** Takes quotas over from a newer snapshot; what was spent before stays spent. */
  follow(snapshot: Pick<Snapshot, 'tenants'>): void
  /** How many processes share each quota from now on; 1 or more. */
  shareAmong(processes: number): void
}

const overQuota = refuse('quota-exceeded', 'there are more requests than have been agreed upon')

interface Spent {
  quota: TenantQuota
  readonly bucket: TokenBucket
  concurrencyMax: number
  inProgress: number
  /** Made once: refusing must cost less than answering. */
  readonly refusal: Refusal
}

/** `clock` gives milliseconds that never run backwards. */
export function createTenantQuotas(clock: () => number = () => performance.now()): TenantQuotas {
  const byTenant = new Map<string, Spent>()
  let processes = 1

  function shape(spent: Spent, quota: TenantQuota): void {
    spent.quota = quota
    spent.concurrencyMax = concurrencyShare(quota, processes)
    spent.bucket.reshape(bucketShare(quota, processes), clock())
  }

  return {
    enter({ id, quota }, units = 1) {
      if (quota === null) return null
      const spent = byTenant.get(id)
      // The snapshot is newer than what was followed: a matter of one turn.
      if (spent === undefined) return null
      if (spent.inProgress + units > spent.concurrencyMax || !spent.bucket.take(clock(), units))
        return refusalOf(spent, units)
      spent.inProgress += units
      return null
    },

    leave({ id, quota }, units = 1) {
      if (quota === null) return
      const spent = byTenant.get(id)
      // It may have entered before there was a quota.
      if (spent !== undefined) spent.inProgress = Math.max(0, spent.inProgress - units)
    },

    follow({ tenants }) {
      for (const id of byTenant.keys()) if (!tenants.get(id)?.quota) byTenant.delete(id)
      for (const { id, quota } of tenants.values()) {
        if (quota === null) continue
        const spent = byTenant.get(id)
        if (spent !== undefined) {
          if (!isSame(spent.quota, quota)) shape(spent, quota)
          continue
        }
        byTenant.set(id, {
          quota,
          bucket: new TokenBucket(bucketShare(quota, processes), clock()),
          concurrencyMax: concurrencyShare(quota, processes),
          inProgress: 0,
          refusal: refuseTo(id, overQuota),
        })
      }
    },

    shareAmong(count) {
      if (count === processes) return
      processes = count
      for (const spent of byTenant.values()) shape(spent, spent.quota)
    },
  }
}

/** What no waiting helps is none of the refusals that say when to come back. */
function refusalOf({ refusal, bucket, concurrencyMax }: Spent, units: number): Refusal {
  const unitsMax = Math.floor(Math.min(bucket.burst, concurrencyMax))
  if (units <= unitsMax) return refusal
  return {
    ...refusal,
    refused: 'batch-too-large',
    detail: `the quota lets ${unitsMax} units at once pass here, and this batch has ${units}; ask in smaller ones`,
  }
}

/** A burst of less than one request would refuse everything. */
function bucketShare({ requestsPerSecond, burst }: TenantQuota, processes: number): BucketShape {
  return { perSecond: requestsPerSecond / processes, burst: Math.max(1, burst / processes) }
}

function concurrencyShare({ concurrency }: TenantQuota, processes: number): number {
  return Math.max(1, Math.floor(concurrency / processes))
}

function isSame(a: TenantQuota, b: TenantQuota): boolean {
  return a.requestsPerSecond === b.requestsPerSecond && a.burst === b.burst && a.concurrency === b.concurrency
}
