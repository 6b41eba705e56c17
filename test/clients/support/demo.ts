import { join } from 'node:path'
import { runCli, startCli } from '../../support/cli.ts'
import { testRedis } from '../../support/redis.ts'

/** `recgate demo`, as whoever tries a page's example has it running. */
export interface Demo {
  /** The gateway's address, as clients are given it. */
  readonly gateway: string
  /** For player 1000001. */
  tokenFor(model: string): Promise<string>
  stop(): Promise<void>
}

/** @param directory for its files; the caller removes it */
export async function startDemo(directory: string): Promise<Demo> {
  const redis = await testRedis()
  const env = { RECGATE_REDIS_URL: redis.url, RECGATE_DEVELOPMENT_KEY_FILE: join(directory, 'key.json') }
  const ports = ['--data-port', '0', '--admin-port', '0', '--ops-port', '0']
  const demo = startCli(['demo', ...ports], { env, cwd: directory })
  await demo.written(/^Running until Ctrl-C\.$/m)
  return {
    gateway: /^Data +(http:.*)\/recommendations$/m.exec(demo.stdout())![1]!,
    async tokenFor(model) {
      const asked = ['token', '--tenant', 'demo-studio', '--sub', '1000001', '--model', model]
      return (await runCli(asked, { env })).stdout.trim()
    },
    stop: () => demo.stop(),
  }
}

/**
 * What a program prints, which is to be `shown`: a request's deadline may pass on a machine under load, and a default is
 * answered then; what is meant comes next.
 */
export async function eventually(play: () => Promise<string>, shown: string): Promise<string> {
  let printed = await play()
  for (let tries = 1; printed !== shown && tries < 10; tries++) printed = await play()
  return printed
}
