#!/usr/bin/env node
import { readFileSync } from 'node:fs'

/**
 * `recgate`: program.ts, by a Node that can run it. An older one gets a sentence instead of a SyntaxError, which it
 * meets in whatever file it reads first: so nothing else is imported here, and nothing new is used.
 */

const packageText = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
const { engines } = JSON.parse(packageText) as { engines: { node: string } }
const needed = engines.node.replace('>=', '')

function isBelow(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number)
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}

if (isBelow(process.versions.node, needed)) {
  process.stderr.write(`recgate needs Node ${needed} or later; this is ${process.versions.node}\n`)
  process.exitCode = 1
} else await import('./program.ts')
