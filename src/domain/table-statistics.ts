import { z } from 'zod'

/** What the gates compare of two generations' columns; small, however many rows there are. */
export const tableStatistics = z.strictObject({
  /** Field → mean of its numbers, or of all its lists' numbers. */
  means: z.record(z.string(), z.number()),
  /** Field → the commonest values of an enum or bool with their shares of the rows; pairs, since a value may have any name. */
  shares: z.record(z.string(), z.array(z.tuple([z.string(), z.number()]))),
})

export type TableStatistics = z.infer<typeof tableStatistics>

/** Of a table that nothing is compared with any more. */
export const noStatistics: TableStatistics = { means: {}, shares: {} }
