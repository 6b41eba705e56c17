import { setTimeout as pause } from 'node:timers/promises'
import { startStandalone } from '../../support/redis-topologies.ts'
import type { Scenario } from '../scenario.ts'
import { mustAnswerAll } from '../support/judge.ts'
import { cannotRunTopologies } from '../support/machine.ts'
import { setStage, sumOf, untilServed } from '../support/stage.ts'

export const sigterm: Scenario = {
  name: 'sigterm',
  fault: 'SIGTERM under load, 20 times',
  mustHold: '0 failed of ≥ 100,000',
  missing: cannotRunTopologies,
  async run(ground) {
    const [rate, times, drainMs] = ground.isLong ? [1_500, 20, 3_000] : [300, 3, 1_000]
    ground.setting(
      `${rate} requests/s over two gateways, of which one by turns is ended and started again; drainMs ${drainMs}; ` +
        'clients open no new connection to a gateway whose /healthz says that it is draining',
    )
    const redis = await startStandalone()
    ground.onEnd(redis.stop)
    const stage = await setStage(ground, {
      redisUrl: redis.url,
      deadlineMs: 200,
      gateways: 2,
      env: { RECGATE_DRAIN_MS: String(drainMs) },
    })
    const load = await stage.load({ ratePerSecond: rate, connectionsMax: 64 })
    await untilServed(load)
    const startedAt = Date.now()
    const codes: (number | null)[] = []
    for (let turn = 0; turn < times; turn++) {
      const gateway = stage.gateways[turn % 2]!
      codes.push(await gateway.terminate())
      await gateway.restart()
      await pause(500)
    }
    const endedAt = Date.now()
    await load.drain()

    await mustAnswerAll(ground, load, startedAt, endedAt)
    const disorderly = codes.filter((code) => code !== 0).length
    ground.must(`of ${times} gateways, those that did not end with 0`, disorderly, '0', disorderly === 0)
    const all = sumOf((await load.stretch(startedAt, endedAt)).outcomes)
    ground.figure('requests', all, '≥ 100,000', all >= 100_000)
  },
}
