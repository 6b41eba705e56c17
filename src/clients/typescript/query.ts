import type { ClientModel, ClientParameter } from '../client-model.ts'
import { parameterComment } from './doc-comments.ts'
import { quoted } from './literals.ts'
import { camelCase, memberAccess, memberName } from './type-names.ts'

/** Declarations of the parameters' type and of the function that makes a query of them; none without parameters. */
export function queryDeclarations({ parameters }: ClientModel, prefix: string): readonly string[] {
  if (parameters.length === 0) return []
  const members = parameters.map(
    (parameter) =>
      `${parameterComment(parameter)}readonly ${memberName(parameter.name)}: ${typeOf(parameter)}`,
  )
  const type = [
    '/** What a request must say: part of the row key. */',
    `export interface ${prefix}Parameters {`,
    ...members.flatMap((member) => member.split('\n').map((line) => `  ${line}`)),
    '}',
  ]
  const query = [
    '/** The parameters as the URL holds them. @throws {RangeError} where one does not fit */',
    `export function ${queryName(prefix)}(parameters: ${prefix}Parameters): string {`,
    '  return [',
    ...parameters.map(
      (parameter) => `    ${quoted(`${parameter.name}=`)} + ${checked(parameter, 'parameters')},`,
    ),
    "  ].join('&')",
    '}',
  ]
  return [type.join('\n'), query.join('\n')]
}

export function queryName(prefix: string): string {
  return `${camelCase(prefix)}Query`
}

function typeOf({ accepts }: ClientParameter): string {
  if (accepts.type === 'values') return accepts.values.map(quoted).join(' | ')
  return accepts.type === 'uint' ? 'number' : 'string'
}

function checked({ name, accepts }: ClientParameter, object: string): string {
  const given = `${quoted(name)}, ${object}${memberAccess(name)}`
  switch (accepts.type) {
    case 'values':
      return `oneOf(${given}, [${accepts.values.map(quoted).join(', ')}])`
    case 'uint':
      return `wholeNumber(${given}, ${accepts.max})`
    case 'id':
      return `idText(${given}, ${accepts.maxBytes})`
  }
}
