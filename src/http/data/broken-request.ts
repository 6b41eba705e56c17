import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../../domain/errors.ts'
import { problemBody, problemHeaders, statusOf } from '../problem.ts'

/** What Node's parser calls the errors that have a code of their own; every other one is `request-malformed`. */
const codeOf: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
}

const details: Partial<Record<ErrorCode, string>> = {
  'headers-too-large': 'the request line and headers are too large',
  'request-timeout': 'the request did not arrive in time',
}

/**
 * Answers bytes that never became a request; there is no response object yet, so the text goes to the socket.
 * Gives the code that it answered with, or null where nobody is there to answer.
 */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): ErrorCode | null {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return null
  }
  const code = codeOf[error.code ?? ''] ?? 'request-malformed'
  const status = statusOf[code]
  const body = problemBody(code, details[code] ?? 'the request can not be parsed as HTTP')
  const fields = [
    ...problemHeaders(code),
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Connection',
    'close',
  ]
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
  for (let index = 0; index < fields.length; index += 2) head += `${fields[index]}: ${fields[index + 1]}\r\n`
  socket.end(`${head}\r\n${body}`)
  return code
}
