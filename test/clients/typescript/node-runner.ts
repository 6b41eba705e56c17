import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { type ClientProgram, type ClientRunner, processProgram } from '../support/client-runner.ts'
import { compile, plainOptions, writeClients } from './compile.ts'
import { toldAnswer } from './tell-json.ts'

const program = fileURLToPath(new URL('answer-program.ts', import.meta.url))

/** Compiled as the plainest of projects does, and run by this Node. */
export const nodeRunner: ClientRunner = {
  name: 'TypeScript in Node',
  missing: () => Promise.resolve(null),
  async build(models, directory) {
    const built = await builtClients(models, directory)
    return tellingJson(models, processProgram([process.execPath, program, pathToFileURL(built).href]))
  },
}

/** Answers the path of the JavaScript that exports all of them. */
export async function builtClients(models: readonly ClientModel[], directory: string): Promise<string> {
  const outDir = join(directory, 'built')
  await writeClients(models, join(directory, 'source'))
  await compile(join(directory, 'source'), { options: plainOptions, outDir })
  await writeFile(join(outDir, 'package.json'), '{ "type": "module" }')
  return join(outDir, 'clients.js')
}

/** What a program answers, as the contract has it. */
export function tellingJson(models: readonly ClientModel[], program: ClientProgram): ClientProgram {
  return {
    ...program,
    async answer(questions) {
      const answers = await program.answer(questions)
      return answers.map((answer, index) =>
        toldAnswer(models[Number.parseInt(questions[index]!, 10)]!, answer),
      )
    },
  }
}
