import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import { goldenModel, goldenSuite } from '../support/golden-suite.ts'
import { chromiumRunner } from './chromium-runner.ts'
import { compile, repositoryOptions, strictestOptions, writeClients } from './compile.ts'
import { nodeRunner } from './node-runner.ts'

await goldenSuite(nodeRunner)
await goldenSuite(chromiumRunner)

/** The golden set's models have none. */
const parametrized = describeClientModel({
  tenantId: 'golden',
  modelId: 'parameters',
  record: { a: { type: 'bool' } },
  key: [
    { query: 'constructor', values: ["it's", '*/', 'a\nb', '\u2028'] },
    { query: 'x-y.z', uint: { max: Number.MAX_SAFE_INTEGER } },
    { query: 'toString', id: { maxBytes: 3 } },
  ],
  defaultRecord: null,
  deadlineMs: 50,
})

test('the clients of the golden set compile under every strict option', { timeout: 540_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-strict-'))
  try {
    await writeClients([...goldenEntries().map(goldenModel), parametrized], directory)
    const compiled = compile(directory, { options: strictestOptions, extends: repositoryOptions })
    await expect(compiled).resolves.toBeUndefined()
  } finally {
    await rm(directory, { recursive: true })
  }
})
