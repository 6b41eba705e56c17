import { expect, test } from 'vitest'
import { isForbidden } from '../../../src/redis/forbidden.ts'

test.each([
  "NOPERM this user has no permissions to run the 'eval' command",
  'NOPERM No permissions to access a key',
  "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:4.",
  "ERR The user executing the script can't access at least one of the keys mentioned in the command",
  "ERR ACL failure in script: User gateway has no permissions to run the 'zadd' command script: 1",
])('%s', (message) => expect(isForbidden(new Error(message))).toBe(true))

test.each([
  'Connection is closed.',
  "OOM command not allowed when used memory > 'maxmemory'.",
  "READONLY You can't write against a read only replica.",
])('not: %s', (message) => expect(isForbidden(new Error(message))).toBe(false))
