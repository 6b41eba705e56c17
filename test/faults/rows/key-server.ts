import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type KeyServer, startKeyServer } from '../../support/key-server.ts'
import { startStandalone } from '../../support/redis-topologies.ts'
import { goodClaims, makeKey, signToken, type TestKey } from '../../support/tokens.ts'
import type { Ground, Scenario } from '../scenario.ts'
import { mustAnswerAll } from '../support/judge.ts'
import type { Load } from '../support/load.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import {
  issuerOf,
  model,
  playerId,
  type Stage,
  setStage,
  sumOf,
  tenant,
  tokensFor,
  untilServed,
} from '../support/stage.ts'

const hourMs = 3_600_000
/** One fetch for unknown keys in so long, and whenever an hour of the clock has passed. */
const fetchEveryMs = 30_000

export const keyServer: Scenario = {
  name: 'key-server',
  fault: 'key server down 1 h (clock moved), hanging, rotating, removing a key',
  mustHold:
    'known keys 0 failures; unknown `kid` refused in ms, ≤ 1 fetch/30 s; new key accepted ≤ 30 s; removed one refused ≤ 5 min',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, phaseMs] = ground.isLong ? [500, 70_000] : [200, 1_500]
    ground.setting(
      `${rate} requests/s with known keys, 20/s with an unknown one; ${phaseMs / 1000} s for each state; an unknown key whose token comes while keys are fetched for it is refused after that, 250 ms to a second`,
    )
    const scene = await setScene(ground)
    const { stage, server, nextKey } = scene
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    const startedAt = Date.now()
    server.answerWith((_request, response) => response.destroy())
    // Keys that were fetched an hour ago, and tokens that are signed with them now.
    await stage.gateway.moveClock(hourMs)
    await refuseUnknown(ground, scene, { state: 'down', forMs: phaseMs })
    server.hang()
    await stage.gateway.moveClock(fetchEveryMs)
    await refuseUnknown(ground, scene, { state: 'hanging', forMs: phaseMs })

    const rotatedAt = Date.now()
    server.serve(scene.key.publicJwk, nextKey.publicJwk)
    server.release()
    // So that a short form needn't wait for it: half a minute since the last fetch for an unknown key.
    if (!ground.isLong) await stage.gateway.moveClock(fetchEveryMs)
    await until40(`the new key's tokens are taken`, async () => (await statusOf(stage, nextKey)) === 200)
    const acceptedMs = Date.now() - rotatedAt
    ground.figure('the new key is accepted after', `${acceptedMs} ms`, '≤ 30,000 ms', acceptedMs <= 30_000)
    ground.must('tokens of the new key', 'accepted', 'accepted', true)
    const endedAt = Date.now()
    await load.drain()
    await mustAnswerAll(ground, load, startedAt, endedAt)
    await removeKey(ground, scene)
  },
}

interface Scene {
  readonly stage: Stage
  readonly server: KeyServer
  readonly key: TestKey
  readonly nextKey: TestKey
}

async function setScene(ground: Ground): Promise<Scene> {
  const redis = await startStandalone()
  ground.onEnd(redis.stop)
  const server = await startKeyServer()
  ground.onEnd(server.stop)
  const directory = await mkdtemp(join(tmpdir(), 'recgate-faults-keys-'))
  ground.onEnd(() => rm(directory, { recursive: true, force: true }))
  const caFile = join(directory, 'ca.pem')
  await writeFile(caFile, server.authority.pem)
  const [key, nextKey] = [await makeKey('ES256', 'k1'), await makeKey('ES256', 'k2')]
  server.serve(key.publicJwk)
  const stage = await setStage(ground, {
    redisUrl: redis.url,
    deadlineMs: 1_000,
    key,
    document: { issuers: [{ issuer: issuerOf(tenant), audience: 'recgate', jwks: { url: server.url() } }] },
    env: { RECGATE_JWKS_PRIVATE_HOSTS: 'localhost', RECGATE_JWKS_CA_FILE: caFile },
  })
  return { stage, server, key, nextKey }
}

/** Tokens whose key nobody has, beside the others. */
async function refuseUnknown(
  ground: Ground,
  { stage, server }: Scene,
  { state, forMs }: { state: string; forMs: number },
): Promise<void> {
  const stranger = await makeKey('ES256', `stranger-${state}`)
  const players = await tokensFor(tenant, stranger, 50)
  const [askedFrom, connections] = [Date.now(), server.connections()]
  const load = await stage.load({ ratePerSecond: 20, players })
  const from = Date.now()
  await pause(forMs)
  const to = Date.now()
  await load.drain()
  const fetches = server.connections() - connections
  const askedMs = Date.now() - askedFrom
  await mustRefuse(ground, load, { state, from, to })
  // All of them are for unknown keys: one that fails isn't repeated by the back-off, and the next of the gateway's own is
  // due three minutes of its timers after the last good one at the earliest, when both states are over.
  const fetchesMax = 1 + Math.floor(askedMs / fetchEveryMs)
  ground.must(
    `${state}: connections to the key server, all for unknown keys`,
    fetches,
    `1 to ${fetchesMax}`,
    fetches >= 1 && fetches <= fetchesMax,
  )
}

async function mustRefuse(
  ground: Ground,
  load: Load,
  { state, from, to }: { state: string; from: number; to: number },
): Promise<void> {
  const { outcomes, p50Ms, p99Ms } = await load.stretch(from, to)
  const refused = outcomes['401 token-invalid'] ?? 0
  const all = sumOf(outcomes)
  ground.must(`${state}: unknown keys refused`, refused, `${all}, all`, refused === all && all > 0)
  const shown = `median ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`
  ground.figure(`${state}: an unknown key is refused in`, shown, 'median ≤ 10 ms', p50Ms <= 10)
}

/** The timers of a process stand where they were when its clock moves, so only the long form waits for them. */
async function removeKey(ground: Ground, { stage, server, key, nextKey }: Scene): Promise<void> {
  if (!ground.isLong) return
  const removedAt = Date.now()
  server.serve(nextKey.publicJwk)
  const limitMs = 400_000
  let refusedMs: number | null = null
  while (refusedMs === null && Date.now() < removedAt + limitMs) {
    await pause(1_000)
    if ((await statusOf(stage, key)) === 401) refusedMs = Date.now() - removedAt
  }
  const found = refusedMs === null ? `not within ${limitMs} ms` : `${refusedMs} ms`
  ground.figure(
    'a removed key is refused after',
    found,
    '≤ 300,000 ms',
    refusedMs !== null && refusedMs <= 300_000,
  )
}

async function until40(what: string, condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 40_000
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`waited 40 s in vain until ${what}`)
    await pause(100)
  }
}

async function statusOf({ gateway }: Stage, key: TestKey): Promise<number> {
  const exp = Math.floor(Date.now() / 1000) + 4 * 3_600
  const token = await signToken(key, goodClaims(issuerOf(tenant), { model, sub: playerId(1), exp }))
  const url = `http://127.0.0.1:${gateway.dataPort}/recommendations`
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  await response.arrayBuffer()
  return response.status
}
