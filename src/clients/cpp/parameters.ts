/** A row key's query parameters as a struct, and what writes them into a query. */
import type { ClientParameter } from '../client-model.ts'
import { Scope, wordOf } from './identifiers.ts'
import { capital, commentText, integerLiteral, textLiteral } from './literals.ts'

interface CppParameter extends ClientParameter {
  readonly member: string
}

export function parametersText(parameters: readonly ClientParameter[]): string {
  const scope = new Scope()
  const named = parameters.map((parameter, index) => ({
    ...parameter,
    member: scope.claim(wordOf(parameter.name, index)),
  }))
  return `${structOf(named)}
namespace detail {

${writerOf(named)}
}  // namespace detail
`
}

function structOf(parameters: readonly CppParameter[]): string {
  if (parameters.length === 0) return '/// The token alone finds the row.\nstruct Parameters {};\n'
  const members = parameters.map(({ name, member, accepts }) => {
    const type = accepts.type === 'uint' ? 'std::int64_t' : 'std::string'
    const called = name === member ? '' : `\`${name}\` in the row key. `
    return `  /// ${commentText(`${called}${capital(rule(accepts))}`)}.\n  ${type} ${member}{};`
  })
  return `/// What finds the row, beside the token.\nstruct Parameters {\n${members.join('\n')}\n};\n`
}

function writerOf(parameters: readonly CppParameter[]): string {
  if (parameters.length === 0) {
    return 'inline std::string write_query(const Parameters&, std::string&) { return {}; }\n'
  }
  const lines = parameters.flatMap((parameter) => [
    ...checkOf(parameter),
    `  add_parameter(query, "${parameter.name}", ${textOf(parameter)});`,
  ])
  return `/// Answers what is wrong with a parameter, or nothing where all fit.
inline std::string write_query(const Parameters& parameters, std::string& query) {
${lines.join('\n')}
  return {};
}
`
}

function textOf({ member, accepts }: CppParameter): string {
  return accepts.type === 'uint' ? `std::to_string(parameters.${member})` : `parameters.${member}`
}

function checkOf({ name, member, accepts }: CppParameter): string[] {
  const value = `parameters.${member}`
  const problem = `return ${textLiteral(`${name}: must be ${rule(accepts)}`)};`
  switch (accepts.type) {
    case 'values': {
      const values = accepts.values.map(textLiteral)
      return [`  if (!is_among(${value}, {${values.join(', ')}})) {`, `    ${problem}`, '  }']
    }
    case 'uint':
      return [`  if (${value} < 0 || ${value} > ${integerLiteral(accepts.max)}) ${problem}`]
    case 'id':
      return [`  if (!is_id(${value}, ${accepts.maxBytes})) ${problem}`]
  }
}

const shownValuesMax = 20

function rule(accepts: ClientParameter['accepts']): string {
  switch (accepts.type) {
    case 'values': {
      const shown = accepts.values.slice(0, shownValuesMax).join(', ')
      return accepts.values.length > shownValuesMax ? `one of ${shown} and others` : `one of ${shown}`
    }
    case 'uint':
      return `0 to ${accepts.max}`
    case 'id':
      return `1 to ${accepts.maxBytes} of A-Z, a-z, 0-9, "_", "." and "-"`
  }
}
