import { z } from 'zod'
import { limits } from '../domain/limits.ts'
import type { SavedKeySet } from './fetched-key-set.ts'

const savedKeySets: z.ZodType<readonly SavedKeySet[]> = z.array(
  z.strictObject({
    tenantId: z.string(),
    issuer: z.string(),
    url: z.string(),
    fetchedAt: z.number(),
    keys: z.array(z.record(z.string(), z.string())).max(limits.keysPerIssuerMax),
  }),
)

/** What an earlier process has written. Throws where it is something else; the keys themselves are checked as fetched ones are. */
export function checkSavedKeys(value: unknown): readonly SavedKeySet[] {
  return savedKeySets.parse(value)
}
