import { differentialSuite } from '../support/differential-suite.ts'
import { compilers } from './compilers.ts'
import { cppRunner } from './cpp-runner.ts'

for (const compiler of compilers) await differentialSuite(cppRunner(compiler))
