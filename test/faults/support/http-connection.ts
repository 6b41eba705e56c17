import { connect, type Socket } from 'node:net'

/**
 * A connection of the load generator: one request at a time, and of HTTP/1.1 no more than the gateway's answers need (a
 * status, a head, a Content-Length). A client library costs several times its CPU, and the generator shares the
 * machine with what it measures.
 */

export interface Answer {
  readonly status: number
  /** Latin-1, as it came. */
  readonly head: string
  readonly body: string
}

export type ConnectionEnd =
  /** Nothing was on its way. */
  | 'idle'
  /** A request was sent, and the answer hadn't begun. */
  | 'unanswered'
  /** The answer was cut. */
  | 'cut'
  /** The connection never came to be. */
  | 'refused'
  /** What came is no HTTP. */
  | 'malformed'

export interface HttpConnection {
  readonly port: number
  send(request: string): void
  /** Ends it; `onEnd` isn't called any more. */
  destroy(): void
}

export interface ConnectionEvents {
  onOpen(): void
  /** `isLast`: the server closes the connection after it. */
  onAnswer(answer: Answer, isLast: boolean): void
  onEnd(end: ConnectionEnd): void
}

export function openConnection(port: number, events: ConnectionEvents): HttpConnection {
  const socket: Socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let isOpen = false
  let isEnded = false
  let isWaiting = false
  let rest: Buffer | null = null

  function end(how: ConnectionEnd): void {
    if (isEnded) return
    isEnded = true
    socket.destroy()
    events.onEnd(how)
  }

  function read(chunk: Buffer): void {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk])
    rest = bytes
    const headEnd = bytes.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const head = bytes.toString('latin1', 0, headEnd + 2)
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1])
    const length = status === 304 ? 0 : Number(/\r\nContent-Length: *(\d+)\r\n/i.exec(head)?.[1])
    if (!isWaiting || Number.isNaN(status) || Number.isNaN(length)) {
      end('malformed')
      return
    }
    const bodyStart = headEnd + 4
    if (bytes.length < bodyStart + length) return
    if (bytes.length > bodyStart + length) {
      end('malformed')
      return
    }
    rest = null
    isWaiting = false
    const isLast = /\r\nConnection: *close\r\n/i.test(head)
    if (isLast) {
      isEnded = true
      socket.end()
    }
    events.onAnswer({ status, head, body: bytes.toString('utf8', bodyStart) }, isLast)
  }

  socket.on('connect', () => {
    isOpen = true
    events.onOpen()
  })
  socket.on('data', read)
  socket.on('error', () => undefined)
  socket.on('close', () =>
    end(!isOpen ? 'refused' : !isWaiting ? 'idle' : rest === null ? 'unanswered' : 'cut'),
  )
  return {
    port,
    send(request) {
      isWaiting = true
      socket.write(request, 'latin1')
    },
    destroy() {
      isEnded = true
      socket.destroy()
    },
  }
}
