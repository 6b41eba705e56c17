import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type Redis, type RedisOptions, SentinelConnector } from 'ioredis'
import type { RedisNode } from './endpoint.ts'

/**
 * ioredis' own connectors hear the first error of a socket only. A TLS socket may have a second one, e.g. the server's
 * alert after a certificate that wasn't trusted, and an error that nobody hears ends the process.
 */
function hearEveryError<Stream extends Socket>(stream: Stream, onError: (error: Error) => void): Stream {
  return stream.on('error', onError)
}

type OnError = (server: RedisNode, error: Error) => void

/** A server's INFO, field by field; empty where an ACL forbids it. */
type Info = Readonly<Record<string, string>>

/**
 * To one server. `onError` is told of its sockets' errors, which ioredis keeps to itself where it only looks around.
 * `isFit` judges the server by its INFO, before any command; one that isn't is left, and tried again.
 */
export function createDirectConnector(
  onError: OnError = () => undefined,
  isFit: (info: Info) => boolean = () => true,
) {
  return class extends AbstractConnector {
    readonly #options: RedisOptions

    constructor(options: unknown) {
      const { disconnectTimeout = 0 } = options as RedisOptions
      super(disconnectTimeout)
      this.#options = options as RedisOptions
    }

    override check(info: Info): boolean {
      return isFit(info)
    }

    override async connect(): Promise<AbstractConnector['stream']> {
      this.connecting = true
      const { host = 'localhost', port = 6_379, tls } = this.#options
      // ioredis' listeners belong to the next turn.
      await new Promise((resolve) => process.nextTick(resolve))
      if (!this.connecting) throw new Error('Connection is closed.')
      const stream = tls ? connectTls({ host, port, ...tls }) : createConnection({ host, port })
      this.stream = hearEveryError(stream, (error) => onError({ host, port }, error))
      stream.once('error', (error) => {
        this.firstError = error
      })
      return stream
    }
  }
}

/** What ioredis keeps from those who use it. */
interface Asking {
  connectToSentinel(sentinel: RedisNode, options?: RedisOptions): Redis
}

/** To the master that Sentinels name. `onError` is told why one of them can't be asked, which ioredis says nowhere. */
export function createSentinelConnector(onError: OnError) {
  const Connector = createDirectConnector()
  return class extends SentinelConnector {
    constructor(options: unknown) {
      super(options as ConstructorParameters<typeof SentinelConnector>[0])
      const { sentinelCommandTimeout: connectTimeout } = options as RedisOptions
      const asking = this as unknown as Asking
      const connectToSentinel = asking.connectToSentinel.bind(this)
      asking.connectToSentinel = (sentinel, more) => {
        const client = connectToSentinel(sentinel, {
          ...more,
          Connector,
          disableClientInfo: true,
          // Else it is the one of the connection to the master.
          ...(connectTimeout === undefined ? {} : { connectTimeout }),
        })
        client.on('error', (error) => onError(sentinel, error))
        return client
      }
    }

    override async connect(emit: Parameters<SentinelConnector['connect']>[0]) {
      return hearEveryError(await super.connect(emit), () => undefined)
    }
  }
}
