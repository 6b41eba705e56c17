import { GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import type { TestProject } from 'vitest/node'
import { findRedisServer, startRedisServer } from '../../src/commands/local-redis.ts'

/** The real Redis that test files share, each worker in a database of its own; null: only the in-process engine. */
export interface SharedRedis {
  readonly url: string
  readonly engine: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    sharedRedis: SharedRedis | null
    /** Only in the project `topologies`; null where it can't be started. */
    sharedCluster?: SharedRedis | null
  }
}

interface Started extends SharedRedis {
  stop(): Promise<unknown>
}

/** RECGATE_REDIS_URL → Docker → a server on PATH → none. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = (await configuredRedis()) ?? (await dockerRedis()) ?? (await localRedis())
  project.provide('sharedRedis', redis === null ? null : { url: redis.url, engine: redis.engine })
  if (redis === null)
    say(
      'no real Redis: suites that need one are skipped; install redis-server, start Docker or set RECGATE_REDIS_URL',
    )
  else say(`real Redis: ${redis.engine}`)
  return async () => {
    await redis?.stop()
  }
}

async function configuredRedis(): Promise<Started | null> {
  const url = process.env['RECGATE_REDIS_URL']
  if (url === undefined || url === '') return null
  return { url: url.replace(/\/$/, ''), engine: 'the one of RECGATE_REDIS_URL', stop: async () => undefined }
}

async function dockerRedis(): Promise<Started | null> {
  try {
    await getContainerRuntimeClient()
  } catch {
    return null
  }
  try {
    const container = await new GenericContainer('redis:7')
      .withCommand(['redis-server', '--save', '', '--databases', '64', '--protected-mode', 'no'])
      .withExposedPorts(6379)
      .withStartupTimeout(60_000)
      .start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
    return { url, engine: 'redis:7 in Docker', stop: () => container.stop() }
  } catch (error) {
    say(`Docker is there, and redis:7 can't be started: ${(error as Error).message}`)
    return null
  }
}

async function localRedis(): Promise<Started | null> {
  const binary = await findRedisServer()
  return binary === null ? null : startRedisServer(binary, ['--databases', '64'])
}

function say(text: string): void {
  process.stderr.write(`tests: ${text}\n`)
}
