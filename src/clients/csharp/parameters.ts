/** The class of a model's query parameters, which checks them when it is made. */
import type { ClientModel, ClientParameter } from '../client-model.ts'
import { camelCase, NameScope, pascalCase } from './names.ts'
import { block, commentText, separated, stringLiteral, summary } from './text.ts'

/** Empty where the model has none. */
export function parametersClass({ parameters, modelId }: ClientModel, prefix: string): string[] {
  if (parameters.length === 0) return []
  const scope = new NameScope()
  const named = parameters.map((parameter) => ({
    ...parameter,
    argument: scope.take(camelCase(parameter.name, 'parameter')),
  }))
  const lists = new NameScope(['Query', `${prefix}Parameters`])
  const fields: string[][] = []
  const pairs = named.map(({ name, argument, accepts }) => {
    if (accepts.type !== 'values') return pairOf(name, checkOf(name, argument, accepts))
    const list = lists.take(`${pascalCase(name, 'Parameter')}Values`)
    const values = accepts.values.map(stringLiteral).join(', ')
    fields.push([`private static readonly string[] ${list} = { ${values} };`])
    return pairOf(name, `ParameterCheck.OneOf(${stringLiteral(name)}, ${argument}, ${list})`)
  })
  const signature = named.map(
    ({ argument, accepts }) => `${accepts.type === 'uint' ? 'long' : 'string'} ${argument}`,
  )
  return [
    ...summary(`What a request for ${modelId} must say.`),
    ...block(
      `public sealed class ${prefix}Parameters`,
      separated([
        ...fields,
        [
          ...summary('Throws an ArgumentException that says which one does not fit, and what would.'),
          ...named.map(({ name, argument, accepts }) => {
            const about = `<c>${commentText(name)}</c>: ${ruleOf(accepts)}`
            return `/// <param name="${argument.replace('@', '')}">${about}</param>`
          }),
          ...block(`public ${prefix}Parameters(${signature.join(', ')})`, [
            `Query = ${pairs.join(' + "&" + ')};`,
          ]),
        ],
        [...summary('As it stands in the URL.'), 'internal string Query { get; }'],
      ]),
    ),
  ]
}

function pairOf(name: string, value: string): string {
  return `${stringLiteral(`${name}=`)} + ${value}`
}

type Accepts = ClientParameter['accepts']

function checkOf(name: string, argument: string, accepts: Exclude<Accepts, { type: 'values' }>): string {
  const [check, max] = accepts.type === 'uint' ? ['Whole', `${accepts.max}L`] : ['Id', accepts.maxBytes]
  return `ParameterCheck.${check}(${stringLiteral(name)}, ${argument}, ${max})`
}

function ruleOf(accepts: Accepts): string {
  switch (accepts.type) {
    case 'values':
      return 'One of the values that the model declares.'
    case 'uint':
      return `0 to ${accepts.max}.`
    case 'id':
      return `1 to ${accepts.maxBytes} of A-Z, a-z, 0-9, "_", "." and "-".`
  }
}
