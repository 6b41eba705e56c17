import { z } from 'zod'
import type { SavedCatalog, SavedTenant } from '../catalog/ports.ts'
import { FaultsError } from '../domain/errors.ts'
import { faultsOf } from '../domain/zod-faults.ts'
import type { StateDirectory } from './state-directory.ts'

/** One file a tenant, so that a change writes that tenant alone. */
const prefix = 'tenant.'

const savedTenant = z.strictObject({
  tenantId: z.string(),
  revision: z.int().min(1),
  token: z.string().min(1),
  document: z.string(),
  state: z.string(),
  savedAt: z.iso.datetime(),
})

export function createSavedCatalog(directory: StateDirectory): SavedCatalog {
  return {
    async *load() {
      for (const name of await directory.names(prefix)) {
        const saved = await directory.read(name, (value) => checkSaved(value, name, directory.fileOf(name)))
        if (saved !== null) yield saved
      }
    },
    save(stored) {
      directory.write(prefix + stored.tenantId, { ...stored, savedAt: new Date().toISOString() })
    },
  }
}

function checkSaved(value: unknown, name: string, file: string): SavedTenant {
  const parsed = savedTenant.safeParse(value)
  if (!parsed.success) throw new FaultsError('holds no saved tenant', faultsOf(parsed.error))
  const { savedAt, ...stored } = parsed.data
  if (prefix + stored.tenantId !== name)
    throw new FaultsError('holds no saved tenant', [
      { path: 'tenantId', problem: `is "${stored.tenantId}", another tenant than the file's` },
    ])
  return { stored, savedAt: new Date(savedAt), file }
}
