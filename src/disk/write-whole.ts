import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** How the file ends that a write leaves behind when its process dies. */
export const temporarySuffix = '.tmp'

/** Beside the file that it will become, and no other writer's: processes may share a directory. */
export function temporaryPath(file: string): string {
  return join(dirname(file), `.${process.pid}-${randomBytes(6).toString('hex')}${temporarySuffix}`)
}

/**
 * Puts `chunks` into `file` so that a crash at any point, of the process or of the machine, leaves the old or the new
 * file whole: temporary file → fsync → rename → fsync of the directory, without which the rename itself may be lost.
 * The file is the owner's alone, unless `mode` says otherwise. Rejects with what the file system says; nothing has changed then.
 */
export async function writeWhole(file: string, chunks: readonly Uint8Array[], mode = 0o600): Promise<void> {
  const temporary = temporaryPath(file)
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      for (const chunk of chunks) await handle.writeFile(chunk)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  await syncDirectory(dirname(file))
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directories; its renames are journalled.
  const handle = await open(directory, 'r').catch(() => null)
  if (handle === null) return
  try {
    await handle.sync()
  } catch {
    // Some network file systems refuse it. The new file is whole and in its place; only how durable that is, is theirs.
  } finally {
    await handle.close()
  }
}
