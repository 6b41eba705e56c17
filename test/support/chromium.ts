import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** What this machine lacks to open pages, and what would bring it; null: it has a browser. */
export const chromiumMissing = existsSync(executablePath)
  ? null
  : `a browser at ${executablePath} (apt-get install chromium, or set CHROMIUM_PATH)`

/** A browser that asks nobody but the pages of tests. */
export function launchChromium(): Promise<Browser> {
  const flags = [
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...flags] })
}
