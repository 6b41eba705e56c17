import { composeTools, type Tools } from '../compose.ts'
import type { Settings } from '../settings/schema.ts'
import { createCommandLog } from './output.ts'

/** What a command does with Redis; its connections are closed however it ends. */
export async function withTools<T>(settings: Settings, run: (tools: Tools) => Promise<T>): Promise<T> {
  const tools = await composeTools(settings, createCommandLog(settings.logLevel))
  try {
    return await run(tools)
  } finally {
    tools.close()
  }
}
