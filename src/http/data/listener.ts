import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { afterAnswers } from '../after-answers.ts'
import { faultOf, originIn, type ParserError } from './broken-request.ts'

/** What one connection, and all of them, may take. */
export interface ListenerBounds {
  /** From a request's first byte to its last. */
  readonly requestTimeoutMs: number
  /** An idle connection stays open so long. */
  readonly keepAliveMs: number
  /** Connections beyond are closed unread. */
  readonly connectionsMax: number
  /** After so many a connection is closed, so that clients spread over gateways that came later. */
  readonly requestsPerConnectionMax: number
  /** Mean wait of requests for their turn of the event loop above which no connection is let in. */
  readonly turnWaitMsMax: number
}

export interface ListenerHandlers {
  readonly handle: RequestListener
  /** A request that HTTP doesn't allow; its connection ends with the answer. */
  readonly refuse: (...parameters: [...Parameters<RequestListener>, detail: string]) => void
  /** What never became a request; every answer that was due has been written. */
  readonly refuseSocket: (socket: Socket, code: ErrorCode, origin: string | undefined) => void
  /** Whether it may have a body that means something. */
  readonly takesBody: (request: IncomingMessage) => boolean
  /** Such a body does not come whole. The request is not answered yet, and its answer is the connection's last. */
  readonly failBody: (request: IncomingMessage, code: ErrorCode) => void
}

/** Node's HTTP server with every bound set, and with nothing answered past the handlers. */
export function createListener(bounds: ListenerBounds, handlers: ListenerHandlers): Server {
  const { requestTimeoutMs, keepAliveMs, connectionsMax, requestsPerConnectionMax } = bounds
  const { handle, refuse, refuseSocket, takesBody, failBody } = handlers
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: limits.lateRequestCheckMs,
    keepAliveTimeout: keepAliveMs,
    // Node would answer without a body; `faultOfRequest` looks.
    requireHostHeader: false,
    // Otherwise the first of two would count, and the second might be what a proxy before us looked at.
    joinDuplicateHeaders: true,
  })
  server.maxConnections = connectionsMax
  server.maxRequestsPerSocket = requestsPerConnectionMax
  /** The last request of a connection that has a body, which may still be on its way after the answer. */
  const bodies = new WeakMap<Duplex, Exchange>()
  const refused = new WeakSet<Duplex>()

  const onRequest: RequestListener = (request, response) => {
    const { headers } = request
    const fault = faultOfRequest(request)
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
      bodies.set(request.socket, { request, response })
    if (fault !== null || isLast(request, takesBody) || reachedMax(response)) response.shouldKeepAlive = false
    if (fault === null) handle(request, response)
    else refuse(request, response, fault)
  }
  server.on('request', onRequest)
  // The final answer comes at once, instead of a 100 that asks for the body (RFC 9110, 10.1.1).
  server.on('checkContinue', onRequest)
  // No expectation means anything here; RFC 9110 allows passing over them, and Node would answer without a body.
  server.on('checkExpectation', onRequest)
  server.on('connect', (_request, socket) => {
    // Node lets go of such a socket: without these, a reset would end the process, and nobody would see the end.
    socket.on('error', () => socket.destroy())
    socket.resume()
    afterAnswers(socket as Socket, () => refuseSocket(socket as Socket, 'method-not-allowed', undefined))
  })
  server.on('clientError', (error: ParserError, duplex) => {
    const socket = duplex as Socket
    // The parser fails again at every piece that follows.
    if (refused.has(socket)) return
    refused.add(socket)
    const fault = faultOf(error)
    // Browsers open connections that they may not need; there is nothing to answer.
    if (fault === null || socket.bytesRead === 0) {
      socket.destroy()
      return
    }
    const body = bodies.get(socket)
    const isBody = body?.request.complete === false
    if (isBody && !body.response.headersSent && takesBody(body.request)) {
      body.response.shouldKeepAlive = false
      failBody(body.request, fault)
      return
    }
    afterAnswers(socket, () => {
      // Its request has been answered.
      if (isBody) socket.destroy()
      else refuseSocket(socket, fault, originIn(error.rawPacket))
    })
  })
  return server
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/**
 * Bodies that are dropped are read to their end first; one that is large, or of no known length, is not worth it. One that
 * could have meant something is: a client that is cut while it writes may never read what is wrong.
 */
function isLast(request: IncomingMessage, takesBody: ListenerHandlers['takesBody']): boolean {
  const { headers } = request
  const bytes = Number(headers['content-length'] ?? 0)
  const isKnown = headers['transfer-encoding'] === undefined && headers.expect === undefined
  if (isKnown && bytes <= limits.bodyBytesDroppedMax) return false
  return bytes > limits.batchBodyBytesDroppedMax || !takesBody(request)
}

/** Node marks the last response that a connection may have, and leaves closing to `shouldKeepAlive`. */
function reachedMax(response: object): boolean {
  return (
    (response as { readonly maxRequestsOnConnectionReached?: boolean }).maxRequestsOnConnectionReached ===
    true
  )
}

/** The characters of RFC 3986's host and port; empty where the target has no authority. Never a comma: that is two. */
const hostValue = /^[\w\-.~%!$&'()*+;=[\]:]*$/

const slash = 47

/**
 * What Node's parser lets pass and RFC 9112 doesn't; null: nothing. Turns the other forms of a target into a path
 * (RFC 9112, 3.2), so that nothing behind meets them.
 */
function faultOfRequest(request: IncomingMessage): string | null {
  if (request.httpVersionMajor !== 1) return 'the protocol must be HTTP/1.1'
  const { host } = request.headers
  if (host === undefined) {
    if (request.httpVersionMinor > 0) return 'the header Host is missing'
  } else if (!hostValue.test(host)) return 'there must be one header Host, with a host and nothing else'
  const { url = '' } = request
  if (url.charCodeAt(0) === slash) return null
  const target = url === '*' && request.method === 'OPTIONS' ? wholeServer : pathOf(url)
  if (target === null) return 'the target must be a path'
  request.url = target
  return null
}

/** `OPTIONS *`: the methods are the same everywhere. */
const wholeServer = '/healthz'

/** Of the absolute form, as proxies get it and every server must take it. */
function pathOf(url: string): string | null {
  const [, rest] = /^https?:\/\/[^/?#]+(.*)$/i.exec(url) ?? []
  if (rest === undefined) return null
  return rest.startsWith('/') ? rest : `/${rest}`
}
