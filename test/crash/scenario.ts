// A way of a home from one state to the next, and what may run after a crash in the midst of it.

import type { Disk } from '../../agent/home/disk.ts'
import type { Home } from '../../agent/home/home.ts'
import { withLock } from '../../agent/home/lock.ts'
import type { Settings } from '../../agent/settings/settings.ts'
import { update } from '../../agent/update.ts'
import type { Host } from '../agent/field.ts'
import { NEW_FLOOR, OLD_FLOOR, V1, V2 } from './offered.ts'
import type { RecordingDisk } from './recording-disk.ts'
import type { Expectation } from './recovery.ts'
import { recordShell } from './shell-launcher.ts'
import { DEPS, homeIn, settingsIn } from './stage.ts'

export interface Scenario {
  readonly name: string
  readonly prepare: (root: string, host: Host) => Promise<void>
  /** What is recorded. Marks tell what was promised by then. */
  readonly play: (root: string, host: Host, disk: RecordingDisk) => Promise<unknown>
  /** Changes what the host offers once the machine is on again. */
  readonly meanwhile?: (host: Host) => void
  /** By the last mark before the crash; empty when there was none. */
  readonly expect: (mark: string) => Expectation
}

export const NEITHER = { mayRun: [V1, V2], floor: OLD_FLOOR, finally: [V2] }
export const TAKES_V2 = { mayRun: [V2], floor: NEW_FLOOR, finally: [V2] }
export const STAYS_V1 = { mayRun: [V1], floor: OLD_FLOOR, finally: [V1] }
/** After a rollback the host still offers what failed; it is taken only where the rollback itself was lost. */
export const ROLLING_BACK = { mayRun: [V1, V2], floor: NEW_FLOOR, finally: [V1, V2] }
export const ROLLED_BACK = { mayRun: [V1], floor: NEW_FLOOR, finally: [V1] }

export const expectUpdate = (mark: string): Expectation => (mark === 'swapped' ? TAKES_V2 : NEITHER)

export async function locked<T>(
  root: string,
  host: Host,
  disk: Disk,
  work: (settings: Settings, home: Home) => T | Promise<T>,
): Promise<void> {
  const settings = settingsIn(root, host, disk)
  await withLock(settings.home, async () => work(settings, settings.home))
}

export const playUpdate: Scenario['play'] = (root, host, disk) =>
  locked(root, host, disk, async (settings) => disk.mark((await update(settings, { apply: true }, DEPS)).kind))

/** The shell changes the disk by itself: what strace sees of that is the recording. */
export async function playShell(root: string, _: Host, disk: RecordingDisk): Promise<void> {
  disk.operations.push(...(await recordShell(root, homeIn(root).path, `${root}.trace`)))
  disk.mark('started')
}
