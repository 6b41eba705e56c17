import type { Redis } from 'ioredis'
import { isCluster, mastersOf, type RedisClient } from './client.ts'

/**
 * By default a Cluster answers for no slot as long as one has no master, so that one node's death costs the rows of all.
 * Nothing tells that but CONFIG, which managed Redis and the ACL of docs/redis.md refuse: it is asked where a script says that
 * it may be, since a refusal would stand in the server's ACL LOG.
 */
const setting = 'cluster-require-full-coverage'

/** Redis 7.0 and later; `acl_check_cmd` writes nothing into a log, and is an error for a command that was taken away. */
const mayAsk = `return redis.acl_check_cmd('config', 'get', '${setting}') and 1 or 0`

/** Calls `onRequired` once where one of a Cluster's masters says so, after whichever connection. */
export function watchCoverage(client: RedisClient, onRequired: () => void): void {
  if (!isCluster(client)) return
  let isTold = false
  client.on('ready', async () => {
    const required = await Promise.all(mastersOf(client).map(requiresFullCoverage))
    if (isTold || !required.includes(true)) return
    isTold = true
    onRequired()
  })
}

/** False, too, where it can't be asked. */
async function requiresFullCoverage(master: Redis): Promise<boolean> {
  try {
    if ((await master.call('EVAL_RO', mayAsk, '0')) !== 1) return false
    const found = await master.call('CONFIG', 'GET', setting)
    return Object.values(found as object).includes('yes')
  } catch {
    return false
  }
}
