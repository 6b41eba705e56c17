import type { core } from 'zod'
import type { Fault } from './errors.ts'

/**
 * Turns what zod found into faults that name the path and what would be right, one a wrong value; an unknown field
 * becomes one fault of its own, because that is what a misspelling looks like.
 */
export function faultsOf(error: core.$ZodError, prefix = ''): Fault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(issue, prefix))
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
    case 'invalid_type':
      return [{ path, problem: typeProblem(issue) }]
    case 'invalid_value':
      return [{ path, problem: `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}` }]
    case 'invalid_union':
      return unionFaults(issue, path)
    case 'invalid_key':
      return [{ path, problem: `is not a fitting name: ${issue.issues[0]?.message ?? 'it must be an id'}` }]
    default:
      return [{ path, problem: lowerFirst(issue.message) }]
  }
}

/** The branch that got furthest is what the writer meant; a union without such a branch names its own rule. */
function unionFaults(issue: core.$ZodIssueInvalidUnion, path: string): Fault[] {
  const branches = issue.errors.filter((branch) => branch.every((inner) => inner.path.length > 0))
  const closest = branches.sort((a, b) => a.length - b.length)[0]
  if (closest === undefined) return [{ path, problem: lowerFirst(issue.message) }]
  return closest.flatMap((inner) => faultsOfIssue(inner, path))
}

function typeProblem(issue: core.$ZodIssueInvalidType): string {
  const missing = /received undefined$/.test(issue.message)
  return missing ? `is missing; it must be ${article(issue.expected)}` : lowerFirst(issue.message)
}

function article(expected: string): string {
  if (expected === 'int') return 'a whole number'
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
