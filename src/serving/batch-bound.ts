/** How many batches a process has at one time: each keeps a body and an answer, which may be large. */
export interface BatchBound {
  /** Null: there are too many, of this tenant or of all. Else what gives the place back; calling it again does nothing. */
  enter(tenantId: string): (() => void) | null
}

export function createBatchBound(max: number, perTenantMax: number): BatchBound {
  const byTenant = new Map<string, number>()
  let all = 0

  function leave(tenantId: string): void {
    const own = byTenant.get(tenantId)! - 1
    all--
    if (own === 0) byTenant.delete(tenantId)
    else byTenant.set(tenantId, own)
  }

  return {
    enter(tenantId) {
      const own = byTenant.get(tenantId) ?? 0
      if (all >= max || own >= perTenantMax) return null
      all++
      byTenant.set(tenantId, own + 1)
      let isIn = true
      return () => {
        if (isIn) leave(tenantId)
        isIn = false
      }
    },
  }
}
