/** Where DuckDB's advice begins: options that the user can't reach from here. */
const adviceLine = /^(Possible |Try |LINE \d|\s+file = |The search space)/

const cutOffParquet = 'not a whole Parquet file: it is cut off, or another kind of file'

/**
 * The useful part of a DuckDB error about a file, as one line: no class of error, no advice about options, no SQL.
 * A CSV error becomes `line 3: Expected Number of Columns: 2 Found: 3`.
 */
export function fileReason(cause: unknown): string {
  const lines = messageOf(cause)
    .replace(/^[A-Z][A-Za-z ]* Error: /, '')
    .replace(/ in file (".*?"|'.*?'),?/, '')
    .replace(/^No magic bytes found at end of file.*$/m, cutOffParquet)
    .split('\n')
  const adviceAt = lines.findIndex((line) => adviceLine.test(line))
  const useful = lines.slice(0, adviceAt === -1 ? undefined : adviceAt).filter((line) => line.trim() !== '')
  const csvLine = /^CSV Error on Line: (\d+)/.exec(useful[0] ?? '')?.[1]
  // The lines between hold the CSV text itself, which may be long and is the user's own data.
  const reason = csvLine === undefined ? jsonRow(useful[0] ?? '') : `line ${csvLine}: ${useful.at(-1)}`
  return reason.trim() || 'DuckDB gave no reason'
}

/** What DuckDB 1.5 calls a line of JSON leaves out blank lines, and of malformed JSON it names the line after. */
function jsonRow(reason: string): string {
  return reason
    .replace(/^(Malformed JSON.*) in line (\d+)/, (_, what, line) => `${what} in row ${Number(line) - 1}`)
    .replace(/^(JSON transform error) in line (\d+)/, '$1 in row $2')
}

/** A DuckDB error about a query: whole, because it points at the place in the user's own SQL. */
export function queryReason(cause: unknown): string {
  return messageOf(cause)
    .replace(/^Failed to extract statements: /, '')
    .replace(
      /^(Catalog Error: Table with name .* does not exist!)/,
      '$1 The rows to be published are called input.',
    )
    .trim()
}

/** Whether DuckDB had too little memory, also where an error has been worded since. */
export function isOutOfMemory(cause: unknown): boolean {
  if (/(^|: )Out of Memory Error: /.test(messageOf(cause))) return true
  return cause instanceof Error && cause.cause !== undefined && isOutOfMemory(cause.cause)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
