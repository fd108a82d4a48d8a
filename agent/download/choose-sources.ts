import type { Binary } from '../../manifests/index.ts'
import { installedArtifacts } from '../home/installed-artifacts.ts'
import { loadState, saveState, withFailedDelta, withoutFailedDelta } from '../home/state.ts'
import type { Settings } from '../settings/settings.ts'
import type { Source } from './download-options.ts'
import { hasDeltas, usableSources } from './usable-sources.ts'

/** The ways to get an artifact onto this machine, by what is installed and what has failed here; smallest first. */
export function chooseSources({ home, root, deltas }: Settings, binary: Binary): Source[] {
  if (!deltas || !hasDeltas(binary)) return usableSources(binary)
  const { failedDeltas: failed } = loadState(home, root, () => undefined)
  return usableSources(binary, { installed: installedArtifacts(home), failed })
}

/** What has failed here would be fetched again at every poll, should the other ways fail as well. */
export function noteDelta({ home, root }: Settings, { sha256 }: Source, isUseless: boolean): void {
  try {
    const state = loadState(home, root, () => undefined)
    const noted = isUseless ? withFailedDelta(state, sha256) : withoutFailedDelta(state, sha256)
    if (noted !== state) saveState(home, noted)
  } catch {
    // A full disk or a read-only home: it costs another try, and MUST NOT keep the next source from being tried.
  }
}
