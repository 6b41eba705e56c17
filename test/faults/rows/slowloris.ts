import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { metricNames } from '../../../src/metrics/names.ts'
import { startStandalone } from '../../support/redis-topologies.ts'
import { until } from '../../support/until.ts'
import type { Scenario } from '../scenario.ts'
import { mustAnswerAll } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { metricOf, setStage, untilServed } from '../support/stage.ts'

const slowOnes = 2_000
const randomOnes = 500
const head = `GET /recommendations HTTP/1.1\r\nHost: faults\r\nX-Slow: ${'a'.repeat(200)}`

export const slowloris: Scenario = {
  name: 'slowloris',
  fault: 'slowloris × 2,000, random bytes on the socket',
  mustHold: 'coded refusals or closed; others’ p99 ≤ 1.5×; no leak',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, calmMs, requestTimeoutMs, comingMs] = ground.isLong
      ? [500, 15_000, 10_000, 8_000]
      : [200, 1_000, 1_500, 500]
    ground.setting(
      `${rate} requests/s of others; ${slowOnes} connections that come within ${comingMs / 1_000} s and send a byte a second, then ${randomOnes} as quickly with 4 kB of random bytes; data.requestTimeoutMs ${requestTimeoutMs}`,
    )
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const env = { RECGATE_DATA_REQUEST_TIMEOUT_MS: String(requestTimeoutMs) }
    const stage = await setStage(ground, { redisUrl: redis.url, deadlineMs: 200, env })
    const load = await stage.load({ ratePerSecond: rate })
    await untilServed(load)
    const calmFrom = Date.now()
    await pause(calmMs)
    const memoryBefore = await stage.gateway.use()
    const startedAt = Date.now()
    const { dataPort } = stage.gateway
    const slow = attackers(dataPort, slowOnes, comingMs, (socket, second) =>
      socket.write(head.charAt(second)),
    )
    await until30(() => slow.open() === 0)
    slow.stop()
    const slowAt = Date.now()
    const random = attackers(dataPort, randomOnes, comingMs, (socket, second) => {
      if (second === 0) socket.write(randomBytes(4_096))
    })
    await until30(() => random.open() === 0)
    random.stop()
    const endedAt = Date.now()
    const openConnections = () => metricOf(stage.gateway, metricNames.connectionsOpen.name)
    await load.drain()
    await until('no connection is left', async () => (await openConnections()) === 0)
    const memoryAfter = await stage.gateway.use()

    for (const [what, { open, uncoded, refused }] of [
      ['slow connections', slow],
      ['random bytes', random],
    ] as const) {
      ground.must(`${what} still open`, open(), '0', open() === 0)
      ground.must(`${what} answered with what is no coded refusal`, uncoded(), '0', uncoded() === 0)
      ground.setting(`${what}: ${refused()} told a code, the others closed`)
    }
    await mustAnswerAll(ground, load, startedAt, endedAt)
    const calm = await load.stretch(calmFrom, startedAt)
    for (const [what, from, to] of [
      ['slow connections', startedAt, slowAt],
      ['random bytes', slowAt, endedAt],
    ] as const) {
      const { p99Ms } = await load.stretch(from, to)
      const bound = `≤ 1.5 × ${calm.p99Ms.toFixed(1)} ms`
      ground.figure(`others’ p99 beside ${what}`, `${p99Ms.toFixed(1)} ms`, bound, p99Ms <= 1.5 * calm.p99Ms)
    }
    const grown = memoryAfter.heapUsed / memoryBefore.heapUsed - 1
    ground.figure('heap growth', `${(grown * 100).toFixed(1)} %`, '< 10 %', grown < 0.1)
  },
}

interface Attack {
  readonly open: () => number
  /** Answers that aren't a problem with a code. */
  readonly uncoded: () => number
  readonly refused: () => number
  stop(): void
}

/**
 * Attackers have no common clock: they come one after the other within `comingMs`, and `act` is called for each that is
 * still open once a second, at times of its own.
 */
function attackers(
  port: number,
  count: number,
  comingMs: number,
  act: (socket: Socket, second: number) => void,
): Attack {
  let [open, uncoded, refused, begun] = [count, 0, 0, 0]
  const timers = new Set<NodeJS.Timeout>()
  const startedAt = Date.now()
  const begin = () => {
    const socket = connect(port, '127.0.0.1')
    let said = ''
    let second = 0
    const actNow = () => {
      if (socket.writable) act(socket, second++)
    }
    actNow()
    const acting = setInterval(actNow, 1_000)
    timers.add(acting)
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      open--
      clearInterval(acting)
      timers.delete(acting)
      if (said === '') return
      if (/^HTTP\/1\.1 4\d\d /.test(said) && said.includes('"code":"')) refused++
      else uncoded++
    })
  }
  const beginning = setInterval(() => {
    const due = Math.min(count, Math.ceil((count * (Date.now() - startedAt)) / comingMs))
    for (; begun < due; begun++) begin()
    if (begun === count) clearInterval(beginning)
  }, 5)
  timers.add(beginning)
  return {
    open: () => open,
    uncoded: () => uncoded,
    refused: () => refused,
    stop: () => timers.forEach(clearInterval),
  }
}

/** Longer than any time-out that ends them; what is still open then is a finding. */
async function until30(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 30_000
  while (!condition() && Date.now() < giveUpAt) await pause(50)
}
