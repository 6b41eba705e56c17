import type { core } from 'zod'
import type { Fault } from './errors.ts'

/**
 * Turns what zod found into faults that name the path and what would be right, one a wrong value; an unknown field
 * becomes one fault of its own, because that is what a misspelling looks like.
 */
export function faultsOf(error: core.$ZodError, prefix = ''): Fault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(issue, prefix))
}

/** The error of a schema with a rule of its own: what isn't there at all is told as missing, and not as wrong. */
export function mustBe(rule: string): { error: (issue: { readonly input?: unknown }) => string } {
  return {
    error: ({ input }) => (input === undefined ? `is missing; it must be ${rule}` : `must be ${rule}`),
  }
}

export function joinPath(prefix: string, ...parts: readonly PropertyKey[]): string {
  return parts.reduce<string>((path, part) => {
    if (typeof part === 'number') return `${path}[${part}]`
    return path === '' ? String(part) : `${path}.${String(part)}`
  }, prefix)
}

function faultsOfIssue(issue: core.$ZodIssue, prefix: string): Fault[] {
  const path = joinPath(prefix, ...issue.path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: joinPath(path, key), problem: 'is not a known field here' }))
    case 'invalid_union':
      return unionFaults(issue, path)
    case 'invalid_key':
      return [{ path, problem: `is not a fitting name: ${issue.issues[0]?.message ?? 'it must be an id'}` }]
    default:
      return [{ path, problem: zodsOwn.test(issue.message) ? problemOf(issue) : issue.message }]
  }
}

/** Messages that a schema gives itself stay; zod's own speak to programmers, and are replaced. */
const zodsOwn = /^(Invalid|Too small|Too big|Unrecognized)/

/**
 * The branch that got furthest is what the writer meant, unless a field of its own is missing; a union without such
 * a branch names its own rule.
 */
function unionFaults(issue: core.$ZodIssueInvalidUnion, path: string): Fault[] {
  const branches = issue.errors.filter((branch) =>
    branch.every((inner) => inner.path.length > 1 || (inner.path.length === 1 && !isMissing(inner))),
  )
  const closest = branches.sort((a, b) => a.length - b.length)[0]
  if (closest !== undefined) return closest.flatMap((inner) => faultsOfIssue(inner, path))
  return [{ path, problem: zodsOwn.test(issue.message) ? 'does not fit here' : issue.message }]
}

function isMissing(issue: core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && /received undefined$/.test(issue.message)
}

function problemOf(issue: core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeProblem(issue)
    case 'invalid_value':
      return `must be ${listed(issue.values.map((value) => JSON.stringify(value)))}`
    case 'too_small':
      return smallProblem(issue)
    case 'too_big':
      return bigProblem(issue)
    default:
      return 'does not fit here'
  }
}

function typeProblem({ expected, message }: core.$ZodIssueInvalidType): string {
  const kind = kinds[expected] ?? expected
  const received = /received (\w+)$/.exec(message)?.[1]
  if (received === 'undefined') return `is missing; it must be ${kind}`
  const given = received === undefined ? undefined : (kinds[received] ?? received)
  // 1.5 for a whole number: that it is a number says nothing.
  return given === undefined || expected === 'int' ? `must be ${kind}` : `must be ${kind}, not ${given}`
}

/** Zod's types and values in words of a document. */
const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  bigint: 'a number',
  boolean: 'true or false',
  int: 'a whole number',
  null: 'empty',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
  tuple: 'a list',
}

function smallProblem({ origin, minimum, inclusive }: core.$ZodIssueTooSmall): string {
  const unit = units[origin]
  if (unit === undefined) return inclusive ? `must be ${minimum} or more` : `must be above ${minimum}`
  if (minimum === 1) return `is empty; it must have at least one ${unit.one}`
  return `must have at least ${minimum} ${unit.many}`
}

function bigProblem({ origin, maximum, inclusive }: core.$ZodIssueTooBig): string {
  const unit = units[origin]
  if (unit === undefined) return inclusive ? `must be ${maximum} or less` : `must be below ${maximum}`
  return `may have at most ${maximum} ${maximum === 1 ? unit.one : unit.many}`
}

/** What is counted; numbers aren't. */
const units: Readonly<Record<string, { readonly one: string; readonly many: string }>> = {
  array: { one: 'entry', many: 'entries' },
  string: { one: 'character', many: 'characters' },
}

function listed(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join() : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`
}
