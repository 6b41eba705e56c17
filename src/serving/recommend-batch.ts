import { setImmediate as nextTurn } from 'node:timers/promises'
import { isRefusal, type Refusal, refuse, refuseTo } from '../domain/errors.ts'
import { limits } from '../domain/limits.ts'
import type { Format } from '../domain/reasons.ts'
import type { CompiledModel } from '../domain/snapshot.ts'
import type { Batch } from './batch.ts'
import { createBatchBound } from './batch-bound.ts'
import { findBatchTargets } from './batch-targets.ts'
import { attributeDeadline, type RequestDeadline, requestDeadline } from './deadline.ts'
import { findModel } from './find-model.ts'
import type { Target } from './find-target.ts'
import { climbDown, type Recommendation } from './ladder.ts'
import type { VerifiedToken } from './ports.ts'
import { noSnapshot, type RecommendServices } from './recommend.ts'
import { representBody } from './represent.ts'
import { type Answer, representOrFall } from './represent-or-fall.ts'
import { batchNotAllowed, mayAskForBatches } from './scope.ts'

export interface BatchRequest {
  readonly authorization: string | undefined
  /** Asked once the token has verified, and may ask for batches. Null: the client accepts none of what can be sent. */
  readonly format: () => Format | null
  /** Waits for the body: asked after that, so that nobody else can have a body kept. */
  readonly body: () => Promise<Batch | Refusal>
  /** The header `Recgate-Deadline-Ms`. */
  readonly deadlineMs: string | undefined
}

export interface BatchAnswer {
  readonly model: CompiledModel
  readonly format: Format
  /** One a unit, in the units' order. */
  readonly items: readonly BatchItem[]
  /**
   * Gives the batch's place back; due once nobody keeps the answer any more, as a client that doesn't read makes the
   * process do. Calling it again does nothing.
   */
  readonly leave: () => void
}

/** With the body that a request of the unit's own would get. */
export type BatchItem = Answer<string | Uint8Array> | Refusal

const unacceptable = refuse(
  'not-acceptable',
  'answers come as application/json or as application/vnd.recgate.packed-batch',
)
const fullAnswer = refuse(
  'batch-too-large',
  `the answer would be larger than ${limits.batchAnswerBytesMax} bytes; ask for this unit and those behind it in another batch`,
)

/**
 * The whole batch: authenticate → read the body → find the model and every unit's target → read their records together →
 * represent each. Each unit goes the way of a single request (`recommend`); they share one deadline and one charge.
 */
export function createRecommendBatch(services: RecommendServices) {
  const { verifier, snapshots, reader, nearCache, quotas } = services
  const bound = createBatchBound(limits.batchesMax, limits.batchesPerTenantMax)

  async function answer(
    token: VerifiedToken,
    tenantId: string,
    format: Format,
    request: BatchRequest,
  ): Promise<Omit<BatchAnswer, 'leave'> | Refusal> {
    const batch = await request.body()
    if (isRefusal(batch)) return batch
    // Of now: a body may take seconds, in which a version may have been rolled back.
    const tenant = snapshots.current()?.tenants.get(tenantId)
    if (tenant === undefined) return noSnapshot
    const model = findModel(token, tenant, batch.model === undefined ? {} : { model: batch.model })
    if (isRefusal(model)) return model
    const targets = findBatchTargets(nearCache, tenant, model, batch)
    if (isRefusal(targets)) return targets
    const deadline = requestDeadline(model, request.deadlineMs, batch.receivedAt)
    if (isRefusal(deadline)) return deadline

    // Units that don't fit as well, and an empty batch as one: refusing them costs as much as answering from memory.
    const charged = Math.max(1, batch.units.length)
    const overQuota = quotas.enter(tenant, charged)
    if (overQuota !== null) return overQuota
    try {
      const { receivedAt } = batch
      const found = await findAll(targets, deadline, receivedAt)
      return { model, format, items: await representAll(found, format, receivedAt) }
    } finally {
      quotas.leave(tenant, charged)
    }
  }

  /** So many in a turn of the event loop as travel in one call, so that who else asks doesn't wait for a thousand. */
  async function findAll(
    targets: readonly (Target | Refusal)[],
    deadline: RequestDeadline,
    receivedAt: number,
  ): Promise<(FoundUnit | Refusal)[]> {
    const calls: Promise<(FoundUnit | Refusal)[]>[] = []
    for (let first = 0; first < targets.length; first += limits.readsPerCallMax) {
      if (first > 0) await nextTurn()
      const together = targets.slice(first, first + limits.readsPerCallMax)
      const call = Promise.all(together.map((target) => find(target, deadline, receivedAt)))
      // What fails is met below; until then nobody waits for it.
      call.catch(() => undefined)
      calls.push(call)
    }
    return (await Promise.all(calls)).flat()
  }

  async function find(
    target: Target | Refusal,
    deadline: RequestDeadline,
    receivedAt: number,
  ): Promise<FoundUnit | Refusal> {
    if (isRefusal(target)) return target
    const { model, row } = target
    const found =
      row.fresh(receivedAt) ??
      attributeDeadline(await reader.read(row, deadline.at, deadline.modelAt), deadline)
    const recommendation = climbDown(model, target, found, row, receivedAt)
    return isRefusal(recommendation) ? recommendation : { target, recommendation }
  }

  return async function recommendBatch(request: BatchRequest): Promise<BatchAnswer | Refusal> {
    const catalog = snapshots.current()
    if (catalog === null) return noSnapshot
    const token = await verifier.verify(request.authorization, catalog)
    if (isRefusal(token)) return token
    const tenant = catalog.tenants.get(token.issuer.tenantId)
    if (tenant === undefined) return noSnapshot
    if (!mayAskForBatches(token)) return refuseTo(tenant.id, batchNotAllowed)
    const format = request.format()
    if (format === null) return refuseTo(tenant.id, unacceptable)

    const leave = bound.enter(tenant.id)
    if (typeof leave !== 'function') return refuseTo(tenant.id, leave)
    try {
      const outcome = await answer(token, tenant.id, format, request)
      if (!isRefusal(outcome)) return { ...outcome, leave }
      leave()
      return refuseTo(tenant.id, outcome)
    } catch (error) {
      leave()
      throw error
    }
  }
}

interface FoundUnit {
  readonly target: Target
  readonly recommendation: Recommendation
}

/** Step 6 for each, in order, until the answer is as large as it may become; what comes then is left out. */
async function representAll(
  found: readonly (FoundUnit | Refusal)[],
  format: Format,
  receivedAt: number,
): Promise<BatchItem[]> {
  const items: BatchItem[] = []
  let bytes = 0
  for (const unit of found) {
    if (items.length % limits.readsPerCallMax === limits.readsPerCallMax - 1) await nextTurn()
    const item = bytes > limits.batchAnswerBytesMax ? fullAnswer : representUnit(unit, format, receivedAt)
    bytes += bytesOf(item)
    items.push(bytes > limits.batchAnswerBytesMax ? fullAnswer : item)
  }
  return items
}

function representUnit(unit: FoundUnit | Refusal, format: Format, receivedAt: number): BatchItem {
  if (isRefusal(unit)) return unit
  return representOrFall(unit.target, unit.recommendation, format, representBody, receivedAt)
}

function bytesOf(item: BatchItem): number {
  if (isRefusal(item)) return Buffer.byteLength(item.detail)
  const { representation } = item
  return typeof representation === 'string' ? Buffer.byteLength(representation) : representation.byteLength
}
