import type { TestProject } from 'vitest/node'
import { missingForTopologies, startCluster } from './redis-topologies.ts'

/** The Cluster on which the contract suites run in the project `topologies`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = await missingForTopologies()
  project.provide('sharedRedis', null)
  if (missing !== null) {
    process.stderr.write(`tests: contract suites on a Cluster are skipped; install ${missing}\n`)
    project.provide('sharedCluster', null)
    return async () => undefined
  }
  const cluster = await startCluster(0)
  project.provide('sharedCluster', { url: cluster.url, engine: 'Redis Cluster' })
  return () => cluster.stop()
}
