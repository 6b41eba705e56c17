/**
 * All replies, once the last one is there: where one command failed, none of the others may still be under way. The first
 * error is thrown without its command's arguments.
 */
export async function together<T>(commands: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(commands)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw new Error((outcome.reason as Error).message)
    return outcome.value
  })
}
