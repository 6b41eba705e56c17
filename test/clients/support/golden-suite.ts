import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import type { GoldenEntry } from '../../support/golden-clients/entry.ts'
import { differences, type Expected } from './answers.ts'
import { bodyQuestion, type ClientProgram, type ClientRunner, defaultQuestion } from './client-runner.ts'

/** A compiler takes its time over so many models, and more so on a busy machine. */
const buildMsMax = 540_000
const answerMsMax = 120_000

function goldenModel(entry: GoldenEntry): ClientModel {
  return describeClientModel({
    tenantId: entry.tenant,
    modelId: entry.model,
    record: entry.schema,
    key: [{ claim: 'sub', column: 'player_id' }],
    defaultRecord: entry.default?.given ?? null,
    deadlineMs: 50,
  })
}

function expectedOf(entry: GoldenEntry, index: number): Expected[] {
  const of = `"${entry.name}"`
  return [
    {
      question: defaultQuestion(index),
      answer: entry.default === null ? null : { json: entry.default.json },
      of,
    },
    ...entry.bodies.map((body) => ({ question: bodyQuestion(index, body.hex), answer: body, of })),
  ]
}

/** Every entry of test/golden/clients.json, read by clients that a runner generated. */
export async function goldenSuite(runner: ClientRunner): Promise<void> {
  const missing = await runner.missing()
  if (missing !== null)
    process.stderr.write(`skipped: the golden set in ${runner.name}, for want of ${missing}\n`)
  describe.skipIf(missing !== null)(`the golden set in ${runner.name}`, () => {
    const entries = goldenEntries()
    let directory: string
    let program: ClientProgram | undefined

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'recgate-golden-'))
      program = await runner.build(entries.map(goldenModel), directory)
    }, buildMsMax)

    afterAll(async () => {
      await program?.close()
      await rm(directory, { recursive: true })
    })

    test(
      'every default record and every body reads as it is pinned',
      async () => {
        const expected = entries.flatMap(expectedOf)
        const answers = await program!.answer(expected.map(({ question }) => question))
        expect(differences(expected, answers)).toEqual([])
      },
      answerMsMax,
    )
  })
}
