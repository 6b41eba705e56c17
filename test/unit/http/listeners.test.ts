import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createListeners } from '../../../src/http/listeners.ts'
import { buildOpsPlane } from '../../../src/http/ops/server.ts'

function buildApp() {
  return buildOpsPlane({
    readiness: () => ({ ready: true, detail: {} }),
    scrape: async () => ({ contentType: 'text/plain', text: '' }),
  })
}

const at = Object.freeze({ host: '127.0.0.1', port: 0 })

const taken = createServer()
afterEach(() => {
  taken.close()
})

test('all are bound at addresses of their own, and none answers any more once they are closed', async () => {
  const listeners = createListeners([
    { name: 'one', app: buildApp(), at, setting: 'one.port' },
    { name: 'two', app: buildApp(), at, setting: 'two.port' },
  ])
  expect(listeners.isBound()).toBe(false)
  const { one, two } = await listeners.bind()
  expect(listeners.isBound()).toBe(true)
  for (const address of [one, two]) expect((await fetch(`${address}/healthz`)).status).toBe(200)
  expect(one).not.toBe(two)
  expect(listeners.isDraining()).toBe(false)
  listeners.drain()
  expect(listeners.isDraining()).toBe(true)
  expect((await fetch(`${one}/healthz`)).status).toBe(200)
  await listeners.close()
  for (const address of [one, two]) await expect(fetch(`${address}/healthz`)).rejects.toThrow('fetch failed')
})

test('what is closed while it is being bound does not live on', async () => {
  const app = buildApp()
  const listeners = createListeners([{ name: 'one', app, at, setting: 'one.port' }])
  const binding = listeners.bind()
  await listeners.close()
  await binding
  expect(app.server.listening).toBe(false)
})

test('where one cannot be bound, binding fails, and closing ends the others', async () => {
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  const first = buildApp()
  const listeners = createListeners([
    { name: 'first', app: first, at, setting: 'first.port' },
    {
      name: 'second',
      app: buildApp(),
      at: { host: '127.0.0.1', port },
      setting: 'second.port (SECOND_PORT)',
    },
  ])
  await expect(listeners.bind()).rejects.toThrow(
    `second.port (SECOND_PORT): 127.0.0.1:${port} is in use; another process listens there`,
  )
  expect(listeners.isBound()).toBe(false)
  expect(first.server.listening).toBe(true)
  await listeners.close()
  expect(first.server.listening).toBe(false)
})
