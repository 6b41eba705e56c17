import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AclUser, urlAs, writeAclFile } from '../support/acl-users.ts'
import { runCli } from '../support/cli.ts'
import { createMemoryLog } from '../support/memory-log.ts'
import { gameFor, oneGameDocument, playerToken } from '../support/one-game-studio.ts'
import { type ClusterServers, cannotRun, startCluster } from '../support/redis-topologies.ts'
import { type RunningGateway, startGateway, testSettings } from '../support/studio.ts'
import { makeKey, type TestKey } from '../support/tokens.ts'
import { until } from '../support/until.ts'

/** The users of docs/redis.md on a Cluster, by commands and a gateway, and what its nodes' logs have of refusals. */

const [studio, other] = ['studio-a', 'studio-b'] as const
const players = Array.from({ length: 60 }, (_, index) => `player-${index}`)

describe.skipIf(await cannotRun('the ACL of docs/redis.md on a Cluster'))(
  'under the ACL of docs/redis.md, on a Cluster',
  () => {
    let directory: string
    let cluster: ClusterServers
    let key: TestKey

    const run = (user: AclUser, ...words: string[]) =>
      runCli(words, { env: { RECGATE_REDIS_URL: urlAs(user, cluster.url) } })

    async function write(name: string, text: string): Promise<string> {
      const file = join(directory, name)
      await writeFile(file, text)
      return file
    }

    const documentOf = (tenant: string, popular = 0) =>
      write(`${tenant}.json`, JSON.stringify(oneGameDocument(tenant, key, popular)))

    const publish = async (user: AclUser, tenant: string, version: string, game: number) => {
      const file = await write('rows.csv', `sub,game\n${players.map((each) => `${each},${game}\n`).join('')}`)
      return run(user, 'publish', file, '--tenant', tenant, '--model', 'games', '--version', version)
    }

    /** What was refused at whichever node, e.g. `recgate-gateway: set`. */
    async function refusals(): Promise<string[]> {
      const logs = await Promise.all(
        cluster.servers.map(({ client }) => client.call('ACL', 'LOG') as Promise<unknown[]>),
      )
      return logs.flat().map((entry) => {
        const pairs = Array.isArray(entry) ? entry : Object.entries(entry as object).flat()
        const field = (name: string) => String(pairs[pairs.indexOf(name) + 1])
        return `${field('username')}: ${field('object')}`
      })
    }

    async function forgetRefusals(): Promise<void> {
      for (const { client } of cluster.servers) await client.call('ACL', 'LOG', 'RESET')
    }

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'recgate-acl-'))
      cluster = await startCluster(0, { more: ['--aclfile', await writeAclFile(directory)] })
      key = await makeKey('ES256')
    })
    afterAll(async () => {
      await cluster?.stop()
      await rm(directory, { recursive: true })
    })

    test('an administrator applies, a publisher publishes, a gateway serves and is told, and nothing is refused', async () => {
      expect(await run('administrator', 'catalog', 'apply', await documentOf(studio))).toMatchObject({
        exitCode: 0,
      })
      const { log, lines } = createMemoryLog()
      const settings = testSettings(urlAs('gateway', cluster.url), { RECGATE_CATALOG_POLL_MS: '60000' })
      const running: RunningGateway = await startGateway(settings, { log })
      const tokens = await Promise.all(players.map((player) => playerToken(studio, key, player)))
      const everyAnswerIs = async (wanted: string) => {
        const answers = await Promise.all(tokens.map((token) => gameFor(token, running.data)))
        return answers.every((answer) => answer === wanted)
      }
      try {
        expect(await publish('publisher', studio, 'itemcf', 7)).toMatchObject({ exitCode: 0 })
        await until('the publish is served', () => everyAnswerIs('200 itemcf split 7'))
        expect(await publish('administrator', studio, 'popular', 8)).toMatchObject({ exitCode: 0 })
        expect(await run('administrator', 'catalog', 'apply', await documentOf(studio, 100))).toMatchObject({
          exitCode: 0,
        })
        await until('the change is served', () => everyAnswerIs('200 popular split 8'))
        const erased = await run('administrator', 'erase', '--tenant', studio, '--unit', 'player-7')
        expect(erased).toMatchObject({ exitCode: 0, stderr: '' })
        expect(erased.stdout).toMatch(/\n2 rows removed from 2 of 2 generations; later publishes leave/)
        expect((await publish('publisher', studio, 'popular', 8)).stderr).toBe(
          '1 row of erased players left out\n',
        )
        expect(
          await run('administrator', 'tables', 'verify', '--tenant', studio, '--model', 'games'),
        ).toMatchObject({
          exitCode: 0,
        })
      } finally {
        await running.gateway.stop()
      }
      expect(lines.filter((line) => JSON.parse(line).level >= 40)).toEqual([])
      expect(await refusals()).toEqual([])
    })

    const reads = [
      ['catalog', 'show', '--tenant', studio],
      ['assign', 'player-1', '--tenant', studio, '--model', 'games'],
    ]

    test.each(['gateway', 'publisher', 'administrator'] as const)('the %s reads its studio', async (user) => {
      await forgetRefusals()
      for (const words of reads)
        expect({ words, ...(await run(user, ...words)) }).toMatchObject({ words, exitCode: 0 })
      if (user !== 'gateway')
        for (const words of ['tables list', 'catalog history'])
          expect(await run(user, ...words.split(' '), '--tenant', studio)).toMatchObject({ exitCode: 0 })
      expect(await refusals()).toEqual([])
    })

    test('what the page says that a user may not run is refused in one line', async () => {
      const document = await documentOf(studio, 50)
      expect(await run('administrator', 'catalog', 'apply', await documentOf(other))).toMatchObject({
        exitCode: 0,
      })
      const refused = [
        await publish('gateway', studio, 'popular', 9),
        await run('gateway', 'catalog', 'apply', document),
        await run('gateway', 'tables', 'list', '--tenant', studio),
        await run('gateway', 'catalog', 'history', '--tenant', studio),
        await run('publisher', 'catalog', 'apply', document),
        await run('publisher', 'catalog', 'show'),
        await publish('publisher', other, 'popular', 9),
      ]
      for (const { exitCode, stderr } of refused) {
        expect({ exitCode, stderr }).toEqual({
          exitCode: 1,
          stderr: expect.stringMatching(/^[^\n]*(NOPERM|No permissions)[^\n]*\n$/i),
        })
        expect(stderr).not.toContain('-password')
      }
    })
  },
)
