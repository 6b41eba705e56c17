import { randomToken } from '../../src/compose.ts'
import { erase } from '../../src/tables/erase.ts'
import { testTools } from '../support/studio.ts'

/** An erasure in a process of its own: `node eraser.ts REDIS_URL TENANT UNIT`. */
const [url = '', tenantId = '', unit = ''] = process.argv.slice(2)
const tools = await testTools(url)
try {
  const { tables } = await erase(
    {
      store: tools.tables,
      suppressions: tools.suppressions,
      catalog: tools.generationCatalog({ who: 'tester', why: 'test' }),
      newToken: randomToken,
      now: () => new Date(),
    },
    { tenantId, unit, modelIds: [], by: 'tester' },
  )
  process.stdout.write(String(tables.reduce((sum, { rows }) => sum + rows, 0)))
} catch (error) {
  process.stderr.write((error as Error).message)
  process.exitCode = 1
} finally {
  tools.close()
}
