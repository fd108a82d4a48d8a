import type { Command } from 'commander'

import { registerAgentCheck } from './agent/check.ts'
import { registerAgentConfirm } from './agent/confirm.ts'
import { registerAgentExplain } from './agent/explain.ts'
import { registerAgentInstall } from './agent/install.ts'
import { registerAgentRollback } from './agent/rollback.ts'
import { registerAgentRun } from './agent/run.ts'
import { registerAgentStatus } from './agent/status.ts'

export function registerAgentCommands(program: Command): void {
  const agent = program
    .command('agent')
    .description('the updater on a machine that runs an agent')
    .enablePositionalOptions()
  registerAgentInstall(agent)
  registerAgentRun(agent)
  registerAgentCheck(agent)
  registerAgentStatus(agent)
  registerAgentExplain(agent)
  registerAgentConfirm(agent)
  registerAgentRollback(agent)
}
