import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { limits } from '../domain/limits.ts'
import { afterAnswers } from './after-answers.ts'

export interface CloseBounds {
  /** For a request that is still on its way, and for connections on which nothing came. */
  readonly arrivingMsMax: number
  /** For an answer that is due. */
  readonly answeringMsMax: number
}

const usual: CloseBounds = { arrivingMsMax: limits.closeArrivingMsMax, answeringMsMax: limits.closeMsMax }

/**
 * How to close a listener within a bound, whatever its clients do. Node closes idle connections only, for which it
 * doesn't take those on which nothing or half a request came, and stops looking for late ones: one client that says
 * nothing would hold up the end for as long as it likes.
 */
export function closerOf(app: FastifyInstance, bounds: CloseBounds = usual): () => Promise<void> {
  const open = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return async () => {
    const timers = [
      setTimeout(() => {
        for (const socket of open) afterAnswers(socket, () => socket.destroySoon())
      }, bounds.arrivingMsMax),
      // Not `closeAllConnections`, which knows none that asked for CONNECT.
      setTimeout(() => {
        for (const socket of open) socket.destroy()
      }, bounds.answeringMsMax),
    ]
    try {
      await app.close()
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }
}
