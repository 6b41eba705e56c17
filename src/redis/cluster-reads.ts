import { type Cluster, Command, type Redis } from 'ioredis'
import { limits } from '../domain/limits.ts'
import type { Cause } from '../domain/reasons.ts'
import { bucketOf } from '../domain/row-key.ts'
import type { ActiveTable } from '../domain/snapshot.ts'
import { addNode, createSlotsRefresh, keyOf } from './cluster-slots.ts'
import { isAwaited, type ReadSender, type Settle, type WaitingRead } from './waiting-read.ts'

/** One row of one table that a read needs. */
interface Lookup {
  readonly waitingRead: WaitingRead
  readonly table: ActiveTable
  /** What made the read fall to control's table; null while it looks into its own. */
  readonly fellBy: Cause | null
  readonly redirections: number
}

const isRedirection = /^(MOVED|ASK) \d+ \S+:\d+$/

type Reply = readonly [record: Buffer | null, token: Buffer | null]

/** A bucket that is no hash is damaged like one without its token. */
const noReply: Reply = [null, null]

/**
 * Sends a turn's reads to the nodes that own their buckets' slots: one `HMGET bucket row ""` each, since no script
 * reaches across slots, and all that go to one node in one write. Control's row is asked for only where the own one is
 * missing, or its node away. A node that is away is not waited for; what was moved is followed as long as the read waits.
 *
 * Measured on three masters, 100 reads a turn: 4.2 µs of CPU a read with the sockets corked, 6.2 by pipelines, 10.4
 * with a write each, 11.3 through the Cluster client; with 8 reads a turn 11.4, 14.1, 14.7 and 17.4.
 */
export function createClusterReads(cluster: Cluster, settle: Settle): ReadSender {
  const refreshSlotsSoon = createSlotsRefresh(cluster)
  /** Lookups of control's rows that the replies of this turn asked for. */
  let siblings: Lookup[] = []

  function send(lookups: readonly Lookup[]): void {
    const nodes = new Map<string, Redis>()
    for (const node of cluster.nodes('master')) nodes.set(keyOf(node), node)
    const corked = new Set<Redis['stream']>()
    for (const lookup of lookups) {
      const command = commandOf(lookup, receive)
      const owner = cluster.slots[command.getSlot()]?.[0]
      const node = owner === undefined ? undefined : nodes.get(owner)
      if (node === undefined || !takesCommands(node)) {
        fail(lookup)
        continue
      }
      if (node.status === 'ready' && !corked.has(node.stream)) {
        node.stream.cork()
        corked.add(node.stream)
      }
      node.sendCommand(command)
    }
    for (const stream of corked) stream.uncork()
  }

  function receive(lookup: Lookup, error: Error | null, reply: Reply | undefined): void {
    if (error === null || error.message.startsWith('WRONGTYPE')) found(lookup, reply ?? noReply)
    else if (!isRedirection.test(error.message) || lookup.redirections === limits.redirectionsOfReadMax)
      fail(lookup)
    else if (!isAwaited(lookup.waitingRead)) fail(lookup)
    else follow({ ...lookup, redirections: lookup.redirections + 1 }, error.message)
  }

  /** What went wrong is counted as the cause, and reported by the client's error event. */
  function fail({ waitingRead, fellBy }: Lookup): void {
    refreshSlotsSoon()
    // Control's row is most likely on a node that lives.
    if (fellBy === null) missOwn(waitingRead, 'store')
    else settle(waitingRead, { from: 'none', cause: 'store' })
  }

  /** `MOVED SLOT HOST:PORT`, or `ASK SLOT HOST:PORT` while the slot is on its way there. */
  function follow(lookup: Lookup, redirection: string): void {
    const [kind, slot, address = ''] = redirection.split(' ')
    const node = cluster.nodes('all').find((each) => keyOf(each) === address) ?? addNode(cluster, address)
    const command = commandOf(lookup, receive)
    if (kind === 'ASK') node.asking().catch(() => undefined)
    else {
      const others = cluster.slots[Number(slot)]?.slice(1) ?? []
      if (Number(slot) === command.getSlot()) cluster.slots[Number(slot)] = [address, ...others]
      refreshSlotsSoon()
    }
    node.sendCommand(command)
  }

  function found({ waitingRead, table, fellBy }: Lookup, [record, token]: Reply): void {
    const isSound = token !== null && token.toString() === table.token
    if (isSound && record !== null)
      settle(
        waitingRead,
        fellBy === null ? { from: 'own', bytes: record } : { from: 'control', bytes: record, cause: fellBy },
      )
    else if (fellBy === null) missOwn(waitingRead, isSound ? 'unknown-row' : 'table-damaged')
    else settle(waitingRead, { from: 'none', cause: fellBy })
  }

  function missOwn(waitingRead: WaitingRead, cause: Cause): void {
    const { control } = waitingRead.read
    if (control === null) settle(waitingRead, { from: 'none', cause })
    else {
      if (siblings.length === 0) setImmediate(sendSiblings)
      siblings.push({ waitingRead, table: control, fellBy: cause, redirections: 0 })
    }
  }

  function sendSiblings(): void {
    const lookups = siblings
    siblings = []
    send(lookups)
  }

  return (reads) =>
    send(
      reads.map((waitingRead) => {
        const { own, control } = waitingRead.read
        // The reader answers a read that has neither by itself.
        if (own === null) return { waitingRead, table: control!, fellBy: 'no-table', redirections: 0 }
        return { waitingRead, table: own, fellBy: null, redirections: 0 }
      }),
    )
}

type Receive = (lookup: Lookup, error: Error | null, reply: Reply | undefined) => void

function commandOf(lookup: Lookup, receive: Receive): Command {
  const { table, waitingRead } = lookup
  const { rowKey } = waitingRead.read
  const key = table.bucketPrefix + bucketOf(rowKey, table.buckets)
  return new Command('hmget', [key, rowKey, ''], { replyEncoding: null }, (error, reply) =>
    receive(lookup, error ?? null, reply as Reply | undefined),
  )
}

/** One that is being connected takes them in; that is a matter of milliseconds, or ends in an error. */
function takesCommands({ status }: Redis): boolean {
  return status === 'ready' || status === 'connect' || status === 'connecting' || status === 'wait'
}
