import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type AcceptQueue, createAcceptQueue } from '../../../../src/http/data/accept-queue.ts'
import { until } from '../../../support/until.ts'

/** Of a real server, in an event loop that has other things to do. */

const clean: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of clean.splice(0).reverse()) await end()
})

interface Busy {
  readonly port: number
  readonly queue: AcceptQueue
  readonly flushes: () => number
  readonly isListening: () => boolean
  /** Of the event loop, and connections, so far; the process' own are counted, too. */
  readonly turns: () => number
  readonly taken: () => number
  /** From now on every turn of the event loop takes so long. */
  work(ms: number): void
}

async function startBusy(waitMsMax = 150, connectionsMax = 10_000): Promise<Busy> {
  const server = createServer((_request, response) => response.end('served'))
  server.maxConnections = connectionsMax
  let flushes = 0
  let [turnMs, turns, taken] = [0, 0, 0]
  server.on('connection', () => taken++)
  const queue = createAcceptQueue(server, { waitMsMax, onFlush: () => flushes++ })
  const turning = setInterval(() => {
    for (const until = performance.now() + turnMs; performance.now() < until; );
    queue.arrived(performance.now())
    turns++
  }, 1)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  clean.push(async () => {
    clearInterval(turning)
    await queue.release()
    server.closeAllConnections()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    queue,
    flushes: () => flushes,
    isListening: () => server.listening,
    turns: () => turns,
    taken: () => taken,
    work(ms) {
      turnMs = ms
    },
  }
}

/** `served`, or the code that a connection ended with. */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume().once('end', () => resolve('served'))
    }).on('error', ({ code }: NodeJS.ErrnoException) => resolve(String(code)))
  })
}

test('while requests wait too long newcomers are refused, who is in is served, and afterwards all are', async () => {
  const busy = await startBusy()
  const inside = connect(busy.port, '127.0.0.1')
  await once(inside, 'connect')
  expect(await ask(busy.port)).toBe('served')

  busy.work(200)
  await until('the door is closed', () => busy.flushes() > 0 && !busy.isListening())
  expect(await ask(busy.port)).toBe('ECONNREFUSED')
  inside.write('GET / HTTP/1.1\r\nHost: recgate\r\n\r\n')
  const [answer] = (await once(inside, 'data')) as [Buffer]
  expect(answer.toString()).toContain('200 OK')

  busy.work(0)
  await until('the door is open', () => busy.isListening())
  expect(await ask(busy.port)).toBe('served')
  inside.destroy()
})

test('where newcomers wait too long to be taken they are refused, however short the turns are', async () => {
  const busy = await startBusy(600)
  busy.work(60)
  await until('its turns have been judged for a while', () => busy.turns() > 15)
  expect(busy.flushes()).toBe(0)

  // One is taken a turn, or a few: the kernel keeps 511.
  const crowd = Array.from({ length: 450 }, () =>
    connect(busy.port, '127.0.0.1').on('error', () => undefined),
  )
  await until('the door is closed', () => busy.flushes() > 0)
  for (const socket of crowd) socket.destroy()
  busy.work(0)
  await until('the door is open', () => busy.isListening())
  expect(await ask(busy.port)).toBe('served')
})

test('what strangers do who were taken closes no door: they come, begin a request, and are gone', async () => {
  const busy = await startBusy()
  busy.work(5)
  let gone = 0
  for (let come = 1; come <= 60; come++) {
    const stranger = connect(busy.port, '127.0.0.1', () => stranger.write('G'))
    stranger.on('error', () => undefined).once('close', () => gone++)
    await until('it was taken', () => busy.taken() >= come)
    stranger.resetAndDestroy()
  }
  await until('they are gone', () => gone === 60)
  expect(busy.flushes()).toBe(0)
})

test('a process that may have few connections takes none of them for itself', async () => {
  const [few, many] = [await startBusy(150, 500), await startBusy()]
  few.work(5)
  many.work(5)
  await until('the other one has asked', () => many.taken() >= 3)
  expect(few.taken()).toBe(0)
})

test('while it lasts the door opens again and again', async () => {
  const busy = await startBusy()
  busy.work(200)
  await until('it was closed three times', () => busy.flushes() >= 3)
})

test('released, it is open and stays so, so that a server can be closed as any other', async () => {
  const busy = await startBusy()
  busy.work(200)
  await until('the door is closed', () => !busy.isListening())
  await busy.queue.release()
  expect(busy.isListening()).toBe(true)
  const before = busy.flushes()
  expect(await ask(busy.port)).toBe('served')
  expect(busy.flushes()).toBe(before)
})

test('a port that somebody else took meanwhile is taken again as soon as it is free', async () => {
  const busy = await startBusy()
  busy.work(200)
  await until('the door is closed', () => !busy.isListening())
  const squatter = createServer((_request, response) => response.end())
  await new Promise<void>((resolve) => squatter.listen(busy.port, '127.0.0.1', resolve))
  busy.work(0)
  // It tries, and fails, and nothing breaks.
  expect(await ask(busy.port)).toBe('served')
  await new Promise((resolve) => squatter.close(resolve))
  await until('the door is open', () => busy.isListening())
})
