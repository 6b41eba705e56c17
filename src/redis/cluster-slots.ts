import type { Cluster, Redis } from 'ioredis'
import { limits } from '../domain/limits.ts'

/** At most so often, however many connections break. */
const refreshMsMin = 500

/**
 * Keeps a client's picture of its Cluster right. ioredis drops a node whose connection broke, and looks for slots
 * again only where a node that it still knows says MOVED; a master that died would be missed until then. Here the slots
 * are read whenever a node is lost, until each has a master that can be reached. `onWhole` is called then.
 */
export function watchSlots(cluster: Cluster, onWhole: () => void): void {
  const refreshSoon = createSlotsRefresh(cluster)
  let wasWhole = false
  const look = () => {
    const whole = isWhole(cluster)
    if (whole && !wasWhole) onWhole()
    wasWhole = whole
  }
  // ioredis connects to a node at the first command for it, which would wait for that. Not before the client is ready: its
  // own check is refused by a node that is being connected, and starts all over.
  const connectMasters = () => {
    if (cluster.status !== 'ready') return
    for (const node of cluster.nodes('master'))
      if (node.status === 'wait') node.connect().catch(() => undefined)
  }
  cluster.on('ready', () => {
    connectMasters()
    look()
  })
  cluster.on('-node', (node: Redis) => {
    // One that a redirection named and that has no slot yet is dropped whenever slots are read: that says nothing.
    if (!cluster.slots.some(([owner]) => owner === keyOf(node))) return
    wasWhole = false
    refreshSoon()
  })
  cluster.on('+node', (node: Redis) => {
    catchAsking(node)
    // Also of a replica: it is connected when it becomes a master.
    node.on('ready', look)
    // Not in this turn: a command that was redirected to a new node is refused where that one is being connected.
    process.nextTick(connectMasters)
  })
}

/** As ioredis has it among a slot's owners. */
export function keyOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`
}

/** Whether every slot's master can be asked. */
export function isWhole(cluster: Cluster): boolean {
  return cluster.status === 'ready' && cluster.nodes('master').every((node) => node.status === 'ready')
}

/**
 * Makes a node known that a redirection names: one that is about to get its first slot is in no list of slots. ioredis
 * has this for itself, and refuses commands to such a node while it is being connected; the node itself takes them.
 *
 * @param address `HOST:PORT`
 */
export function addNode(cluster: Cluster, address: string): Redis {
  const { connectionPool } = cluster as unknown as Pooled
  const colon = address.lastIndexOf(':')
  return connectionPool.findOrCreate({
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
  })
}

/**
 * ioredis reads slots over a connection of its own, which it makes like one of a node's. No read goes there, so that
 * ioredis' plain time-out is good enough: a node that hangs must not keep others from being asked.
 */
export function endSilentRefreshes(cluster: Cluster): void {
  cluster.on('+node', (node: Redis) => {
    const duplicate = node.duplicate.bind(node)
    node.duplicate = (options) => duplicate({ ...options, socketTimeout: limits.greetingSilenceMsMin })
  })
}

/** What ioredis keeps from those who use it. */
interface Pooled {
  readonly connectionPool: { findOrCreate(node: { host: string; port: number }): Redis }
}

/** A function that has the slots read again, at most every half second. */
export function createSlotsRefresh(cluster: Cluster): () => void {
  let timer: NodeJS.Timeout | null = null
  let lastAt = Number.NEGATIVE_INFINITY

  function refresh(): void {
    timer = null
    lastAt = performance.now()
    if (cluster.status !== 'ready') return
    cluster.refreshSlotsCache((error) => {
      if (!error || cluster.status !== 'ready') return
      // Nobody whom the client knows answers: they may all have other addresses now, which the URL's hosts know.
      if (cluster.nodes('master').every((node) => node.status !== 'ready')) cluster.disconnect(true)
      else refreshSoon()
    })
  }

  function refreshSoon(): void {
    if (timer !== null) return
    timer = setTimeout(refresh, Math.max(0, lastAt + refreshMsMin - performance.now()))
    timer.unref()
  }

  return refreshSoon
}

/**
 * ioredis sends ASKING before a command that was redirected, and looks at neither its answer nor its error: where the
 * connection breaks at that moment, an unhandled rejection would end the process.
 */
function catchAsking(node: Redis): void {
  const asking = node.asking.bind(node)
  node.asking = () => {
    const asked = asking()
    asked.catch(() => undefined)
    return asked
  }
}
