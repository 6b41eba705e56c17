/**
 * Answers questions (see client-runner.ts) with generated modules, told in JSON as it comes: an instant as
 * `{"$ms":0}`, bytes as `{"$bytes":[1,2]}`, and what JSON would pass over as `{"$odd":"…"}`. No field's name begins
 * with `$`. It stands alone, because a browser's page gets this function as text.
 */
export function answerAll(
  modules: Readonly<Record<string, object>>,
  questions: readonly string[],
): readonly string[] {
  type Model = { decode(packed: Uint8Array): unknown; builtIn(): unknown }
  const isModel = (value: unknown): value is Model =>
    typeof value === 'object' && value !== null && 'decode' in value && 'builtIn' in value

  function tellable(value: unknown): unknown {
    if (value instanceof Date) return { $ms: value.getTime() }
    if (value instanceof Uint8Array) return { $bytes: [...value], ...oddity(value) }
    if (value === undefined || Object.is(value, -0)) return { $odd: String(value) }
    if (Array.isArray(value)) return value.map(tellable)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, tellable(inner)]))
  }

  /** A view of somebody else's bytes, or another class than was promised. */
  function oddity(bytes: Uint8Array): object {
    const own = bytes.constructor === Uint8Array && bytes.buffer.byteLength === bytes.length
    return own ? {} : { $odd: `${bytes.constructor.name} of ${bytes.buffer.byteLength} bytes` }
  }

  function answerTo(model: Model, what: string): string {
    if (what === 'default') {
      const record = model.builtIn()
      return record === null ? 'none' : JSON.stringify(tellable(record))
    }
    const digits = what === '-' ? [] : what.match(/../g)!
    try {
      return JSON.stringify(
        tellable(model.decode(Uint8Array.from(digits, (digit) => Number.parseInt(digit, 16)))),
      )
    } catch (error) {
      const { name, code, field } = error as { name: string; code?: string; field?: string }
      if (name !== 'DecodeError') throw error
      return field === '' ? `error ${code}` : `error ${code} ${field}`
    }
  }

  return questions.map((question) => {
    const [index, what] = question.split(' ')
    const model = Object.values(modules[`c${index}`]!).find(isModel)
    return answerTo(model!, what!)
  })
}
