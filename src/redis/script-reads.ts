import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { limits } from '../domain/limits.ts'
import type { Cause } from '../domain/reasons.ts'
import { bucketOf } from '../domain/row-key.ts'
import type { ActiveTable } from '../domain/snapshot.ts'
import type { RecordReadResult } from '../serving/ports.ts'
import { describeNode } from './endpoint.ts'
import { wordsOf } from './failure-reason.ts'
import type { CreateBreaker, Outcome } from './node-breaker.ts'
import type { ReadSender, Settle, WaitingRead } from './waiting-read.ts'

/**
 * All reads of one turn of the event loop travel in one call of a read-only script: one command to write, one reply to
 * parse, one trip, also where control's row is needed. Measured in a Fastify route on one node: 18.4 µs of CPU a request
 * (empty route 15.0), against 25.2 for an HGET each.
 *
 * KEYS: the buckets in the order of the reads: own where the read has a table of its own, then control's where it has one
 * ARGV: the number of tables, their tokens, then for each read: two characters, which name its own table and control's by
 *       place among the tokens (code 32: none, 33: the first), and the row key
 * Reply: for each read: the packed record, or [miss] or [miss, control's packed record]; what is wrong with control's table
 *       is the miss where nothing else answers
 *
 * A bucket that is no hash is damaged like any other: its error must not end the reads that travel with it.
 */
const readScript = `
local replies, key = {}, 0
local function find(row, token)
  key = key + 1
  local found = redis.pcall('HMGET', KEYS[key], row, '')
  if found.err and not string.find(found.err, 'WRONGTYPE', 1, true) then error(found.err, 0) end
  if found[2] ~= token then return nil, 2 end
  return found[1], 1
end
for i = tonumber(ARGV[1]) + 2, #ARGV do
  local own, control = string.byte(ARGV[i], 1, 2)
  local row = string.sub(ARGV[i], 3)
  local record, miss, sibling, state = nil, 0, nil, nil
  if own > 32 then record, miss = find(row, ARGV[own - 31]) end
  if control > 32 then
    if record then key = key + 1 else sibling, state = find(row, ARGV[control - 31]) end
    if state == 2 then miss = (miss == 1) and 3 or 2 end
  end
  replies[#replies + 1] = record or (sibling and {miss, sibling} or {miss})
end
return replies
`

/** As many tables of one call as the characters from code 33 to 126 can name. */
const tablesPerCallMax = 94

const misses = ['no-table', 'unknown-row', 'table-damaged'] as const satisfies readonly Cause[]

/** The own table lacks the row, and control's is damaged. */
const unknownBesideDamage = 3

type ScriptReply = readonly (Uint8Array | [miss: number, sibling?: Uint8Array])[]

/** What a probe asks: the script, about no row. */
const noReads = ['0', '0']

interface ScriptReadsServices {
  readonly createBreaker: CreateBreaker
  /** The reads'; one look at it dates all answers of a call. */
  readonly clock: () => number
}

/** Sends a turn's reads to one node, at most `limits.readsPerCallMax` a call. */
export function createScriptReads(
  client: Redis,
  settle: Settle,
  { createBreaker, clock }: ScriptReadsServices,
): ReadSender {
  const script = createScriptCall(client)
  const breaker = createBreaker(nodeNameOf(client), () =>
    client.status === 'ready' ? script(noReads, () => undefined).then(() => null, wordsOf) : null,
  )
  client.on('ready', breaker.reached)
  client.on('end', breaker.stop)

  async function call({ reads, parameters, modelDeadlineAt }: ReadCall): Promise<void> {
    try {
      const replies = await script(parameters(), (trip) => breaker.observe(trip, modelDeadlineAt()))
      const now = clock()
      for (let index = 0; index < reads.length; index++) settle(reads[index]!, resultOf(replies[index]), now)
    } catch {
      // What went wrong is counted as the cause; the breaker tells of it, and the client's error event.
      const now = clock()
      for (const waitingRead of reads) settle(waitingRead, { from: 'none', cause: 'store' }, now)
    }
  }

  return {
    canSend: () => !breaker.isOpen && client.status === 'ready',
    send(reads) {
      let readCall = createReadCall()
      for (const waitingRead of reads) {
        if (!readCall.hasRoom()) {
          void call(readCall)
          readCall = createReadCall()
        }
        readCall.add(waitingRead)
      }
      void call(readCall)
    },
  }
}

/** What Sentinels call it, or where it is. */
function nodeNameOf({ options }: Redis): string {
  const { sentinels, name, host = 'localhost', port = 6_379 } = options
  return sentinels ? (name ?? '') : describeNode({ host, port })
}

function resultOf(reply: ScriptReply[number] | undefined): RecordReadResult {
  if (reply === undefined) return { from: 'none', cause: 'store' }
  if (!Array.isArray(reply)) return { from: 'own', bytes: reply }
  const [miss, sibling] = reply
  if (miss === unknownBesideDamage) return { from: 'none', cause: 'table-damaged', ownIsUnknown: true }
  const cause = misses[miss] ?? 'store'
  return sibling === undefined ? { from: 'none', cause } : { from: 'control', bytes: sibling, cause }
}

interface ReadCall {
  readonly reads: readonly WaitingRead[]
  hasRoom(): boolean
  add(waitingRead: WaitingRead): void
  /** The latest of the reads'. */
  modelDeadlineAt(): number
  /** The number of keys, the keys, and the script's arguments. */
  parameters(): string[]
}

/** Few tables serve many reads: their tokens go once a call, not once a read. */
function createReadCall(): ReadCall {
  const reads: WaitingRead[] = []
  const keys: string[] = []
  const tables: ActiveTable[] = []
  const rows: string[] = []
  let modelDeadlineAt = Number.NEGATIVE_INFINITY

  /** The character that names a table; its bucket for this row becomes the next key. */
  function name(table: ActiveTable | null, rowKey: string): string {
    if (table === null) return ' '
    keys.push(table.bucketPrefix + bucketOf(rowKey, table.buckets))
    const known = tables.indexOf(table)
    return String.fromCharCode(33 + (known === -1 ? tables.push(table) - 1 : known))
  }

  return {
    reads,
    // A read may bring two new tables.
    hasRoom: () => reads.length < limits.readsPerCallMax && tables.length + 2 <= tablesPerCallMax,
    add(waitingRead) {
      const { rowKey, own, control } = waitingRead.read
      reads.push(waitingRead)
      modelDeadlineAt = Math.max(modelDeadlineAt, waitingRead.modelDeadlineAt)
      const ownName = name(own, rowKey)
      rows.push(ownName + name(control, rowKey) + rowKey)
    },
    modelDeadlineAt: () => modelDeadlineAt,
    parameters: () => [
      String(keys.length),
      ...keys,
      String(tables.length),
      ...tables.map((table) => table.token),
      ...rows,
    ],
  }
}

/** A server that answers so is well. */
const isAnswer = /^(NOSCRIPT|ERR unknown command)/i

type ScriptCall = (parameters: readonly string[], onTrip: (trip: Outcome) => void) => Promise<ScriptReply>

/**
 * The script by its hash; sent whole where the server doesn't hold it yet, or any more. `onTrip` is called with each
 * command's outcome when it is sent: what two of them take together is not the server's doing.
 */
function createScriptCall(client: Redis): ScriptCall {
  const sha = createHash('sha1').update(readScript).digest('hex')
  /** EVALSHA_RO came with Redis 7.0; it may run on a replica and under a read-only ACL. */
  let suffix: '_RO' | '' = '_RO'
  // What comes back may be another server.
  client.on('close', () => {
    suffix = '_RO'
  })

  async function call(
    command: 'EVALSHA' | 'EVAL',
    parameters: readonly string[],
    onTrip: (trip: Outcome) => void,
  ): Promise<ScriptReply> {
    const script = command === 'EVAL' ? readScript : sha
    const tried = suffix
    const trip = client.callBuffer(`${command}${tried}`, script, ...parameters)
    onTrip(trip.then(isWell, failureOf))
    try {
      return (await trip) as ScriptReply
    } catch (error) {
      const { message } = error as Error
      if (command === 'EVALSHA' && message.startsWith('NOSCRIPT')) return call('EVAL', parameters, onTrip)
      // By what this call tried: another one in flight may have learnt it meanwhile.
      if (tried === '' || !/^ERR unknown command/i.test(message)) throw error
      suffix = ''
      return call(command, parameters, onTrip)
    }
  }

  return (parameters, onTrip) => call('EVALSHA', parameters, onTrip)
}

const isWell = () => null

function failureOf(error: Error): string | null {
  return isAnswer.test(error.message) ? null : wordsOf(error)
}
