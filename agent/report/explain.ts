// Why an agent does or does not update now: one poll, and everything that the decision depends on, as data.

import {
  type Decision,
  formatDate,
  isWindowOpen,
  type MaintenanceWindow,
  nextOpening,
  platformOf,
  type Release,
  type Rollout,
} from '../../manifests/index.ts'
import type { Deployment } from '../settings/deployment.ts'
import { prepareHome } from '../home/home.ts'
import { installedRecord } from '../home/launch-record.ts'
import { withLock } from '../home/lock.ts'
import type { Settings } from '../settings/settings.ts'
import { approvedHashes, loadState, type QuarantineEntry } from '../home/state.ts'
import { update, type UpdateDeps } from '../update.ts'
import { type UpdateMode, type UpdateRole, updateRole } from '../settings/update-role.ts'

export interface Explanation {
  readonly running: string | undefined
  /** No update comes while a version is on probation. */
  readonly isOnTrial: boolean
  readonly mode: UpdateMode
  readonly deployment: Deployment
  readonly role: UpdateRole
  /** False where updates are left to `moult agent check --apply`. */
  readonly autoInstall: boolean
  readonly release: Release
  readonly rollout: Rollout
  readonly decision: Decision
  /** Largest percent of a rollout that this host takes part in. */
  readonly percentCap: number
  readonly windows: readonly WindowState[]
  readonly approval: { readonly isNeeded: boolean; readonly isGiven: boolean }
  readonly quarantine: readonly QuarantineEntry[]
}

export type WindowState = MaintenanceWindow & {
  readonly isOpen: boolean
  /** RFC 3339 date; absent while it is open. */
  readonly opensAt?: string
}

/** Changes nothing that runs. @throws MoultError as a poll does */
export async function explainUpdate(settings: Settings, deps: UpdateDeps): Promise<Explanation> {
  const { home, root, mode, deployment, autoInstall, policy } = settings
  prepareHome(home)
  return withLock(home, async () => {
    const result = await update(settings, { apply: false }, { ...deps, emit: () => undefined })
    if (result.kind === 'swapped') throw new Error('installed what was only to be looked at')
    const { decision, manifest } = result
    const { release, rollout } = manifest
    const record = installedRecord(home)
    const state = loadState(home, root, () => undefined)
    const binary = release.binaries[platformOf(process.platform, process.arch)]
    return {
      running: record?.version,
      isOnTrial: record?.trial !== undefined,
      mode,
      deployment,
      role: updateRole(settings),
      autoInstall,
      release,
      rollout,
      decision,
      percentCap: policy.percentCap ?? 100,
      windows: policy.windows.map((window) => windowState(window, deps.clock())),
      approval: { isNeeded: policy.needsApproval, isGiven: approvedHashes(state).has(binary?.sha256 ?? '') },
      quarantine: state.quarantine,
    }
  })
}

function windowState(window: MaintenanceWindow, now: number): WindowState {
  if (isWindowOpen([window], now)) return { ...window, isOpen: true }
  const opensMs = nextOpening([window], now)
  return { ...window, isOpen: false, ...(opensMs === undefined ? {} : { opensAt: formatDate(opensMs) }) }
}
