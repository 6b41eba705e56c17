import { type Refusal, refuse } from '../domain/errors.ts'

/** How many batches a process has at one time: each keeps a body and an answer, which may be large. */
export interface BatchBound {
  /** What gives the place back, and does nothing when called again; or why there is none. */
  enter(tenantId: string): (() => void) | Refusal
}

const ownAreTooMany = refuse(
  'quota-exceeded',
  'too many batches of this studio are being answered; come back in a moment',
)
const allAreTooMany = refuse('busy', 'too many batches are being answered; come back in a moment')

/**
 * A tenant may have as many as are still free, and no more than `perTenantMax`: so whoever else comes finds room, and
 * where one tenant is alone it isn't held to a share that nobody needs.
 */
export function createBatchBound(max: number, perTenantMax: number): BatchBound {
  const byTenant = new Map<string, number>()
  let free = max

  function leave(tenantId: string): void {
    const own = byTenant.get(tenantId)! - 1
    free++
    if (own === 0) byTenant.delete(tenantId)
    else byTenant.set(tenantId, own)
  }

  return {
    enter(tenantId) {
      const own = byTenant.get(tenantId) ?? 0
      if (free === 0) return allAreTooMany
      if (own >= Math.min(free, perTenantMax)) return ownAreTooMany
      free--
      byTenant.set(tenantId, own + 1)
      let isIn = true
      return () => {
        if (isIn) leave(tenantId)
        isIn = false
      }
    },
  }
}
