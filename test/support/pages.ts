import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What stands in fenced blocks of the pages under docs/, and a shell in which it can be run. */

export interface Block {
  /** The word behind the fence: `sh`, `text`, `python` … */
  readonly language: string
  readonly text: string
  /** The fence's line on the page, for whoever must find it. */
  readonly line: number
}

/** @param name Of the page, e.g. `publishing.md`. */
export function pageText(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
}

export function blocksOf(name: string): Block[] {
  const page = pageText(name)
  return [...page.matchAll(/^```([a-z]+)\n(.*?)^```$/gms)].map(
    ({ 1: language = '', 2: text = '', index }) => ({
      language,
      text,
      line: page.slice(0, index).split('\n').length,
    }),
  )
}

/** The page's only block in a language that holds the text. Throws where there is another number of them. */
export function blockWith(name: string, language: string, text: string): string {
  const found = blocksOf(name).filter((block) => block.language === language && block.text.includes(text))
  if (found.length !== 1) throw new Error(`docs/${name} has ${found.length} ${language} blocks with ${text}`)
  return found[0]!.text
}

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const compileCache = join(tmpdir(), 'recgate-tests-compile-cache')

/** A program as a shell script of that name. */
export async function putProgram(directory: string, name: string, script: string): Promise<void> {
  const path = join(directory, name)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
}

/** Makes `recgate` and `npx recgate` this tree's command line, for who has the directory on PATH. */
export async function putRecgate(directory: string): Promise<void> {
  const run = `exec '${process.execPath}' '${cli}' "$@"`
  await putProgram(directory, 'recgate', run)
  await putProgram(directory, 'npx', `shift\n${run}`)
}

export interface ProgramResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  /** Comes first on PATH. */
  readonly programs: string
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs to its end; nothing but PATH comes from the tests' own environment. */
export function runProgram(
  [program, ...args]: readonly [string, ...string[]],
  { programs, cwd, env = {} }: ProgramOptions,
): Promise<ProgramResult> {
  const PATH = `${programs}${delimiter}${process.env['PATH'] ?? ''}`
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { PATH, NODE_COMPILE_CACHE: compileCache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
