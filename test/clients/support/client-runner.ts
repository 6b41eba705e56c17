/**
 * How a generated client is asked what it reads, whatever its language: one program for many models, questions on its
 * standard input, answers on its standard output, one line each and in order.
 *
 *     question   INDEX HEX        decode the body with the client of models[INDEX]; HEX is `-` for a body of no bytes
 *                INDEX default    the default record that is compiled into that client
 *     answer     {"a":1,"b":[]}   the record as JSON, in one line, under the schema's own names
 *                error CODE FIELD the code of the error, and its field's path without `[n]`: `games.score`;
 *                error CODE       where the record as a whole is at fault
 *                none             the model has no default record
 *
 * In the JSON, a field that is absent is left out; numbers are compared by value, so that any text will do that
 * reads as the same double (17 digits always do); timestamps are RFC 3339 text, to the letter as the codec has it;
 * enum values are their text; bytes are padded base64; characters may be escaped or not.
 */
import { spawn } from 'node:child_process'
import type { ClientModel } from '../../../src/clients/client-model.ts'

/** What each language has, in test/clients/LANGUAGE/. */
export interface ClientRunner {
  /** `typescript in Node`, for the names of tests. */
  readonly name: string
  /** What this machine lacks and what would bring it, e.g. `mcs (apt-get install mono-mcs)`; null: it has everything. */
  missing(): Promise<string | null>
  /**
   * Generates the client of every model and compiles them into one program, in a directory of its own, which is empty
   * and removed after `close`. @throws {Error} with what the compiler says, where it doesn't compile
   */
  build(models: readonly ClientModel[], directory: string): Promise<ClientProgram>
}

export interface ClientProgram {
  /** As many answers as questions. @throws {Error} where the program ends early or badly, with the question it met */
  answer(questions: readonly string[]): Promise<string[]>
  close(): Promise<void>
}

/** Of a program's last words. */
const wordsMax = 2_000

/** A program that is started anew for each list of questions, and ends with its input. */
export function processProgram(
  [command, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
): ClientProgram {
  return {
    answer: (questions) =>
      new Promise((resolve, reject) => {
        const child = spawn(command, args, { env: { ...process.env, ...env } })
        let [stdout, stderr] = ['', '']
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          stdout += text
        })
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          stderr += text
        })
        child.once('error', reject)
        child.once('close', (code, signal) => {
          const answers = stdout.split('\n').slice(0, -1)
          if (code === 0 && answers.length === questions.length) return resolve(answers)
          const met = questions[answers.length] ?? 'none'
          const ended = `${command} ended with ${signal ?? code} after ${answers.length} of ${questions.length} answers`
          reject(
            new Error(`${ended}; the next question: ${met.slice(0, wordsMax)}\n${stderr.slice(-wordsMax)}`),
          )
        })
        // A program that ends early breaks the pipe; how it ended says more.
        child.stdin.on('error', () => undefined)
        child.stdin.end(questions.map((question) => `${question}\n`).join(''))
      }),
    close: () => Promise.resolve(),
  }
}

export function bodyQuestion(index: number, hex: string): string {
  return `${index} ${hex === '' ? '-' : hex}`
}

export function defaultQuestion(index: number): string {
  return `${index} default`
}
