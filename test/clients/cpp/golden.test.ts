import { goldenSuite } from '../support/golden-suite.ts'
import { compilers } from './compilers.ts'
import { cppRunner } from './cpp-runner.ts'

for (const compiler of compilers) await goldenSuite(cppRunner(compiler))
