import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { compileProgram, missingMono, programFile, put } from './mono.ts'
import { runMono } from './mono-process.ts'

/** A phone's garbage collector stops the game: decoding makes the record, and nothing else. */

const missing = await missingMono()
if (missing !== null) process.stderr.write(`skipped: what decoding in C# allocates, for want of ${missing}\n`)

const schema = recordSchemaDocument.parse({
  on: { type: 'bool' },
  kind: { type: 'enum', values: ['x', 'y'], room: 8, default: 'x' },
  home: {
    type: 'struct',
    fields: { x: { type: 'int', min: -9, max: 9, optional: true }, label: { type: 'string', maxBytes: 40 } },
  },
  at: { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 1, bits: 30 },
  rows: { type: 'list', maxItems: 4, items: { type: 'list', maxItems: 4, items: { type: 'uint', max: 9 } } },
  scores: { type: 'list', maxItems: 9, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
  raw: { type: 'bytes', maxBytes: 9 },
  tags: {
    type: 'list',
    maxItems: 3,
    items: { type: 'struct', fields: { kind: { type: 'enum', values: ['p', 'q'], optional: true } } },
  },
})
const record = {
  on: true,
  kind: 'y',
  home: { x: 3, label: 'Köln, プレイヤー, 😀' },
  at: '2026-05-06T07:08:09Z',
  rows: [[1, 2, 3], [], [9]],
  scores: [0.1, 0.2, 0.3],
  raw: 'AP8Q',
  tags: [{ kind: 'q' }, {}],
}

test.skipIf(missing !== null)(
  'decoding makes no garbage but the record, and failing no more than that',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'recgate-allocations-'))
    const [decoder] = generateCsharp(
      describeClientModel({
        tenantId: 'golden',
        modelId: 'lean',
        record: schema,
        key: [{ claim: 'sub' }],
        defaultRecord: record,
        deadlineMs: 50,
      }),
    )
    const output = join(directory, 'allocations.exe')
    const programs = ['allocations.cs', 'framed-bytes.cs'].map(programFile)
    await compileProgram({ output, files: [await put(directory, decoder!.path, decoder!.text), ...programs] })
    const hex = Buffer.from(compileRecordSchema(schema).encode(record)).toString('hex')
    const [decoded, built, failed] = (await runMono(output, [hex])).split(' ').map(Number)
    await rm(directory, { recursive: true })
    expect(built).toBeGreaterThan(200)
    // Threads get their memory in blocks, so that a sum is some bytes off.
    expect(Math.abs(decoded! - built!)).toBeLessThanOrEqual(1)
    expect(failed).toBeLessThanOrEqual(decoded!)
  },
)
