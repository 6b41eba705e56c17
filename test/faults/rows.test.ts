import { describe, expect, test } from 'vitest'
import { play } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** The short form of every row: counts, statuses and order. `npm run faults` measures and judges the figures, too. */

// Each process that a row starts is ended with this one.
process.setMaxListeners(100)

const rowMsMax = 180_000

for (const scenario of scenarios) {
  const missing = (await scenario.missing?.()) ?? null
  if (missing !== null) process.stderr.write(`tests: the fault ${scenario.name} is skipped; ${missing}\n`)
  describe.skipIf(missing !== null)(scenario.fault, () => {
    test(scenario.mustHold, { timeout: rowMsMax }, async () => {
      const { findings } = await play(scenario, { isLong: false })
      const judged = findings.filter(({ isFigure }) => !isFigure)
      expect(judged.length).toBeGreaterThan(0)
      expect(judged.filter(({ holds }) => !holds)).toEqual([])
    })
  })
}
