/** C++ names for what schemas and ids call anything: never a reserved one, and no two the same. */

/** Keywords up to C++23, alternative tokens included, and GNU's. */
const keywords = `alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t
  class compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype
  default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
  mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
  reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this
  thread_local throw true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor
  xor_eq`

/**
 * Macros without parentheses of standard headers, GNU compilers, Windows, Apple and Unreal, and those of builds: no name
 * survives them.
 */
const macros = `BUFSIZ CHAR_BIT CHAR_MAX CHAR_MIN CLOCKS_PER_SEC DOMAIN EDOM EILSEQ EOF ERANGE EXIT_FAILURE EXIT_SUCCESS
  FLT_MAX FLT_MIN DBL_MAX DBL_MIN HUGE_VAL INFINITY INT_MAX INT_MIN LONG_MAX LONG_MIN NAN NULL OVERFLOW PLOSS RAND_MAX
  SEEK_CUR SEEK_END SEEK_SET SIG_DFL SIG_ERR SIG_IGN SING SIZE_MAX TLOSS UINT_MAX UNDERFLOW errno stderr stdin stdout
  i386 linux unix
  ABSOLUTE ALTERNATE BOOL CALLBACK CONST DELETE DIFFERENCE ERROR FALSE FAR GET HIDDEN IGNORE IN INFINITE INPUT MAX_PATH
  NEAR NO_ERROR OPAQUE OPTIONAL OUT OUTPUT PASSTHROUGH PURE RELATIVE STRICT THIS TRANSPARENT TRUE UNICODE VOID WINAPI
  far interface near small hyper pascal cdecl
  DEBUG FORCEINLINE NDEBUG NO Nil PI YES nil`

/** What the generated file itself means by a name that isn't a type's. */
const ours = 'std recgate detail'

const reserved: ReadonlySet<string> = new Set([keywords, macros, ours].join(' ').split(/\s+/))

/** Types that every generated file has. */
export const typesTaken = [
  'BitReader',
  'DecodeError',
  'DecodeErrorCode',
  'Decoded',
  'Fetch',
  'FetchError',
  'Fetcher',
  'FetcherOptions',
  'FetcherState',
  'GiveToken',
  'Kept',
  'OnRecommendation',
  'Parameters',
  'Recommendation',
  'Record',
  'Source',
  'Text',
  'TokenSource',
] as const

/**
 * One scope's names as given out so far. The first who asks for a name gets it as it stands, where C++ allows that;
 * the others get it with `_`, or with a number. Schemas grow at their end, so that growing renames nothing.
 */
export class Scope {
  readonly #taken: Set<string>
  /** Where to look on for a number. */
  readonly #numbers = new Map<string, number>()

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken)
  }

  /** `wanted` matches `[A-Za-z_][A-Za-z0-9_]*`. */
  claim(wanted: string): string {
    const name = lawful(wanted)
    const candidates = name.endsWith('_') ? [name] : [name, `${name}_`]
    const free = candidates.find((candidate) => this.#isFree(candidate)) ?? this.#numbered(name)
    this.#taken.add(free)
    return free
  }

  #isFree(name: string): boolean {
    return !this.#taken.has(name) && !reserved.has(name)
  }

  #numbered(name: string): string {
    const stem = name.endsWith('_') ? name : `${name}_`
    let number = this.#numbers.get(stem) ?? 2
    while (!this.#isFree(`${stem}${number}`)) number++
    this.#numbers.set(stem, number + 1)
    return `${stem}${number}`
  }
}

/** Names with `__`, and with `_` and a capital in front, are the compiler's own ([lex.name]). */
function lawful(name: string): string {
  const single = name.replace(/__+/g, '_')
  return /^_[A-Z]/.test(single) ? `field${single}` : single
}

/** Of any text: what isn't a letter or digit of ASCII becomes `_`. `index` names what has neither. */
export function wordOf(text: string, index: number): string {
  const word = text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
  if (word === '') return `value_${index}`
  return /^[0-9]/.test(word) ? `v${word}` : word
}

/** `hours_played` → `HoursPlayed`. */
export function pascalCase(name: string): string {
  const words = name.split('_').filter((word) => word !== '')
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
  return /^[A-Z]/.test(joined) ? joined : `Field${joined}`
}

/**
 * The namespace of an id, another one for each id: `starter-offer` → `starter_offer`. Ids that that would confuse with
 * another one, or whose name is reserved, say at their end, in capitals, which no id has, what stood between their
 * parts: `starter_offer` → `starter_offer_U`, `a--b_` → `a_b_HH_U`, `new` → `new_`.
 */
export function namespaceOf(id: string): string {
  const parts = id.split(/[-_]+/).filter((part) => part !== '')
  const name = parts.join('_')
  const between = id.match(/[-_]+/g) ?? []
  if (id === parts.join('-')) return reserved.has(name) ? `${name}_` : name
  const marks = between.map((text) => text.replaceAll('-', 'H').replaceAll('_', 'U'))
  return `${name}_${marks.join('_')}`
}
