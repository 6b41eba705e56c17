import { expect, test } from 'vitest'
import { describeUncaught } from '../../../src/domain/describe-uncaught.ts'
import { limits } from '../../../src/domain/limits.ts'

test('says what and where, and nothing that a client hung on the error', () => {
  const error = Object.assign(new Error('it broke'), { command: { name: 'auth', args: ['secret'] } })
  const line = describeUncaught(error)
  expect(line.level).toBe('error')
  expect(line.fields['stack']).toMatch(/^Error: it broke\n +at .*describe-uncaught\.test/)
  expect(JSON.stringify(line)).not.toContain('secret')
})

test('of what is no error says only what kind of thing it is', () => {
  expect(describeUncaught({ password: 'secret' }).fields).toEqual({ stack: 'thrown: object' })
})

test('is not as long as an error likes to be', () => {
  const error = new Error('x'.repeat(1_000_000))
  expect(String(describeUncaught(error).fields['stack'])).toHaveLength(limits.errorStackCharactersMax)
})
