import { loadState, saveState, type Settings } from '../agent/index.ts'
import { compareVersions, type Manifest } from '../manifests/index.ts'

/** A release that has run here and names a `rollback_floor` may have changed the data: nothing below it is set again. */
export function raiseFloor({ home, root }: Settings, running: string | undefined, { release }: Manifest): void {
  const { version, rollback_floor: floor } = release
  // A rule may keep the workload on another release than that of the manifest.
  if (floor === undefined || running === undefined || compareVersions(running, version) !== 0) return
  const state = loadState(home, root, () => undefined)
  if (state.rollbackFloor !== undefined && compareVersions(floor, state.rollbackFloor) <= 0) return
  saveState(home, { ...state, rollbackFloor: floor })
}
