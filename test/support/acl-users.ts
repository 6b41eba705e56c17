import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAclPage } from './acl-page.ts'

/** The users of docs/redis.md on a server of a test's own. */

const users = {
  gateway: 'recgate-gateway:gateway-password',
  publisher: 'recgate-publisher-studio-a:publisher-password',
  administrator: 'recgate-administrator:administrator-password',
} as const

export type AclUser = keyof typeof users

/** What `--aclfile` takes: the page's users, and a default one who may do everything. */
export async function writeAclFile(directory: string): Promise<string> {
  const { ofServers } = await readAclPage()
  const file = join(directory, 'users.acl')
  await writeFile(file, [...ofServers, 'user default on nopass ~* &* +@all', ''].join('\n'))
  return file
}

export function urlAs(user: AclUser, url: string): string {
  return url.replace('//', `//${users[user]}@`)
}
