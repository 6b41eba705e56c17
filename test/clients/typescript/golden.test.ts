import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { goldenEntries } from '../../support/golden-clients/clients.ts'
import { goldenModel, goldenSuite } from '../support/golden-suite.ts'
import { chromiumRunner } from './chromium-runner.ts'
import { compile, repositoryOptions, strictestOptions, writeClients } from './compile.ts'
import { nodeRunner } from './node-runner.ts'

await goldenSuite(nodeRunner)
await goldenSuite(chromiumRunner)

test('the clients of the golden set compile under every strict option', { timeout: 540_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-strict-'))
  try {
    await writeClients(goldenEntries().map(goldenModel), directory)
    const compiled = compile(directory, { options: strictestOptions, extends: repositoryOptions })
    await expect(compiled).resolves.toBeUndefined()
  } finally {
    await rm(directory, { recursive: true })
  }
})
