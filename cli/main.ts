#!/usr/bin/env node
// `moult`: the only place that reads argv, prints and exits. Each command registers itself from a file of its own and
// loads what it needs when it runs.

import { Command } from 'commander'

import { registerAgentCommands } from './agent.ts'
import { registerFleetCommands } from './fleet.ts'
import { registerInit } from './init.ts'
import { registerK8sCommands } from './k8s.ts'
import { registerKeysCommands } from './keys.ts'
import { packageVersion } from './package-version.ts'
import { registerPresign } from './presign.ts'
import { registerPreview } from './preview.ts'
import { registerPromote } from './promote.ts'
import { registerPrune } from './prune.ts'
import { registerRefresh } from './refresh.ts'
import { registerRelease } from './release.ts'
import { registerRollback } from './rollback.ts'
import { registerRolloutCommands } from './rollout.ts'
import { registerRootCommands } from './root.ts'
import { runProgram } from './run-program.ts'
import { registerServe } from './serve.ts'
import { registerVerify } from './verify.ts'

const program = new Command('moult')
  .description('Ship signed updates to a fleet of agents from nothing but static files.')
  .version(packageVersion())
  // A command inherits this when it is made: usage errors then get the exit status of the table.
  .exitOverride()

registerInit(program)
registerRelease(program)
registerRolloutCommands(program)
registerPromote(program)
registerRollback(program)
registerRefresh(program)
registerPreview(program)
registerVerify(program)
registerPresign(program)
registerPrune(program)
registerKeysCommands(program)
registerRootCommands(program)
registerServe(program)
registerAgentCommands(program)
registerK8sCommands(program)
registerFleetCommands(program)

await runProgram(program, process.argv)
