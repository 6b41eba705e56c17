import { dirname } from 'node:path'
import { chromiumMissing, launchChromium } from '../../support/chromium.ts'
import type { ClientRunner } from '../support/client-runner.ts'
import { answerAll } from './answer-all.ts'
import { builtClients, tellingJson } from './node-runner.ts'
import { serveDirectory } from './serve-directory.ts'

/** The same JavaScript as in Node, loaded by a page. */
export const chromiumRunner: ClientRunner = {
  name: 'TypeScript in Chromium',
  missing: () => Promise.resolve(chromiumMissing),
  async build(models, directory) {
    const pages = await serveDirectory(dirname(await builtClients(models, directory)))
    const browser = await launchChromium()
    const page = await browser.newPage()
    await page.goto(pages.url)
    const answer = (questions: readonly string[]): Promise<string[]> =>
      page.evaluate(
        `import('./clients.js').then((modules) => (${answerAll})(modules, ${JSON.stringify(questions)}))`,
      )
    return tellingJson(models, {
      answer,
      async close() {
        await browser.close()
        await pages.close()
      },
    })
  },
}
