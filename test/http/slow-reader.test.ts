import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { ask, requestText } from './client.ts'
import { startGamesStudio } from './games-studio.ts'

/** In a file of its own, because it waits for longer than the longest deadline. */
test('a client that asks and never reads is cut', async () => {
  const studio = await startGamesStudio()
  const { data } = await studio.start()
  const { hostname, port } = new URL(data)
  const connection = connect(Number(port), hostname)
  await once(connection, 'connect')
  connection.pause()
  // A cut connection is a reset one to whoever still writes.
  connection.on('error', () => undefined)
  const cut = new Promise((resolve) => connection.once('close', resolve))
  const many = requestText('/recommendations', { token: await studio.token(1) }).repeat(200)
  // More answers than the kernel buffers between the two.
  const push = () => connection.write(many, (error) => (error ? undefined : setImmediate(push)))
  push()
  await cut
  expect((await ask(`${data}/healthz`)).status).toBe(200)
  await studio.stop()
}, 60_000)
