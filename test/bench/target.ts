import fastify from 'fastify'
import { loadDevelopmentKey } from '../../src/jwt/development-key.ts'
import { startGateway, testSettings } from '../support/studio.ts'

/**
 * One server under test, in a process of its own so that its CPU time is its own.
 *
 * Arguments: `empty`, or `gateway REDIS_URL KEY_FILE`. Sends `{ url }` when it listens, and `{ cpuMicroseconds }`
 * since its start at every message.
 */
const [kind, redisUrl = '', keyFile = ''] = process.argv.slice(2)

async function listen(): Promise<string> {
  if (kind === 'empty') {
    const app = fastify()
    app.get('/recommendations', async () => ({ hello: 'world' }))
    return app.listen({ host: '127.0.0.1', port: 0 })
  }
  const developmentKey = await loadDevelopmentKey(keyFile)
  return (await startGateway(testSettings(redisUrl), { developmentKey })).data
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMicroseconds: user + system })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ url: await listen() })
