import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Debian's C# compiler and what runs its programs. */

/** What mcs knows at most; it lies within the 7.3 that is promised. */
const languageVersion = '7.2'

/** Null: everything is there. */
export async function missingMono(): Promise<string | null> {
  const lacking = ['mcs', 'mono'].filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (lacking.length === 0) return null
  return `${lacking.join(' and ')} (apt-get install mono-mcs mono-runtime libmono-system-net-http4.0-cil libmono-system-web-extensions4.0-cil)`
}

/** Of programs/. */
export function programFile(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}`, import.meta.url))
}

/** Answers the file's path. */
export async function put(directory: string, name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

export interface Compilation {
  /** A program, or a library where its name ends in `.dll`. */
  readonly output: string
  readonly files: readonly string[]
  readonly references?: readonly string[]
  /** A directory of reference assemblies, which then are all that it knows of .NET. */
  readonly framework?: string
  readonly defines?: readonly string[]
  /** Where there are several. */
  readonly main?: string
  /** Numbers of warnings that are none here. */
  readonly silenced?: readonly number[]
}

/** Every warning is an error. @throws with what the compiler says */
export async function compileCsharp(compilation: Compilation): Promise<void> {
  const { output, files, references = [], framework, defines = [], main, silenced = [] } = compilation
  const args = [
    `-langversion:${languageVersion}`,
    '-warn:4',
    '-warnaserror',
    '-optimize',
    `-out:${output}`,
    ...(output.endsWith('.dll') ? ['-target:library'] : []),
    ...(framework === undefined ? [] : ['-nostdlib', '-noconfig', `-r:${framework}/mscorlib.dll`]),
    ...(main === undefined ? [] : [`-main:${main}`]),
    ...references.map(
      (reference) => `-r:${framework === undefined ? reference : resolve(framework, reference)}`,
    ),
    ...defines.map((define) => `-define:${define}`),
    ...silenced.map((number) => `-nowarn:${number}`),
    ...files,
  ]
  await runCompiler(args, basename(output))
}

/** One that `startMono` runs, which adds to it what says when it is over. */
export function compileProgram(compilation: Compilation): Promise<void> {
  const files = [...compilation.files, programFile('ending.cs')]
  return compileCsharp({ ...compilation, files, main: 'RecgateTests.Ending' })
}

async function runCompiler(args: readonly string[], output: string): Promise<void> {
  await new Promise<void>((succeed, reject) => {
    execFile('mcs', args, { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error === null) return succeed()
      reject(new Error(`mcs doesn't compile ${output}:\n${`${stdout}${stderr}`.slice(0, 4_000)}`))
    })
  })
}
