import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { closerOf } from '../../../src/http/close-listener.ts'
import { buildOpsPlane } from '../../../src/http/ops/server.ts'

/** A listener whose scrape is answered when the test says so. */
async function startSlow(bounds: { arrivingMsMax: number; answeringMsMax: number }) {
  const scrape = Promise.withResolvers<{ contentType: string; text: string }>()
  const asked = Promise.withResolvers<void>()
  const app = buildOpsPlane({
    readiness: () => ({ ready: true, detail: {} }),
    scrape: () => {
      asked.resolve()
      return scrape.promise
    },
  })
  const close = closerOf(app, bounds)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  return {
    close,
    port,
    asked: asked.promise,
    answer: () => scrape.resolve({ contentType: 'text/plain', text: 'late' }),
  }
}

const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

async function open(port: number, bytes: string): Promise<{ closed: Promise<unknown>; received(): string }> {
  const socket = connect(port, '127.0.0.1')
  opened.push(socket)
  let received = ''
  socket.on('data', (piece) => {
    received += piece.toString()
  })
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await once(socket, 'connect')
  if (bytes !== '') socket.write(bytes)
  return { closed, received: () => received }
}

const request = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'

test('what says nothing is cut, and what is being answered gets its answer', async () => {
  const { port, close, asked, answer } = await startSlow({ arrivingMsMax: 50, answeringMsMax: 600_000 })
  const silent = await open(port, '')
  const half = await open(port, request.slice(0, 30))
  const slow = await open(port, request)
  await asked
  const closing = close()
  await Promise.all([silent.closed, half.closed])
  expect(slow.received()).toBe('')
  answer()
  await Promise.all([slow.closed, closing])
  expect(slow.received()).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nlate$/s)
})

test('what is never answered is cut in the end', async () => {
  const { port, close, asked } = await startSlow({ arrivingMsMax: 50, answeringMsMax: 200 })
  const slow = await open(port, request)
  await asked
  await close()
  await slow.closed
  expect(slow.received()).toBe('')
})
