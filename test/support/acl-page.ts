import { readFile } from 'node:fs/promises'

/** The users of docs/redis.md, each as one line of an ACL file, in the page's order. */
export interface AclPage {
  readonly ofServers: readonly string[]
  readonly ofSentinels: readonly string[]
}

export async function readAclPage(): Promise<AclPage> {
  const page = await readFile(new URL('../../docs/redis.md', import.meta.url), 'utf8')
  const rules = [...page.matchAll(/^```acl\n(.*?)\n```$/gms)].map(([, rule]) => rule!)
  const isOfSentinels = (rule: string) => rule.startsWith('user recgate-sentinel ')
  return {
    ofServers: rules.filter((rule) => !isOfSentinels(rule)),
    ofSentinels: rules.filter(isOfSentinels),
  }
}
