import type { CatalogAnnouncements } from '../catalog/ports.ts'
import type { SubscriberClients } from './client.ts'
import { reconnectDelayMs } from './client-options.ts'
import { catalogKeys } from './keys.ts'

export interface AnnouncementsOptions {
  readonly clients: SubscriberClients
  /** How often a connection is asked whether it lives: one that a firewall forgot is as silent as one that works. */
  readonly heartbeatMs?: number
  /** How long it may take to connect and subscribe, and to answer a heartbeat. */
  readonly answerMs?: number
}

/** Subscribes anew whenever its connection breaks or falls silent, for ever. */
export function createCatalogAnnouncements({
  clients,
  heartbeatMs = 5_000,
  answerMs = 2_000,
}: AnnouncementsOptions): CatalogAnnouncements {
  let closed = false
  let attempts = 0
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  let endConnection = () => {}

  /** One connection's life; `onTried` tells that it has subscribed, or will not. */
  function listen(onChange: (tenantId: string | null) => void, onTried: () => void): void {
    if (closed) return
    const client = clients.connect(attempts++)
    /** Either the answer is due by then, or the next heartbeat is. */
    let timer = setTimeout(fallSilent, answerMs)
    let isOver = false

    function end(): void {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      client.removeAllListeners('message')
      client.disconnect()
      onTried()
      if (!closed) retry = setTimeout(listen, reconnectDelayMs(++failures), onChange, onTried)
    }

    function fail(error: Error): void {
      if (!isOver) clients.failed(error)
      end()
    }

    function fallSilent(): void {
      fail(new Error(`no answer within ${answerMs} ms`))
    }

    function beatLater(): void {
      clearTimeout(timer)
      if (!isOver) timer = setTimeout(beat, heartbeatMs)
    }

    function beat(): void {
      timer = setTimeout(fallSilent, answerMs)
      client.ping().then(beatLater, fail)
    }

    function subscribed(): void {
      beatLater()
      if (isOver) return
      failures = 0
      clients.subscribed()
      // What changed while nobody listened is not announced again.
      onChange(null)
      onTried()
    }

    endConnection = end
    client.on('message', (_channel: string, tenantId: string) => onChange(tenantId))
    client.once('ready', () => client.subscribe(catalogKeys.changes).then(subscribed, fail))
    client.once('end', end)
  }

  return {
    /** Resolves when the first connection has subscribed, or has failed to; the poll covers the time until one does. */
    subscribe: (onChange) => new Promise((resolve) => listen(onChange, resolve)),
    async close() {
      closed = true
      clearTimeout(retry)
      endConnection()
    },
  }
}
