import { describe, expect, test } from 'vitest'
import { differences } from './answers.ts'
import { bodyQuestion, defaultQuestion, processProgram } from './client-runner.ts'

/** The suites are no better than what they are told of a program that fails. */

const node = (script: string) => processProgram([process.execPath, '--eval', script])
const questions = [bodyQuestion(0, '01ff'), bodyQuestion(1, ''), defaultQuestion(2)]

describe('a program', () => {
  test('is asked line by line', async () => {
    const echo = node('process.stdin.pipe(process.stdout)')
    expect(await echo.answer(questions)).toEqual(['0 01ff', '1 -', '2 default'])
    await echo.close()
  })

  test('that ends early is told of, with the question that it met and its last words', async () => {
    const early = node('console.log("{}"); console.error("out of bounds"); process.exitCode = 3')
    const failure = early.answer(questions)
    await expect(failure).rejects.toThrow('ended with 3 after 1 of 3 answers; the next question: 1 -')
    await expect(failure).rejects.toThrow('out of bounds')
  })

  test('that gives every answer and then fails has failed', async () => {
    const late = node('process.stdin.pipe(process.stdout); process.exitCode = 1')
    await expect(late.answer(questions)).rejects.toThrow('ended with 1 after 3 of 3 answers')
  })

  test('that answers too much has failed, too', async () => {
    const loud = node('process.stdin.pipe(process.stdout); console.log("ready")')
    await expect(loud.answer(questions)).rejects.toThrow('after 4 of 3 answers')
  })
})

describe('an answer', () => {
  const differs = (answer: Parameters<typeof differences>[0][number]['answer'], given: string) =>
    differences([{ question: '0 01', answer, of: 'schema' }], [given]).length > 0

  test.each([
    ['{"a":0.3,"b":[1,2]}', false],
    ['{"b":[1.0,2e0],"a":3.0000000000000000e-1}', false],
    ['{"a":0.30000000000000004,"b":[1,2]}', true],
    ['{"a":0.3,"b":[2,1]}', true],
    ['{"a":"0.3","b":[1,2]}', true],
    ['{"a":0.3,"b":[1,2],"c":null}', true],
    ['{"a":0.3}', true],
    ['{"a":0.3,"b":[1,2]', true],
    ['error bits-range a', true],
    ['', true],
  ])('%s is another than the record: %s', (given, other) => {
    expect(differs({ json: { a: 0.3, b: [1, 2] } }, given)).toBe(other)
  })

  test.each([
    ['error bits-range games.score', false],
    ['error bits-range games[0].score', true],
    ['error bits-range', true],
    ['error length-range games.score', true],
    ['{}', true],
  ])('%s is another than the error: %s', (given, other) => {
    expect(differs({ error: { code: 'bits-range', field: 'games.score' } }, given)).toBe(other)
  })

  test('of zero has no sign, and none is none', () => {
    expect(differs({ json: { a: 0 } }, '{"a":-0}')).toBe(true)
    expect(differs({ error: { code: 'packed-empty', field: '' } }, 'error packed-empty')).toBe(false)
    expect(differs(null, 'none')).toBe(false)
    expect(differs(null, '{}')).toBe(true)
  })

  test('that differs is told with its schema, and of very many only the first', () => {
    const expected = Array.from({ length: 50 }, (_, index) => ({
      question: bodyQuestion(index, '01'),
      answer: { json: { a: index } },
      of: 'schema {"a":…}',
    }))
    const found = differences(expected, [])
    expect(found[0]).toBe('schema {"a":…}, asked 0 01:\n  should be {"a":0}\n  but it is ')
    expect(found).toHaveLength(11)
    expect(found.at(-1)).toBe('… and 40 more')
  })
})
