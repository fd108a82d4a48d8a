// A person lets an update in, or takes that back. What is approved are bytes: the artifact of this machine by its hash, as
// a manifest that verified names it. Another build of the same version waits for an approval of its own.

import { type Binary, formatDate, MoultError } from '../../manifests/index.ts'
import { prepareHome } from './home.ts'
import { withJournal } from '../report/journal.ts'
import { withLock } from './lock.ts'
import type { Settings } from '../settings/settings.ts'
import { loadState, saveState, withApproved } from './state.ts'
import { update, type UpdateDeps, type UpdateResult } from '../update.ts'

export interface Approved {
  readonly version: string
  readonly sha256: string
}

/**
 * Polls once, and approves what is offered.
 * @param version what the person means to approve; the offered one when absent
 * @throws MoultError ERR_POLICY_REFUSED when that is not offered, or would not be installed anyway
 */
export async function approveUpdate(
  settings: Settings,
  version: string | undefined,
  own: UpdateDeps,
): Promise<Approved> {
  const { home, root } = settings
  const { deps } = withJournal(settings, own)
  prepareHome(home)
  return withLock(home, async () => {
    const result = await update(settings, { apply: false }, { ...deps, emit: () => undefined })
    if (result.kind === 'swapped') throw new MoultError('ERR_BUG', 'installed what was only to be looked at')
    const { decision, manifest, facts } = result
    // A rule may keep it on another release than that of the manifest.
    const offered = decision.kind === 'up-to-date' ? (facts.running ?? manifest.release.version) : decision.version
    if (version !== undefined && version !== offered) {
      throw new MoultError('ERR_POLICY_REFUSED', `not offered here: ${version}`, {
        hint: `The update server offers ${offered}.`,
        details: { version, offered },
      })
    }
    const binary = binaryOf(result)
    if (binary === undefined || decision.kind === 'up-to-date' || decision.kind === 'refuse') {
      const reason = decision.kind === 'refuse' ? decision.reason : 'it runs already'
      throw new MoultError('ERR_POLICY_REFUSED', `nothing to approve (${reason}): ${offered}`, {
        details: { version: offered, decision: decision.kind },
      })
    }
    const approval = { sha256: binary.sha256, version: offered, at: formatDate(deps.clock()) }
    saveState(home, withApproved(loadState(home, root, warnBy(deps)), approval))
    deps.emit({ kind: 'approved', version: offered, sha256: binary.sha256 })
    return { version: offered, sha256: binary.sha256 }
  })
}

/** The artifact that this machine is offered, also while it is held back from it. */
function binaryOf({ decision, manifest, facts }: Extract<UpdateResult, { kind: 'checked' }>): Binary | undefined {
  if (decision.kind === 'install' || (decision.kind === 'wait' && decision.binary !== undefined)) return decision.binary
  const { binaries } = manifest.release
  return Object.hasOwn(binaries, facts.platform) ? binaries[facts.platform] : undefined
}

/**
 * What is installed already stays.
 * @param version whose approvals are taken back; those of all when absent
 * @returns the versions that were approved
 */
export async function revokeApprovals(
  settings: Settings,
  version: string | undefined,
  deps: UpdateDeps,
): Promise<string[]> {
  const { home, root } = settings
  prepareHome(home)
  return withLock(home, async () => {
    const { approved = [], ...state } = loadState(home, root, warnBy(deps))
    const revoked = approved.filter((each) => version === undefined || each.version === version)
    if (revoked.length > 0) saveState(home, { ...state, approved: approved.filter((each) => !revoked.includes(each)) })
    return revoked.map((each) => each.version)
  })
}

function warnBy({ emit }: UpdateDeps): (message: string) => void {
  return (message) => emit({ kind: 'warning', message })
}
