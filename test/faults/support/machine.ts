import { missingForTopologies } from '../../support/redis-topologies.ts'

/** What a scenario needs of the machine. */

export async function cannotRunTopologies(): Promise<string | null> {
  const missing = await missingForTopologies()
  return missing === null ? null : `install ${missing}`
}
