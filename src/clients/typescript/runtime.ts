import { readFileSync } from 'node:fs'

/**
 * What doesn't depend on the model, from real source files under templates/: each is one declaration, called as its
 * file, or the class and type of its file.
 */

/** Comments and string literals: an enum's value may be any text. */
const notCode = /\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'/g

/** In the order in which they stand in a decoder: each uses only those before it. */
const parts = [
  'decode-error',
  'bits',
  'open-bits',
  'read-bits',
  'read-up-to',
  'read-length',
  'read-bytes',
  'read-text',
  'expect-end',
  'one-of',
  'whole-number',
  'id-text',
] as const

/** Those parts that the text uses, and those that they use: unused ones would be faults where `noUnusedLocals` holds. */
export function decoderRuntime(text: string): string {
  const code = text.replace(notCode, '')
  const used: string[] = []
  for (const part of parts.toReversed()) {
    const name = part.replace(/-./g, (dash) => dash.slice(1).toUpperCase())
    const isUsed = part === 'decode-error' || [code, ...used].some((user) => mentions(user, name))
    if (isUsed) used.push(decoderPart(part))
  }
  return used.reverse().join('\n')
}

/** Types are called as their file, with a capital. */
function mentions(text: string, name: string): boolean {
  return new RegExp(`\\b${name}\\(|\\b${name.slice(0, 1).toUpperCase()}${name.slice(1)}\\b`).test(text)
}

/** Only the error is for others. */
function decoderPart(part: (typeof parts)[number]): string {
  const text = template(`decoder/${part}.ts`).replace(/^import .*\n\n?/gm, '')
  return part === 'decode-error' ? text : text.replace(/^export /gm, '')
}

export function template(name: string): string {
  return readFileSync(new URL(`../templates/typescript/${name}`, import.meta.url), 'utf8')
}
