import { setTimeout as pause } from 'node:timers/promises'
import { readLiveTenant } from '../../../src/catalog/live-tenant.ts'
import { bucketOf } from '../../../src/domain/row-key.ts'
import { activeGeneration } from '../../../src/domain/tenant-state.ts'
import { tableKeys } from '../../../src/redis/keys.ts'
import { moveSlot, slotsWithRows } from '../../support/move-slots.ts'
import { type ClusterServers, startCluster, startSentinels } from '../../support/redis-topologies.ts'
import { until } from '../../support/until.ts'
import type { Ground, Scenario } from '../scenario.ts'
import { backAfterMs, mustAnswerAll } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { model, playerId, type Stage, setStage, sumOf, tenant, untilServed } from '../support/stage.ts'

const deadlineMs = 50
/** Both topologies here take a master for dead after so long without an answer. */
const sentinelDownMs = 1_000
const clusterNodeTimeoutMs = 2_000

export const redisFailover: Scenario = {
  name: 'redis-failover',
  fault: 'Sentinel and Cluster: master killed; slots moved live',
  mustHold: 'only the affected slots fall back, at most node-timeout + 3 s',
  missing: cannotRunTopologies,
  async run(ground) {
    ground.setting(
      `${rateOf(ground)} requests/s, deadline ${deadlineMs} ms, cluster-node-timeout ${clusterNodeTimeoutMs} ms, cluster-require-full-coverage no`,
    )
    await sentinelMasterKilled(ground)
    await clusterChanges(ground)
  },
}

const rateOf = ({ isLong }: Ground) => (isLong ? 500 : 300)

async function sentinelMasterKilled(ground: Ground): Promise<void> {
  const redis = await startSentinels()
  try {
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs })
    const load = await stage.load({ ratePerSecond: rateOf(ground) })
    await untilServed(load)
    const before = await redis.masterPort()
    const killedAt = Date.now()
    await redis.servers.find(({ port }) => port === before)!.kill()
    await until('another master', async () => ![0, before].includes(await redis.masterPort()))
    await untilServed(load)
    const endedAt = Date.now()
    await load.drain()
    ground.must('Sentinel’s master killed', 'another took over', 'another takes over', true)
    await mustAnswerAll(ground, load, killedAt, endedAt)
    await figureGap(ground, load, { killedAt, endedAt, timeoutMs: sentinelDownMs, of: 'Sentinel' })
  } finally {
    await redis.stop()
  }
}

type StageLoad = Awaited<ReturnType<Stage['load']>>

async function figureGap(
  ground: Ground,
  load: StageLoad,
  gap: { killedAt: number; endedAt: number; timeoutMs: number; of: string },
): Promise<void> {
  const { killedAt, endedAt, timeoutMs, of } = gap
  // The first tenth of a second still has answers from before.
  const afterMs = await backAfterMs(load, killedAt + 300, endedAt)
  const found = afterMs === null ? 'never' : `${afterMs + 300} ms`
  const boundMs = timeoutMs + 3_000
  const holds = afterMs !== null && afterMs + 300 <= boundMs
  ground.figure(`${of}: rows are read again after`, found, `≤ ${boundMs.toLocaleString('en')} ms`, holds)
}

async function clusterChanges(ground: Ground): Promise<void> {
  // Else the living masters refuse, too, until a replica has taken over.
  const cluster = await startCluster(1, { withSpare: true, more: ['--cluster-require-full-coverage', 'no'] })
  try {
    const stage = await setStage(ground, { redisUrl: cluster.url, deadlineMs, players: 1_600 })
    const load = await stage.load({ ratePerSecond: rateOf(ground) })
    await untilServed(load)
    await moveSlots(ground, cluster, load)
    await killMaster(ground, cluster, stage, load)
  } finally {
    await cluster.stop()
  }
}

/** A row is at one of both nodes at every moment; what a busy machine's deadline cuts is little. */
async function moveSlots(ground: Ground, cluster: ClusterServers, load: StageLoad): Promise<void> {
  const [from, to] = [cluster.servers[0]!, cluster.spare!]
  const slots = (await slotsWithRows(from)).slice(0, ground.isLong ? 12 : 3)
  const startedAt = Date.now()
  for (const slot of slots) await moveSlot(cluster, { slot, from, to, between: () => pause(50) })
  await pause(300)
  const endedAt = Date.now()
  ground.must('slots moved live', slots.length, '> 0', slots.length > 0)
  await mustAnswerAll(ground, load, startedAt, endedAt)
  const { outcomes } = await load.stretch(startedAt, endedAt)
  const fellShare = 1 - sumOf(outcomes, /200 split/) / sumOf(outcomes)
  ground.figure(
    'answers not read from Redis while slots moved',
    `${(100 * fellShare).toFixed(2)} %`,
    '≤ 1 %',
    fellShare <= 0.01,
  )
}

async function killMaster(
  ground: Ground,
  cluster: ClusterServers,
  stage: Stage,
  load: StageLoad,
): Promise<void> {
  const dead = cluster.servers[2]!
  const slotOf = await slotsOfPlayers(stage, dead.client)
  const owners = await Promise.all(slotOf.map((slot) => cluster.ownerOf(slot)))
  const isAffected = owners.map((owner) => owner === dead)
  await load.setGroups(isAffected.map((affected) => (affected ? 'affected' : 'unaffected')))
  const slot = slotOf[isAffected.indexOf(true)]!
  const killedAt = Date.now()
  await dead.kill()
  await until('a replica has taken over', async () => (await cluster.ownerOf(slot)) !== dead)
  await untilServed(load)
  const endedAt = Date.now()
  await load.drain()

  await mustAnswerAll(ground, load, killedAt, endedAt)
  const { outcomes } = await load.stretch(killedAt, endedAt)
  const fell = sumOf(outcomes, /^affected: 200 (sibling|stale|default)/)
  ground.must('Cluster’s master killed: answers of its slots from a rung below', fell, '> 0', fell > 0)
  const spared = sumOf(outcomes, /^unaffected: 200 split/)
  ground.must('answers of other slots, read from Redis', spared, '> 0', spared > 0)
  const hurt = sumOf(outcomes, /^unaffected: 200 (sibling|stale|default)/) / sumOf(outcomes, /^unaffected/)
  ground.figure(
    'other slots’ answers from a rung below',
    `${(100 * hurt).toFixed(2)} %`,
    '≤ 1 %',
    hurt <= 0.01,
  )
  await figureGap(ground, load, { killedAt, endedAt, timeoutMs: clusterNodeTimeoutMs, of: 'Cluster' })
}

/** Of each player's own row. */
async function slotsOfPlayers(
  stage: Stage,
  client: ClusterServers['servers'][number]['client'],
): Promise<number[]> {
  const { state } = (await readLiveTenant(stage.tools.catalog, tenant))!
  const slotOfKey = new Map<string, number>()
  const slots: number[] = []
  for (const { player, token } of stage.players) {
    const active = activeGeneration(state.models[model]!, await stage.versionOf(token))!
    const bucket = bucketOf(playerId(player), active.entry.buckets)
    const key = `${tableKeys.bucketPrefix(tenant, model, active.generation)}${bucket}`
    if (!slotOfKey.has(key)) slotOfKey.set(key, await client.cluster('KEYSLOT', key))
    slots.push(slotOfKey.get(key)!)
  }
  return slots
}
