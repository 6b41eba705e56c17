import { setTimeout as pause } from 'node:timers/promises'
import { OperationError } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'
import { type HeldLease, holdLease } from '../hold-lease.ts'
import type { PackedRows } from '../pack-rows.ts'
import { checkFits, estimateMemory, memoryOfTables } from '../preflight.ts'
import type { PublishRequest, PublishServices } from '../publish-request.ts'
import type { LiveRun } from './find-run.ts'
import { versionLease } from './run-hold.ts'
import type { Shard } from './shard.ts'
import { parseShard, readShards, type ShardReport } from './shard-state.ts'

/** Adds one shard's rows to the generation, and reports them. False: another process has loaded this shard already. */
export async function loadShard(
  services: PublishServices,
  request: PublishRequest,
  run: LiveRun,
  shard: Shard,
  packed: PackedRows,
): Promise<boolean> {
  const { leases } = services
  const claim = await claimShard(services, request, run, shard)
  if (claim === null) return false
  try {
    const checkOwn = ownCheck(services, request, run, claim.lease)
    await checkRoom(services, request, run, shard, packed)
    await addAll(services, request, run, packed, checkOwn)
    await checkOwn()
    const text = JSON.stringify({ ...claim.holder, report: reportOf(request, packed) })
    if (!(await claim.lease.handOver(text, limits.runKnownMs))) throw lost(run)
    // From now on the next shards have time to come.
    await leases.replace(versionLease(request.target), run.text, run.text, limits.runLeaseMs)
    return true
  } catch (error) {
    await claim.lease.release()
    throw error
  }
}

interface Claim {
  readonly lease: HeldLease
  readonly holder: { readonly token: string; readonly by: string; readonly since: string }
}

/**
 * Null: the shard is loaded already. A process that died holds its claim for a while, which whoever takes its place waits
 * for; throws OperationError where it is renewed.
 */
async function claimShard(
  { leases, newToken, now }: PublishServices,
  { by }: PublishRequest,
  { address, hold }: LiveRun,
  { index, count }: Shard,
): Promise<Claim | null> {
  const holder = { token: newToken(), by, since: now().toISOString() }
  const name = { lease: 'shard', ...address, shard: index } as const
  const giveUpAt = performance.now() + limits.leaseMs + limits.leaseRenewMs
  for (;;) {
    const claim = await holdLease(leases, name, holder)
    if (claim.held !== null) return { lease: claim.held, holder }
    if (parseShard(claim.text).report !== null) return null
    if (performance.now() > giveUpAt)
      throw new OperationError(
        `shard ${index}/${count} of generation ${address.generation} of ${address.modelId} is being loaded already ` +
          `(by ${claim.by}); nothing was written. Two processes of ${hold.run.id ?? 'one run'} were given the same shard`,
      )
    await pause(limits.runPollMs)
  }
}

/** Whether the run goes on, and this process still is the shard's; asked with every batch. */
function ownCheck(
  { store, leases }: PublishServices,
  { target }: PublishRequest,
  run: LiveRun,
  claim: HeldLease,
): () => Promise<void> {
  const name = versionLease(target)
  return async () => {
    const [manifest, isHeld] = await Promise.all([
      store.manifest(run.address),
      // Where it lapsed, the generation may be collected already: it isn't taken up again.
      leases.replace(name, run.text, run.text, limits.runLeaseMs),
      claim.renew(),
    ])
    if (!isHeld || manifest?.state !== 'loading' || manifest.token !== run.hold.token) throw lost(run)
  }
}

async function addAll(
  { store }: PublishServices,
  { onProgress }: PublishRequest,
  run: LiveRun,
  { partitions }: PackedRows,
  checkOwn: () => Promise<void>,
): Promise<void> {
  const { address, manifest, hold } = run
  let [underway, next]: Promise<void>[] = [Promise.resolve(), Promise.resolve()]
  const add = async (trip: Parameters<typeof store.addRows>[2]) => {
    // All rows of the trip are copied before the first wait.
    const [isAdded] = await Promise.all([store.addRows(address, hold.token, trip), checkOwn()])
    if (!isAdded) throw lost(run)
  }
  try {
    for await (const trip of partitions.buckets(manifest.buckets)) {
      next = add(trip.filter(({ rows }) => rows.length > 0))
      // Met below; a rejection that nobody waits for yet would end the process.
      next.catch(() => undefined)
      await underway
      underway = next
      onProgress({ phase: 'writing', done: trip.at(-1)!.number + 1, total: manifest.buckets })
    }
    await underway
  } finally {
    // Nothing may still be written when the claim is given up.
    await Promise.allSettled([underway, next])
  }
}

/** Throws OperationError where this shard's rows don't fit, into Redis or into as many buckets as were made. */
async function checkRoom(
  { store, leases, catalog, memoryShareOf }: PublishServices,
  { target }: PublishRequest,
  { address, manifest }: LiveRun,
  { count, expectedRows }: Shard,
  { partitions, longRows }: PackedRows,
): Promise<void> {
  const { rows, bytes } = partitions
  const loaded = (await readShards(leases, address, count)).reduce(
    (sum, state) => sum + (state?.report?.rows ?? 0),
    0,
  )
  checkExpectedRows(loaded + rows, manifest.buckets, expectedRows)
  const servers = await store.serverMemory()
  if (servers === null || rows === 0) return
  const { state } = await catalog.read(target.tenantId)
  checkFits(servers, {
    address,
    rows,
    buckets: manifest.buckets,
    memoryBytes: estimateMemory(rows, bytes, 0, longRows),
    tenantBytes: memoryOfTables(state),
    memoryShare: memoryShareOf(target.tenantId),
  })
}

/** Throws OperationError where buckets would outgrow what Redis handles well. */
export function checkExpectedRows(rows: number, buckets: number, expectedRows: number): void {
  if (rows <= buckets * limits.rowsPerBucketMax) return
  throw new OperationError(
    `--expected-rows ${expectedRows} made ${buckets} buckets, and ${rows} rows came already: more than ` +
      `${limits.rowsPerBucketMax} for each; begin again with the number of rows that all shards have together`,
  )
}

function reportOf({ target, files }: PublishRequest, packed: PackedRows): ShardReport {
  const { partitions, sums, rowsRead, badRows, badRowsShown, longRows } = packed
  return {
    rows: partitions.rows,
    bytes: partitions.bytes,
    contentHash: partitions.contentHash(),
    sums,
    recordRevision: target.codec.revision,
    rowsRead,
    badRows,
    badRowsShown: [...badRowsShown],
    longRows,
    source: [...files],
  }
}

export function lost({ address, hold }: LiveRun): OperationError {
  return new OperationError(
    `generation ${address.generation} of ${address.modelId} is no longer loaded by ${hold.run.id ?? 'this run'}, or this shard of it by ` +
      'another process: it ended, or was taken for dead after it stood still for long, or Redis lost its data; ' +
      'this process activated nothing',
  )
}
