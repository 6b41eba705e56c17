import { differentialSuite } from '../support/differential-suite.ts'
import { chromiumRunner } from './chromium-runner.ts'
import { nodeRunner } from './node-runner.ts'

await differentialSuite(nodeRunner)
await differentialSuite(chromiumRunner)
