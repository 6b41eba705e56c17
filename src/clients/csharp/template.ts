/**
 * What doesn't depend on a model's fields: C# source files under templates/, in which names that begin and end with
 * two underscores stand for the model's own.
 */
import { readFileSync } from 'node:fs'

export interface TemplateNames {
  readonly namespace: string
  /** Before the names of the model's types. */
  readonly prefix: string
  readonly modelId: string
  readonly deadlineMs: number
  /** Whether requests carry query parameters. */
  readonly hasParameters: boolean
}

export function fillTemplate(file: string, names: TemplateNames): string {
  const text = readFileSync(new URL(`../templates/csharp/${file}`, import.meta.url), 'utf8')
  return chosenParts(text, names.hasParameters)
    .replaceAll('__Namespace__', names.namespace)
    .replaceAll('__Model__', names.prefix)
    .replaceAll('__ModelId__', names.modelId)
    .replaceAll('__DeadlineMs__', String(names.deadlineMs))
}

const condition = '#if MODEL_HAS_PARAMETERS'

/** Resolved here and not by the compiler, so that what is written has nothing in it that isn't compiled. */
function chosenParts(text: string, hasParameters: boolean): string {
  const [before = '', ...conditional] = text.split(`${condition}\n`)
  const chosen = conditional.map((part) => {
    const [both = '', after = ''] = part.split(/^#endif\n(.*)/ms, 2)
    const [withParameters = '', without = ''] = both.split('#else\n')
    return (hasParameters ? withParameters : without) + after
  })
  return before + chosen.join('')
}
