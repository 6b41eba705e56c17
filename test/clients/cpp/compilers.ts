import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What the generated C++ must compile with, and how. */
export interface CppCompiler {
  readonly command: 'g++' | 'clang++'
  /** What this machine lacks and what would bring it; null: nothing. */
  missing(): Promise<string | null>
  /** Each source to an object beside it, and all of them to one program. @throws {Error} with what the compiler says */
  build(sources: readonly string[], program: string, options?: BuildOptions): Promise<void>
}

export interface BuildOptions {
  /** Instead of `sanitizerFlags`. */
  readonly flags?: readonly string[]
  readonly libraries?: readonly string[]
}

/** What issue and engines ask for: Unreal builds without exceptions and RTTI, and takes shadowing for an error. */
const strictFlags = [
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-Wall',
  '-Wextra',
  '-Wpedantic',
  '-Wconversion',
  '-Wsign-conversion',
  '-Wold-style-cast',
  '-Wshadow',
  '-Wundef',
  '-Werror',
] as const

/**
 * Whatever is undefined, or reaches beyond what is the program's, ends the program. Unoptimized, which hides nothing and
 * compiles in half the time.
 */
export const sanitizerFlags = [
  '-O0',
  '-g0',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
] as const

export const compilers: readonly CppCompiler[] = [
  compilerOf('g++', 'g++ libcurl4-openssl-dev'),
  compilerOf('clang++', 'clang libclang-rt-dev libcurl4-openssl-dev'),
]

const run = promisify(execFile)
/** Of a compiler's words: templates make many. */
const wordsMax = 4_000

function compilerOf(command: CppCompiler['command'], packages: string): CppCompiler {
  return {
    command,
    missing: async () =>
      (await compilesAnything(command))
        ? null
        : `${command}, sanitizers and libcurl (apt-get install ${packages})`,
    async build(sources, program, { flags = sanitizerFlags, libraries = [] } = {}) {
      const objects = sources.map((source) => `${source}.o`)
      await eachOf(sources, (source) =>
        compile(command, [...strictFlags, ...flags, '-c', source, '-o', `${source}.o`]),
      )
      await compile(command, [...flags, ...objects, '-o', program, ...libraries])
    },
  }
}

/** As many at one time as there are cores. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}

async function compile(command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, args, { maxBuffer: 2 ** 26 })
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    throw new Error(`${command} ${args.join(' ')}:\n${stderr.slice(0, wordsMax)}`)
  }
}

/** Whether the compiler is there, with the libraries that its sanitizers and the programs of tests are linked to. */
async function compilesAnything(command: string): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-cpp-probe-'))
  try {
    const source = join(directory, 'probe.cpp')
    await writeFile(source, '#include <curl/curl.h>\nint main() { curl_global_cleanup(); }\n')
    await run(command, [...sanitizerFlags, source, '-o', join(directory, 'probe'), '-lcurl'])
    return true
  } catch {
    return false
  } finally {
    await rm(directory, { recursive: true })
  }
}
