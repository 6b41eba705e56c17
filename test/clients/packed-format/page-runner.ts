import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { generateJson } from '../../../src/clients/json/generate-json.ts'
import { type ClientRunner, processProgram } from '../support/client-runner.ts'

const decoder = fileURLToPath(new URL('decode.py', import.meta.url))

/** The decoder that a reader of docs/packed-format.md wrote, with what `recgate client json` says of each model. */
export const pageRunner: ClientRunner = {
  name: 'a decoder from docs/packed-format.md alone',
  missing: () =>
    promisify(execFile)('python3', ['--version']).then(
      () => null,
      () => 'python3 (apt-get install python3)',
    ),
  async build(models, directory) {
    const descriptions = models.map((model) => JSON.parse(generateJson(model)[0]!.text))
    const file = join(directory, 'models.json')
    await writeFile(file, JSON.stringify(descriptions))
    return processProgram(['python3', decoder, file])
  },
}
