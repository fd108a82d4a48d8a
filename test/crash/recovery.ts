// What a machine does after a crash, and what must hold then (docs/crash-safety.md): the launcher chooses, the updater
// settles, and the next poll brings the machine to where it should be.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Home } from '../../agent/home/home.ts'
import { installAgent } from '../../agent/install/install.ts'
import { type Launch, prepareLaunch } from '../../agent/trial/launch.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { withLock } from '../../agent/home/lock.ts'
import { programOf } from '../../agent/home/receipt.ts'
import { settle } from '../../agent/trial/settle.ts'
import { loadState } from '../../agent/home/state.ts'
import { update } from '../../agent/update.ts'
import { confirmVersion } from '../../agent/trial/verdict.ts'
import { isMoultError, sha256 } from '../../manifests/index.ts'
import { settingsAt } from '../agent/field.ts'
import { DEPS } from './stage.ts'
import { describeTree, hashTree, readTree } from './tree.ts'

export interface Expectation {
  /** Versions that the launcher may choose. */
  readonly mayRun: readonly string[]
  /** Whether nothing at all may be there that can be run: before the first version is installed. */
  readonly mayBeNothing?: boolean
  /** The sequence floor that must not be forgotten. */
  readonly floor: number
  /** What must run in the end, once the host has been asked: one of these. */
  readonly finally: readonly string[]
  readonly rootVersion?: number
  /** Starts of the version on trial that must have been counted, this one included. */
  readonly startsMin?: number
  readonly rollbackFloor?: string
}

/** Whole trees of a version by the text of `filesOf`: one, or two when it was built twice. */
export type Accepted = ReadonlyMap<string, readonly string[]>

const VERSIONS_MAX = 4

export interface Recovery {
  readonly launched: string | undefined
  readonly finally: string | undefined
}

/**
 * Lets a home recover, and checks each step.
 * @param isPolling false: as far as the host is not needed
 * @throws AssertionError that names the invariant
 */
export async function recover(
  home: Home,
  host: { url: string },
  accepted: Accepted,
  expected: Expectation,
  isPolling = true,
): Promise<Recovery> {
  const launch = launched(home, accepted)
  if (launch === undefined) {
    assert.ok(expected.mayBeNothing === true, 'I2: nothing can be run')
    if (isPolling) await installAgain(home, host, accepted, expected)
    return { launched: undefined, finally: undefined }
  }
  assert.ok(
    expected.mayRun.includes(launch.version),
    `I2: ${launch.version} is chosen, not ${expected.mayRun.join(' or ')}`,
  )
  if (expected.startsMin !== undefined && launch.trial !== undefined)
    assert.ok(launch.trial >= expected.startsMin, `I6: a try was not counted: ${launch.trial}`)

  const settings = { ...settingsAt(home, host, { preflight: [], keepVersions: 2 }), home }
  const state = loadState(home, settings.root, () => undefined)
  const floor = state.floors['stable']?.sequence ?? 0
  assert.ok(floor >= expected.floor, `I3: the floor is ${floor}, not ${expected.floor}`)
  assert.ok(state.root.version >= (expected.rootVersion ?? 1), `I3: the root is back at ${state.root.version}`)
  if (expected.rollbackFloor !== undefined && expected.mayRun.length === 1)
    assert.equal(state.rollbackFloor, expected.rollbackFloor, 'I3: the rollback floor')

  const record = await withLock(home, () => settle(settings, DEPS))
  const settled = readTree(home.path)
  await withLock(home, () => settle(settings, DEPS))
  const again = readTree(home.path)
  if (hashTree(again) !== hashTree(settled))
    assert.equal(describeTree(again), describeTree(settled), 'settling twice changes more than once')
  assert.equal(record.version, launch.version, 'I2: the record names another version than the launcher chose')
  if (!isPolling) return { launched: launch.version, finally: undefined }

  await withLock(home, async () => {
    if (record.trial !== undefined) {
      await update(settings, { apply: false }, DEPS)
      assert.ok(confirmVersion(settings, record.version), 'I4: the trial cannot be ended')
    }
    await update(settings, { apply: true }, DEPS)
  })
  const end = launched(home, accepted)?.version
  assert.ok(end !== undefined && expected.finally.includes(end), `I4: after the next poll ${end} runs`)
  assertBounded(home)
  return { launched: launch.version, finally: end }
}

async function installAgain(
  home: Home,
  host: { url: string },
  accepted: Accepted,
  expected: Expectation,
): Promise<void> {
  const root = join(home.path, '../root.json')
  const settings = { server: host.url, preflight: [] }
  await installAgent({ home: home.path, root, settings, env: {}, disk: home.disk }, DEPS)
  const version = launched(home, accepted)?.version
  assert.ok(version !== undefined && expected.finally.includes(version), `I4: installed again, ${version} runs`)
  await withLock(home, () => settle({ ...settingsAt(home, host), home }, DEPS))
  assertBounded(home)
}

/** Chooses as the launcher does, and holds what is chosen, and its way back, against what was signed. */
export function launched(home: Home, accepted: Accepted): Launch | undefined {
  let launch: Launch
  try {
    launch = prepareLaunch(home, () => undefined)
  } catch (error) {
    if (isMoultError(error) && error.code === 'ERR_HOME_INVALID') return undefined
    throw error
  }
  assertAccepted(home, launch.version, accepted)
  const record = readLaunchRecord(home.current)
  const wayBack = record?.trial === undefined || record.version !== launch.version ? undefined : record.previous
  if (wayBack !== undefined) {
    assert.ok(programOf(home, wayBack) !== undefined, `I2: the way back to ${wayBack} is gone during a trial`)
    assertAccepted(home, wayBack, accepted)
  }
  return launch
}

export function assertAccepted(home: Home, version: string, accepted: Accepted): void {
  const files = filesOf(join(home.versions, version))
  assert.ok(accepted.get(version)?.includes(files), `I1: ${version} has other bytes than were signed:\n${files}`)
}

/** Paths, modes and hashes of a version's own files. */
export function filesOf(directory: string): string {
  return [...readTree(directory)]
    .filter(([path, entry]) => entry.kind === 'file' && !path.startsWith('.'))
    .map(([path, entry]) => `${path} ${entry.mode} ${entry.kind === 'file' ? sha256(entry.content) : ''}`)
    .join('\n')
}

function assertBounded(home: Home): void {
  const rests = readdirSync(home.staging).filter((name) => !/^[0-9a-f]{64}\.partial$/.test(name))
  assert.deepEqual(rests, [], 'I4: staging')
  const versions = readdirSync(home.versions)
  assert.ok(versions.length <= VERSIONS_MAX, `I6: ${versions.length} versions`)
  const known = Object.values(home).map((path) => (typeof path === 'string' ? basename(path) : ''))
  // The first half of a replacement may be left behind, one a file: the next one begins with its removal.
  const strangers = readdirSync(home.path).filter((name) => !known.includes(name.replace(/\.(?:new|damaged)$/, '')))
  assert.deepEqual(strangers, [], 'I4: rests in home')
  assert.deepEqual(readdirSync(home.lock), ['free'], 'I4: the lock')
}
