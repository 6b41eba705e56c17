/** Values as C++ source, ASCII alone, so that no compiler's idea of the source's encoding matters. */

/** Compilers bound the length of one literal, and people that of a line. */
const pieceBytes = 80

/**
 * A text's bytes of UTF-8. Octal escapes end after three digits, where those in hex go on as long as hex digits follow;
 * `?` could begin a trigraph.
 */
export function textLiteral(text: string): string {
  const bytes = Buffer.from(text)
  const pieces: string[] = []
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const piece = [...bytes.subarray(start, start + pieceBytes)].map(escapedByte).join('')
    pieces.push(`"${piece}"`)
  }
  return pieces.length === 0 ? '""' : pieces.join(' ')
}

function escapedByte(byte: number): string {
  const character = String.fromCharCode(byte)
  if (byte >= 0x20 && byte < 0x7f && !'"\\?'.includes(character)) return character
  return `\\${byte.toString(8).padStart(3, '0')}`
}

/** A text as JSON has it, for a comment. */
export function shownText(text: string): string {
  return commentText(JSON.stringify(text))
}

/** A text as it stands, for a comment, which neither ends with it nor goes on after it. */
export function commentText(text: string): string {
  // `?` could begin a trigraph, and a backslash at the end would draw the next line in.
  const ascii = text.replace(
    /[^\x20-\x3e\x40-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return ascii.endsWith('\\') ? `${ascii} ` : ascii
}

/**
 * Exactly this integer, signed for every compiler: to MSVC a constant beyond `int` that has no suffix may be an unsigned
 * one of 32 bits, and stays so behind a minus, which is no part of a constant in C++.
 */
export function integerLiteral(value: number): string {
  if (value === -(2 ** 31)) return '(-2147483647 - 1)'
  return Math.abs(value) < 2 ** 31 ? String(value) : `${value}LL`
}

/** Exactly this double. */
export function doubleLiteral(value: number): string {
  const text = String(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** A sentence's beginning. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
