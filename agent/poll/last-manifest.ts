import { isMoultError, type Manifest, NO_FLOOR, type Verified, verifyAsIssued } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import { loadState, type State } from '../home/state.ts'
import type { Settings } from '../settings/settings.ts'

/**
 * The last manifest that was accepted here, from the copy in home and verified once more: as of its own date, because what
 * it says beside what to install goes on to hold when it has expired.
 *
 * @returns undefined when there is none, or it is not the one that the state remembers, or either cannot be read
 */
export function lastManifest(settings: Settings): { manifest: Verified<Manifest>; state: State } | undefined {
  const { home, channel } = settings
  try {
    const bytes = readIfPossible(home.manifest)
    if (bytes === undefined) return undefined
    const state = loadState(home, settings.root, () => undefined)
    const trust = { root: state.root, channel, floor: state.floors[channel] ?? NO_FLOOR }
    const verdict = verifyAsIssued(bytes, trust)
    return verdict.kind === 'accepted' ? { manifest: verdict.manifest, state } : undefined
  } catch (error) {
    if (isMoultError(error)) return undefined
    throw error
  }
}
