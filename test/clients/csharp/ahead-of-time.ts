import { execFile, spawnSync } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type ClientRunner, processProgram } from '../support/client-runner.ts'
import { buildDecoders } from './csharp-runner.ts'
import { missingMono } from './mono.ts'

/** Mono's own compiler to machine code, as consoles and phones need one: what it can't compile doesn't run there. */

/** Null: everything is there. */
export async function missingAot(): Promise<string | null> {
  const lacking = ['as', 'ld'].filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (lacking.length > 0) return `${lacking.join(' and ')} (apt-get install binutils)`
  return missingMono()
}

/** What the compiler says. It puts the code next to the file, and takes other assemblies from there, too. */
export async function compileAhead(file: string): Promise<string> {
  const env = { ...process.env, MONO_PATH: dirname(file) }
  const args = ['--aot=full', basename(file)]
  const { stdout } = await promisify(execFile)('mono', args, { cwd: dirname(file), env })
  return stdout
}

/** Where Debian has it. */
const coreLibrary = '/usr/lib/mono/4.5/mscorlib.dll'

/** As csharpRunner, with all code there before it runs: `--full-aot` ends a program that would need more. */
export const aotRunner: ClientRunner = {
  name: 'C# on mono, compiled ahead of time',
  missing: missingAot,
  async build(models, directory) {
    const program = await buildDecoders(models, directory)
    await copyFile(coreLibrary, join(directory, basename(coreLibrary)))
    for (const file of [basename(coreLibrary), basename(program)]) await compileAhead(join(directory, file))
    return processProgram(['mono', '--full-aot', program], { MONO_PATH: directory })
  },
}
