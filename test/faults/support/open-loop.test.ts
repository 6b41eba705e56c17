import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../support/until.ts'
import { type LoadOptions, type OpenLoop, startOpenLoop } from './open-loop.ts'

/** The generator against servers that do what a gateway must not. */

const body = JSON.stringify({
  model: 'games',
  version: 'popular',
  reason: 'split',
  recommendation: { player: 1, edition: 1, arm: 0 },
})

type Answer = (response: ServerResponse) => void

const right: Answer = (response) => {
  response.writeHead(200, { Recgate: 'v=popular, r=split', 'Content-Length': body.length })
  response.end(body)
}

async function serve(answer: Answer): Promise<number> {
  const server = createServer((_request, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function load(port: number, more: Partial<LoadOptions> = {}): OpenLoop {
  const editions = { popular: [1], itemcf: [] }
  return startOpenLoop({
    ports: [port],
    ratePerSecond: 200,
    connectionsMax: 1,
    giveUpMs: 10_000,
    retries: 0,
    players: [{ player: 1, token: 'a' }],
    editions: { active: editions, kept: editions },
    ...more,
  })
}

const all = [0, Number.POSITIVE_INFINITY] as const

test('requests are due while the server stands still, and each is timed from then', async () => {
  const held: ServerResponse[] = []
  let answer: Answer = (response) => void held.push(response)
  const loop = load(await serve((response) => answer(response)))
  await until('20 are due', () => loop.counts().pending >= 20)
  expect(held).toHaveLength(1)
  answer = right
  right(held[0]!)
  await loop.drain()
  const { outcomes, maxMs } = loop.tally.stretch(...all)
  expect(outcomes).toEqual({ '200 split': loop.counts().due })
  // 200 a second: the first of 20 was due at least 95 ms before the twentieth.
  expect(maxMs).toBeGreaterThanOrEqual(95)
})

test('a connection that ends after its request is told from one that ends between requests', async () => {
  let count = 0
  const loop = load(
    await serve((response) => {
      if (++count % 3 === 0) response.socket?.destroy()
      else if (count % 3 === 1) response.setHeader('Connection', 'close')
      if (response.socket?.destroyed === false) right(response)
    }),
  )
  await until('30 are due', () => loop.counts().due >= 30)
  await loop.drain()
  const { outcomes } = loop.tally.stretch(...all)
  expect(Object.keys(outcomes).sort()).toEqual(['200 split', 'error unanswered'])
  expect(outcomes['error unanswered']).toBe(Math.floor(count / 3))
})

test('a client that gives up tries again as often as it may, and each try counts', async () => {
  const loop = load(await serve(() => undefined), { giveUpMs: 50, retries: 3, connectionsMax: 100 })
  await until('10 are due', () => loop.counts().due >= 10)
  await loop.drain()
  const { due } = loop.counts()
  expect(loop.tally.stretch(...all).outcomes).toEqual({ 'error timeout': due })
  expect([...loop.tries.values()].reduce((sum, tries) => sum + tries, 0)).toBe(4 * due)
})

test('nobody there is an error of each request', async () => {
  const loop = load(1)
  await until('10 are due', () => loop.counts().due >= 10)
  await loop.drain()
  expect(loop.tally.stretch(...all).outcomes).toEqual({ 'error refused': loop.counts().due })
})
