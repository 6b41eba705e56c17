import { publishShardRows, rowsOf, testTools } from '../support/studio.ts'

/** One shard's publisher in a process of its own: `node shard-publisher.ts REDIS_URL TENANT INDEX COUNT ROWS SCORE`. */
const [url = '', tenant = '', ...numbers] = process.argv.slice(2)
const [index = 0, count = 1, rows = 0, score = 0] = numbers.map(Number)
const players = Array.from({ length: rows }, (_, row) => [`player-${index * rows + row}`, score])
const tools = await testTools(url)
try {
  const outcome = await publishShardRows(
    tools,
    [tenant, 'games', 'itemcf'],
    rowsOf(['player_id', 'score'], players),
    { index, count, expectedRows: rows * count, runId: 'job-1' },
  )
  process.stdout.write(outcome.outcome)
} catch (error) {
  process.stderr.write((error as Error).message)
  process.exitCode = 1
} finally {
  tools.close()
}
