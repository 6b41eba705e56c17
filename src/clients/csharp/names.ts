/** The schema's names in C# spelling, each once in its scope. */

/**
 * What C# takes in an identifier, cut down to letters that every compiler of C# 7 knows: Latin, Greek, Cyrillic, kana,
 * the common Han and Hangul.
 */
const wordPattern =
  /[[\p{L}0-9]&&[A-Za-z0-9\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u3041-\u30fe\u4e00-\u9fa5\uac00-\ud7a3]]+/gv

const keywords = new Set(
  (
    'abstract as base bool break byte case catch char checked class const continue decimal default delegate do double ' +
    'else enum event explicit extern false finally fixed float for foreach goto if implicit in int interface internal ' +
    'is lock long namespace new null object operator out override params private protected public readonly ref return ' +
    'sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong unchecked ' +
    'unsafe ushort using virtual void volatile while'
  ).split(' '),
)

/** `hours_played`, `hoursPlayed` and `HOURS_PLAYED` → `HoursPlayed`; `standIn` where no letter or digit is left. */
export function pascalCase(text: string, standIn: string): string {
  const normal = text.normalize('NFC')
  const cased = /\p{Ll}/u.test(normal) ? normal : normal.toLowerCase()
  const name = (cased.match(wordPattern) ?? []).map(capitalised).join('')
  if (name === '') return standIn
  return /^[0-9]/.test(name) ? `_${name}` : name
}

/**
 * An id as part of a namespace, so that no two ids that a studio would choose have the same: `a-b`, `a_b` and `ab` →
 * `AB`, `A_b` and `Ab`.
 */
export function namespacePart(id: string): string {
  return capitalised(id.replace(/-([a-z]?)/g, (_, letter: string) => letter.toUpperCase() || '__'))
}

/** As pascalCase, for a method's parameter. */
export function camelCase(text: string, standIn: string): string {
  const name = pascalCase(text, standIn)
  const camel = name.slice(0, 1).toLowerCase() + name.slice(1)
  return keywords.has(camel) ? `@${camel}` : camel
}

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

/** Names that live side by side: whoever comes first keeps its own, later ones of the same spelling get a number. */
export class NameScope {
  readonly #taken: Set<string>

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken)
  }

  take(wanted: string): string {
    let name = wanted
    for (let number = 2; this.#taken.has(name); number++) name = `${wanted}_${number}`
    this.#taken.add(name)
    return name
  }
}
