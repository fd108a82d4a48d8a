// What an updater may do on this machine, by its mode and by where it runs.

import { isVersion } from '../../manifests/index.ts'
import { isOnVolume } from './deployment.ts'
import type { Settings } from './settings.ts'
import type { Environment } from './settings-environment.ts'

/** `install`: updates are installed. `report`: they are looked for and told, never fetched. `none`: nothing is done. */
export interface UpdateRole {
  readonly kind: 'install' | 'report' | 'none'
  /** What takes updates away from this machine; undefined where that is what the operator asked for. */
  readonly warning?: string
}

/** What an operator can say of updates; see SPEC.md, "Modes". */
export const UPDATE_MODES = ['auto', 'vm-only', 'signal-only', 'disabled'] as const
export type UpdateMode = (typeof UPDATE_MODES)[number]

export function updateRole({ enabled, mode, deployment, home }: Settings, root?: string): UpdateRole {
  if (!enabled || mode === 'disabled') return { kind: 'none' }
  if (mode === 'signal-only') return { kind: 'report' }
  const { kind, evidence } = deployment
  if (kind === 'vm') return { kind: 'install' }
  const place = `this is a ${kind} (${evidence})`
  if (mode === 'vm-only') return { kind: 'none', warning: `updates are off: the mode is vm-only, and ${place}` }
  if (isOnVolume(home.path, root)) return { kind: 'install' }
  // It would be gone at the next restart, and the version of the image would install it again, for ever.
  return {
    kind: 'report',
    warning: `updates are only reported: ${place}, and ${home.path} lies on no volume, so that an update would be lost at the next restart`,
  }
}

/** Why a process can have no updater at all, whatever its settings are; undefined when it can. */
export function obstacleOf(home: string | undefined, version: string, env: Environment): string | undefined {
  if (env['MOULT_SUPERVISED'] !== undefined) return 'the supervisor takes care of them'
  if (home === undefined) return 'no home directory is set'
  // It goes into the User-Agent, and is compared with what is offered.
  return isVersion(version) ? undefined : `no version of Semantic Versioning: ${JSON.stringify(version)}`
}
