import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ClientModel } from '../../../src/clients/client-model.ts'
import { generateTypescript } from '../../../src/clients/typescript/generate-typescript.ts'

/** Generated clients in the hands of the real compiler. */

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const tsc = fromHere('../../../node_modules/typescript/bin/tsc')

/** What any project of today might have, and no more. */
export const plainOptions = {
  strict: true,
  target: 'es2020',
  lib: ['es2020', 'dom'],
  module: 'es2020',
  moduleResolution: 'bundler',
  types: [],
}

/** All that this repository asks of its own code, and what others ask besides. */
export const strictestOptions = {
  noUnusedLocals: true,
  noUnusedParameters: true,
  noImplicitAny: true,
  allowUnreachableCode: false,
  allowUnusedLabels: false,
  isolatedModules: true,
  useUnknownInCatchVariables: true,
  typeRoots: [fromHere('../../../node_modules/@types')],
}
export const repositoryOptions = fromHere('../../../tsconfig.json')

export interface Compilation {
  readonly options: Readonly<Record<string, unknown>>
  /** A file whose options are the ground for these. */
  readonly extends?: string
  /** Where the JavaScript goes; none is made without it. */
  readonly outDir?: string
}

/** Compiles every file of the directory. @throws {Error} with what the compiler says */
export async function compile(directory: string, compilation: Compilation): Promise<void> {
  const { options, outDir } = compilation
  const emit =
    outDir === undefined
      ? { noEmit: true }
      : { noEmit: false, outDir, rootDir: directory, noEmitOnError: true }
  const config = {
    ...(compilation.extends === undefined ? {} : { extends: compilation.extends }),
    compilerOptions: { ...options, ...emit },
    include: [`${directory}/**/*.ts`],
    exclude: [],
  }
  const file = join(directory, 'tsconfig.json')
  await writeFile(file, JSON.stringify(config))
  await promisify(execFile)(process.execPath, [tsc, '-p', file], { maxBuffer: 2 ** 26 }).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`the compiler refuses:\n${stdout.slice(0, 8_000)}${stderr}`)
    },
  )
}

/** Each model's files in a directory of their own; `clients.ts` has all decoders, as `c0`, `c1` and so on. */
export async function writeClients(models: readonly ClientModel[], directory: string): Promise<void> {
  const lines: string[] = []
  for (const [index, model] of models.entries()) {
    const files = generateTypescript(model)
    await mkdir(join(directory, String(index)), { recursive: true })
    for (const { path, text } of files) await writeFile(join(directory, String(index), path), text)
    lines.push(`export * as c${index} from './${index}/${files[0]!.path.replace(/\.ts$/, '.js')}'\n`)
  }
  await writeFile(join(directory, 'clients.ts'), lines.join(''))
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
}
