import type { Command } from 'commander'

import { registerRolloutAdvance } from './rollout/advance.ts'
import { registerRolloutPause, registerRolloutResume } from './rollout/pause.ts'
import { registerRolloutSet } from './rollout/set.ts'
import { registerRolloutStatus } from './rollout/status.ts'

/** The rollout statement alone: these commands need the rollout key, and neither the release key nor a build. */
export function registerRolloutCommands(program: Command): void {
  const rollout = program.command('rollout').description('who gets what was released; needs the rollout key alone')
  registerRolloutStatus(rollout)
  registerRolloutSet(rollout)
  registerRolloutPause(rollout)
  registerRolloutResume(rollout)
  registerRolloutAdvance(rollout)
}
