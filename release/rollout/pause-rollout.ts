import { formatDate } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { openProject } from '../open-project.ts'
import type { ReleaseResult } from '../release-result.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { restateRollout, type RestateOptions, type RolloutChange } from './restate-rollout.ts'
import { delayByPause } from './shift-stages.ts'

export interface ResumeOptions extends RestateOptions {
  /** Stages begin at the dates that they had, and what should have begun meanwhile begins at once. */
  readonly keepDates?: boolean | undefined
}

/** From now on nobody installs the live release; who has it already keeps it. @throws MoultError as `setRollout` */
export function pauseRollout(options: RestateOptions = {}, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  return restate(options, deps, (rollout, now) =>
    rollout.paused === true ? undefined : { ...rollout, paused: true, paused_since: formatDate(now) },
  )
}

/** The live release goes on; what had not begun comes as much later as the pause has lasted. @throws MoultError as `setRollout` */
export function resumeRollout(options: ResumeOptions = {}, deps: ReleaseDeps = {}): Promise<ReleaseResult> {
  return restate(options, deps, (rollout, now) => {
    if (rollout.paused !== true) return undefined
    const { paused: _paused, paused_since: _since, ...rest } = options.keepDates ? rollout : delayByPause(rollout, now)
    return rest
  })
}

async function restate(options: RestateOptions, deps: ReleaseDeps, change: RolloutChange): Promise<ReleaseResult> {
  const around = surroundingsOf(deps)
  const project = await openProject(options.config, around, ['rollout'])
  await assertClock(project, around)
  return restateRollout(options, change, project, around)
}
