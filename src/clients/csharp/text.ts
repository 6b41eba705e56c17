/** Pieces of C# source that hold other text. */

/** A string literal in ASCII: an editor's encoding changes nothing, and no character ends the line. */
export function stringLiteral(text: string): string {
  return `"${text.replace(/["\\]|[^ -~]/g, escaped)}"`
}

function escaped(unit: string): string {
  if (unit === '"' || unit === '\\') return `\\${unit}`
  return [...Array(unit.length).keys()].map((index) => unicodeEscape(unit.charCodeAt(index))).join('')
}

function unicodeEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}

/** For a doc comment, which is XML on one line: what would end the line, or hide in it, is escaped. */
export function commentText(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => escaped(character))
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
}

/** A doc comment's lines. */
export function summary(text: string): string[] {
  return [`/// <summary>${text}</summary>`]
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? line : `    ${line}`))
}

/** Lines in braces, after a first one. */
export function block(head: string, lines: readonly string[]): string[] {
  return [head, '{', ...indented(lines), '}']
}

/** Blocks with an empty line between two. */
export function separated(blocks: readonly (readonly string[])[]): string[] {
  return blocks.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}
