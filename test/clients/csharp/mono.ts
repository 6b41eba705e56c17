import { execFile, spawnSync } from 'node:child_process'
import { basename } from 'node:path'

/** Debian's C# compiler and what runs its programs. */

/** What mcs knows at most; it lies within the 7.3 that is promised. */
const languageVersion = '7.2'

/** Null: everything is there. */
export async function missingMono(): Promise<string | null> {
  const lacking = ['mcs', 'mono'].filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (lacking.length === 0) return null
  return `${lacking.join(' and ')} (apt-get install mono-mcs mono-runtime libmono-system-net-http4.0-cil libmono-system-web-extensions4.0-cil)`
}

export interface Compilation {
  /** Its ending says whether it is a program or a library. */
  readonly output: string
  readonly files: readonly string[]
  readonly references?: readonly string[]
  readonly defines?: readonly string[]
}

/** Every warning is an error. @throws with what the compiler says */
export async function compileCsharp({ output, files, references = [], defines = [] }: Compilation): Promise<void> {
  const args = [
    `-langversion:${languageVersion}`,
    '-warn:4',
    '-warnaserror',
    '-optimize',
    `-target:${output.endsWith('.dll') ? 'library' : 'exe'}`,
    `-out:${output}`,
    ...references.map((reference) => `-r:${reference}`),
    ...defines.map((define) => `-define:${define}`),
    ...files,
  ]
  await new Promise<void>((resolve, reject) => {
    execFile('mcs', args, { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error === null) return resolve()
      reject(new Error(`mcs doesn't compile ${basename(output)}:\n${`${stdout}${stderr}`.slice(0, 4_000)}`))
    })
  })
}
