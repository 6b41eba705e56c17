import { text } from 'node:stream/consumers'
import { answerAll } from './answer-all.ts'

/** `node answer-program.ts CLIENTS.js`: questions on standard input, answers on standard output. */
const modules = (await import(process.argv[2]!)) as Record<string, object>
const questions = (await text(process.stdin)).split('\n').slice(0, -1)
// One at a time, so that an early end shows which one it was.
for (const question of questions) process.stdout.write(`${answerAll(modules, [question])[0]}\n`)
