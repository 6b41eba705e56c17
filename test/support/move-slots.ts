import type { ClusterServers, Server } from './redis-topologies.ts'
import { until } from './until.ts'

/** Slots that move from one node of a Cluster to another while it is asked. */

export async function slotsWithRows({ client }: Server): Promise<number[]> {
  const keys = await client.keys('rg:t:*')
  const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))
  return [...new Set(slots)]
}

interface Move {
  readonly slot: number
  readonly from: Server
  readonly to: Server
  readonly password?: string
  /** Between two steps. */
  between(): Promise<void>
}

/** As `redis-cli --cluster reshard` moves one, but slowly: every state that it passes through is asked about. */
export async function moveSlot(
  cluster: ClusterServers,
  { slot, from, to, password, between }: Move,
): Promise<void> {
  const auth = password === undefined ? [] : ['AUTH', password]
  const [fromId, toId] = await Promise.all([from, to].map(({ client }) => client.cluster('MYID')))
  await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId!)
  await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId!)
  await between()
  for (const key of await from.client.cluster('GETKEYSINSLOT', slot, 1_000)) {
    await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, ...auth, 'KEYS', key)
    await between()
  }
  await to.client.cluster('SETSLOT', slot, 'NODE', toId!)
  await between()
  await from.client.cluster('SETSLOT', slot, 'NODE', toId!)
  await until('every node knows the new owner', async () => (await cluster.ownerOf(slot)) === to)
}
