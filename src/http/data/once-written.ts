import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** One listener a connection, however many of its requests wait for their answers. */
const waiting = new WeakMap<Socket, Set<() => void>>()

/**
 * Calls back once Node keeps nothing of this answer: when the kernel has taken all of it, or its connection is gone,
 * which may be now.
 */
export function onceWritten(response: ServerResponse, callBack: () => void): void {
  // The request's: a response that waits behind another one of its connection has no socket yet, and where the
  // connection ends before its turn, it never closes.
  const { socket } = response.req
  if (response.writableFinished || socket.destroyed) {
    callBack()
    return
  }
  const callBacks = waiting.get(socket) ?? callBacksOf(socket)
  callBacks.add(callBack)
  response.once('finish', () => {
    if (callBacks.delete(callBack)) callBack()
  })
}

function callBacksOf(socket: Socket): Set<() => void> {
  const callBacks = new Set<() => void>()
  waiting.set(socket, callBacks)
  socket.once('close', () => {
    for (const callBack of callBacks) callBack()
    callBacks.clear()
  })
  return callBacks
}
