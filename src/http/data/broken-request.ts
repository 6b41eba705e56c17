import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { problemBody, problemHeaders, statusOf } from '../problem.ts'
import type { Cors } from './cors.ts'

/** What Node's parser says of bytes that it can't take. */
export interface ParserError extends NodeJS.ErrnoException {
  /** The piece at whose reading it failed; earlier ones of the same request are gone. */
  readonly rawPacket?: Buffer
  /** How far into that piece it came. */
  readonly bytesParsed?: number
}

/** What is wrong with bytes that never became a request; null: nothing is, the connection broke. */
export function faultOf(error: ParserError): ErrorCode | null {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout'
  if (error.code === 'HPE_HEADER_OVERFLOW') return endsInUrl(error) ? 'url-too-long' : 'headers-too-large'
  return error.code?.startsWith('HPE_') ? 'request-malformed' : null
}

/**
 * The parser counts the URL among the headers. It stopped in the request line if that line began in this piece, or
 * if the protocol comes next.
 */
function endsInUrl({ rawPacket, bytesParsed = 0 }: ParserError): boolean {
  if (rawPacket === undefined) return false
  const read = rawPacket.toString('latin1', 0, bytesParsed)
  const next = rawPacket.toString('latin1', bytesParsed, bytesParsed + 6)
  return next === ' HTTP/' || /^[A-Z]+ [^\n]*$/.test(read.slice(read.lastIndexOf('\r\n\r\n') + 1).trimStart())
}

/** As far as the piece has it. */
export function originIn(packet: Buffer | undefined): string | undefined {
  return /\r\norigin:[ \t]*([^\r\n]*?)[ \t]*\r\n/i.exec(packet?.toString('latin1') ?? '')?.[1]
}

/** Answers where there is no response object, and ends the connection. */
export function refuseOnSocket(
  socket: Socket,
  code: ErrorCode,
  { cors, origin }: { readonly cors: Cors | null; readonly origin: string | undefined },
): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOf[code]
  const body = problemBody(code, details[code] ?? 'the request can not be parsed as HTTP/1.1')
  const length = String(Buffer.byteLength(body))
  const fields = [...problemHeaders(code), 'Content-Length', length, 'Connection', 'close']
  cors?.expose(fields, origin)
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
  for (let index = 0; index < fields.length; index += 2) head += `${fields[index]}: ${fields[index + 1]}\r\n`
  socket.end(`${head}\r\n${body}`)
  // Closing at once, with bytes unread, would reset the connection, and the client might lose the answer.
  const lingering = setTimeout(() => socket.destroy(), limits.lingerMsMax)
  socket.once('close', () => clearTimeout(lingering))
}

const details: Partial<Record<ErrorCode, string>> = {
  'headers-too-large': `the request line and headers must be at most ${limits.headerBytesMax} bytes`,
  'method-not-allowed': 'the gateway is no proxy',
  'request-timeout': 'the request did not arrive in time',
  'url-too-long': `the URL must be at most ${limits.urlBytesMax} bytes`,
}
