import type { Command } from 'commander'

import { registerAgentApprove } from './agent/approve.ts'
import { registerAgentCheck } from './agent/check.ts'
import { registerAgentConfirm } from './agent/confirm.ts'
import { registerAgentFlags } from './agent/flags.ts'
import { registerAgentExplain } from './agent/explain.ts'
import { registerAgentHistory } from './agent/history.ts'
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
  registerAgentHistory(agent)
  registerAgentExplain(agent)
  registerAgentFlags(agent)
  registerAgentApprove(agent)
  registerAgentConfirm(agent)
  registerAgentRollback(agent)
}
