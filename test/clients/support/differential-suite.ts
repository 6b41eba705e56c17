import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { readAs } from '../../support/golden-clients/entry.ts'
import { differences, type Expected } from './answers.ts'
import { bodyQuestion, type ClientRunner, defaultQuestion } from './client-runner.ts'
import { Random } from './random.ts'
import { randomBodies } from './random-bodies.ts'
import { randomRecord } from './random-records.ts'
import { randomStates } from './random-schemas.ts'

/**
 *     FUZZ_SEED      a seed that a run printed; without it each run has its own
 *     FUZZ_SCHEMAS   20; the long form is 200
 *     FUZZ_BODIES    500, for each schema
 */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32)
const schemas = Number(process.env['FUZZ_SCHEMAS'] ?? 20)
const bodies = Number(process.env['FUZZ_BODIES'] ?? 500)

const runMsMax = 1_800_000

interface Subject {
  readonly model: ClientModel
  readonly expected: readonly Expected[]
}

/** A client of one state of a schema, and what it must make of what all of the states write. */
function randomSubject(random: Random, index: number): Subject {
  const states = randomStates(random)
  const schema = random.pick(states)
  const codec = compileRecordSchema(schema)
  const given = random.chance(0.7) ? randomRecord(random, schema) : null
  const model = describeClientModel({
    tenantId: 'fuzz',
    modelId: `m${index}`,
    record: schema,
    key: [{ claim: 'sub', column: 'player_id' }],
    defaultRecord: given,
    deadlineMs: 50,
  })
  const of = `schema ${JSON.stringify(schema)}`
  const answer = given === null ? null : { json: codec.decode(codec.encode(given)) }
  return {
    model,
    expected: [
      { question: defaultQuestion(index), answer, of },
      ...randomBodies(random, states, bodies).map((body) => ({
        question: bodyQuestion(index, body.toString('hex')),
        answer: readAs(codec, body),
        of,
      })),
    ],
  }
}

function countsOf(expected: readonly Expected[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { answer } of expected) {
    const kind = answer === null ? 'none' : 'error' in answer ? answer.error.code : 'record'
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Random schemas and bodies, on whose every answer a generated client and the codec must agree. */
export async function differentialSuite(runner: ClientRunner): Promise<void> {
  const missing = await runner.missing()
  if (missing !== null) {
    process.stderr.write(`skipped: random schemas in ${runner.name}, for want of ${missing}\n`)
  }
  describe.skipIf(missing !== null)(`random schemas in ${runner.name}`, () => {
    test(
      `${schemas} with ${bodies} bodies each read as the codec reads them (FUZZ_SEED=${seed})`,
      async () => {
        const random = new Random(seed)
        const subjects = Array.from({ length: schemas }, (_, index) => randomSubject(random, index))
        const expected = subjects.flatMap((subject) => subject.expected)
        const counts = countsOf(expected)
        process.stdout.write(`FUZZ_SEED=${seed}, ${runner.name}: ${JSON.stringify(counts)}\n`)
        // Otherwise this would test little.
        expect(counts['record']).toBeGreaterThan(expected.length / 5)
        expect(Object.keys(counts).length).toBeGreaterThan(6)

        const directory = await mkdtemp(join(tmpdir(), 'recgate-differential-'))
        try {
          const program = await runner.build(
            subjects.map(({ model }) => model),
            directory,
          )
          try {
            const answers = await program.answer(expected.map(({ question }) => question))
            expect(differences(expected, answers)).toEqual([])
          } finally {
            await program.close()
          }
        } finally {
          await rm(directory, { recursive: true })
        }
      },
      runMsMax,
    )
  })
}
