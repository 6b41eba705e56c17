import { OperationError } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { LeaseName, LeaseStore } from './ports.ts'

/** Who holds a lease, for whoever finds it taken. */
export interface LeaseHolder {
  /** Random: tells two holders of one name apart. */
  readonly token: string
  readonly by: string
  /** RFC 3339. */
  readonly since: string
}

export interface HeldLease {
  /** The holder's. */
  readonly token: string
  /** Throws OperationError where it is another's by now. */
  renew(): Promise<void>
  /**
   * Renews no more: `text` stands for it, for so long. False: it is another's by now, or has lapsed.
   */
  handOver(text: string, leaseMs: number): Promise<boolean>
  /** Never fails: what can't be released lapses. */
  release(): Promise<void>
}

/**
 * Takes a lease and keeps renewing it in the background, until `release`. A process that was stopped for longer than
 * `limits.leaseMs` may find it taken, which `renew` tells. Null with the holder: it is another's already.
 */
export async function holdLease(
  leases: LeaseStore,
  name: LeaseName,
  holder: LeaseHolder,
): Promise<
  { readonly held: HeldLease } | { readonly held: null; readonly by: string; readonly text: string }
> {
  const text = JSON.stringify(holder)
  const other = await leases.take(name, text, limits.leaseMs)
  if (other !== null) return { held: null, by: describeHolder(other), text: other }
  let isLost = false

  async function renew(): Promise<void> {
    if (!isLost) isLost = !(await leases.renew(name, text, limits.leaseMs))
    if (isLost) throw new OperationError(`${describeLease(name)} was taken over by another process`)
  }

  // An error here is the next command's, too, which tells of it.
  const timer = setInterval(() => void renew().catch(() => undefined), limits.leaseRenewMs)
  timer.unref()
  return {
    held: {
      token: holder.token,
      renew,
      async handOver(next, leaseMs) {
        clearInterval(timer)
        return leases.replace(name, text, next, leaseMs)
      },
      async release() {
        clearInterval(timer)
        await leases.release(name, text).catch(() => undefined)
      },
    },
  }
}

function describeLease(name: LeaseName): string {
  switch (name.lease) {
    case 'version':
    case 'run':
      return `the publishing of ${name.modelId}/${name.versionId}`
    case 'shard':
      return `shard ${name.shard} of generation ${name.generation} of ${name.modelId}`
    case 'finisher':
      return `the verification of generation ${name.generation} of ${name.modelId}`
    case 'collector':
      return `the collection of tenant ${name.tenantId}'s tables`
  }
}

/** For people; also of what nobody here could have written. */
export function describeHolder(text: string): string {
  const { by, since } = parseHolder(text) ?? { by: 'somebody', since: 'an unknown time' }
  return `${by}, since ${since}`
}

/** The token of whoever holds a lease; null where nobody does. */
export async function leaseToken(leases: LeaseStore, name: LeaseName): Promise<string | null> {
  const text = await leases.holder(name)
  return text === null ? null : (parseHolder(text)?.token ?? null)
}

function parseHolder(text: string): LeaseHolder | null {
  try {
    return JSON.parse(text) as LeaseHolder
  } catch {
    return null
  }
}
