import { limits } from '../domain/limits.ts'
import {
  type BreakerSurroundings,
  type CreateBreaker,
  createNodeBreaker,
  type NodeBreaker,
} from './node-breaker.ts'

/** As metrics show them. */
export interface CountedBreakers {
  /** Of every node that reads go to. */
  nodes(): readonly { readonly node: string; readonly isOpen: boolean }[]
  /** Times that one of them opened, since the process began. */
  opened(): number
}

export interface NodeBreakers extends CountedBreakers {
  readonly create: CreateBreaker
  get(node: string): NodeBreaker | undefined
  /** Drops those of nodes that there are no longer. */
  keep(nodes: ReadonlySet<string>): void
  stop(): void
}

/** Of one node too many: its reads have their deadlines alone. */
const unguarded: NodeBreaker = {
  isOpen: false,
  observe: () => undefined,
  reached: () => undefined,
  stop: () => undefined,
}

/** The breakers of all nodes, by the nodes' names. */
export function createNodeBreakers({ report, ...clocks }: BreakerSurroundings): NodeBreakers {
  const breakers = new Map<string, NodeBreaker>()
  let opened = 0
  const surroundings: BreakerSurroundings = {
    ...clocks,
    report(event) {
      if (event.event === 'opened') opened++
      report(event)
    },
  }
  return {
    nodes: () => [...breakers].map(([node, { isOpen }]) => ({ node, isOpen })),
    opened: () => opened,
    get: (node) => breakers.get(node),
    create(node, probe) {
      if (breakers.size >= limits.breakersMax) return unguarded
      const breaker = createNodeBreaker(node, probe, surroundings)
      breakers.set(node, breaker)
      return breaker
    },
    keep(nodes) {
      for (const [node, breaker] of breakers) {
        if (nodes.has(node)) continue
        breaker.stop()
        breakers.delete(node)
        if (breaker.isOpen) report({ event: 'gone', node })
      }
    },
    stop() {
      for (const breaker of breakers.values()) breaker.stop()
    },
  }
}
