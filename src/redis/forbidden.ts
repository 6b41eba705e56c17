/** Inside a script Redis 7.0 words the refusal of a command otherwise than 7.2, and than outside. */
const words = /^NOPERM|^ERR ACL failure|The user executing the script can't (access|run)/

/** Whether an ACL is why Redis refused: trying again helps only when somebody has changed it. */
export function isForbidden({ message }: Error): boolean {
  return words.test(message)
}
