import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { buildProgram } from './client-program.ts'
import { compilers } from './compilers.ts'

const model = describeClientModel({
  tenantId: 'studio',
  modelId: 'games',
  record: { game: { type: 'uint', max: 255 } },
  key: [{ query: 'level', uint: { max: 1_000 } }],
  defaultRecord: null,
  deadlineMs: 50,
})

describe('the fetcher over a transport that does what nobody expects', () => {
  for (const compiler of compilers)
    test(`compiled by ${compiler.command} under sanitizers`, async ({ skip }) => {
      const missing = await compiler.missing()
      skip(missing !== null, `for want of ${missing}`)
      const directory = await mkdtemp(join(tmpdir(), 'recgate-scripted-'))
      try {
        await promisify(execFile)(await buildProgram(compiler, 'scripted.cpp', model, directory))
      } finally {
        await rm(directory, { recursive: true })
      }
    }, 240_000)
})
