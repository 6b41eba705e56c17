import { publishRows, rowsOf, testTools } from '../support/studio.ts'

/** A publisher in a process of its own: `node publisher.ts REDIS_URL TENANT ROWS SCORE`. It needs no files. */
const [url = '', tenant = '', rows = '', score = ''] = process.argv.slice(2)
const players = Array.from({ length: Number(rows) }, (_, index) => [`player-${index}`, Number(score)])
const tools = await testTools(url)
try {
  const { outcome } = await publishRows(
    tools,
    [tenant, 'games', 'itemcf'],
    rowsOf(['player_id', 'score'], players),
  )
  process.stdout.write(outcome)
} catch (error) {
  process.stderr.write((error as Error).message)
  process.exitCode = 1
} finally {
  tools.close()
}
