/** How many batches a process has at one time: each keeps a body and an answer, which may be large. */
export interface BatchBound {
  /** False: there are too many, of this tenant or of all. One that was let in must `leave`. */
  enter(tenantId: string): boolean
  leave(tenantId: string): void
}

export function createBatchBound(max: number, perTenantMax: number): BatchBound {
  const byTenant = new Map<string, number>()
  let all = 0
  return {
    enter(tenantId) {
      const own = byTenant.get(tenantId) ?? 0
      if (all >= max || own >= perTenantMax) return false
      all++
      byTenant.set(tenantId, own + 1)
      return true
    },
    leave(tenantId) {
      const own = byTenant.get(tenantId)! - 1
      all--
      if (own === 0) byTenant.delete(tenantId)
      else byTenant.set(tenantId, own)
    },
  }
}
