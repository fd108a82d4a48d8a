import type { Command } from 'commander'

import { registerRolloutSet } from './rollout/set.ts'

/** The rollout statement alone: these commands need the rollout key, and neither the release key nor a build. */
export function registerRolloutCommands(program: Command): void {
  const rollout = program.command('rollout').description('who gets what was released; needs the rollout key alone')
  registerRolloutSet(rollout)
}
