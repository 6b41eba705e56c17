import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Where Node keeps the response that is being written. */
type AnsweringSocket = Socket & { readonly _httpMessage?: ServerResponse | null }

/**
 * Goes on when every request that came whole has its answer: a client takes what comes first for the answer to what
 * it asked first.
 */
export function afterAnswers(socket: Socket, goOn: () => void): void {
  const { _httpMessage: pending } = socket as AnsweringSocket
  if (pending) pending.once('close', () => afterAnswers(socket, goOn))
  else goOn()
}
