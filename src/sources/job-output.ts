/** The files that jobs leave: which hold rows, and which only tell about the job. */

/** What lies beside rows: `_SUCCESS`, `_committed_…`, `_temporary`, checksums, hidden files. Spark passes over them, too. */
export function isPassedOver(name: string): boolean {
  return /^[_.]/.test(name) || name.endsWith('.crc')
}

/**
 * A file named as Spark names its parts: `part-00000-…`, `part-00000`. Five digits or more, but not the twelve that
 * BigQuery puts for `*` in `part-*.parquet`.
 */
export function isSparkPart(name: string): boolean {
  return /^part-(?:[mr]-)?(?!\d{12}(?!\d))\d{5,}(?=[-.]|$)/.test(name)
}
