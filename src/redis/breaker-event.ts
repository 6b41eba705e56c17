/** What becomes of a node's breaker. */
export type BreakerEvent =
  | { readonly event: 'opened'; readonly node: string; readonly reason: string }
  | { readonly event: 'closed'; readonly node: string; readonly openMs: number }
  /** The Cluster lost the node while its breaker was open. */
  | { readonly event: 'gone'; readonly node: string }
