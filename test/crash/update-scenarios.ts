// How a first version, and then another one, comes into a home.

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { checkOnce } from '../../agent/check-once.ts'
import { installAgent } from '../../agent/install/install.ts'
import { update } from '../../agent/update.ts'
import { artifactOf, type Host, publish } from '../agent/field.ts'
import * as offered from './offered.ts'
import { FIRST, NEXT, NEXT_COMPRESSED, NEXT_TREE, OLD_FLOOR, V1, V2 } from './offered.ts'
import type { RecordingDisk } from './recording-disk.ts'
import type { Expectation } from './recovery.ts'
import { DEPS, homeIn, settingsIn } from './stage.ts'
import { expectUpdate, locked, playUpdate, type Scenario } from './scenario.ts'

async function install(root: string, host: Host, disk: RecordingDisk, program?: string): Promise<void> {
  const first = program === undefined ? {} : { program: { path: program, version: V1 } }
  const settings = { server: host.url, preflight: [] }
  await installAgent(
    { home: join(root, 'home'), root: join(root, 'root.json'), settings, env: {}, disk, ...first },
    DEPS,
  )
  disk.mark('installed')
}

const expectInstall =
  (floor: number) =>
  (mark: string): Expectation =>
    mark === 'installed'
      ? { mayRun: [V1], floor, finally: [V1] }
      : { mayRun: [V1], mayBeNothing: true, floor: 0, finally: [V1] }

/** Not the way back to the whole artifact, which the others show. */
async function playByDelta(root: string, host: Host, disk: RecordingDisk): Promise<void> {
  await playUpdate(root, host, disk)
  assert.ok(host.requests.includes('delta') && !host.requests.includes(`${V2}.bin`), host.requests.join(', '))
}

export const UPDATE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'the first version comes from the server',
    prepare: offered.layOutNothing,
    play: (root, host, disk) => install(root, host, disk),
    expect: expectInstall(OLD_FLOOR),
  },
  {
    name: 'the first version is a program of this machine',
    prepare: offered.layOutNothing,
    play: (root, host, disk) => install(root, host, disk, join(root, 'program')),
    expect: expectInstall(0),
  },
  {
    name: 'an update to a single file',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      publish(host, NEXT)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'an update by a compressed download',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      publish(host, NEXT_COMPRESSED)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'an update by a delta',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      offered.publishDelta(host, artifactOf(FIRST), NEXT)
    },
    play: playByDelta,
    expect: expectUpdate,
  },
  {
    // To a file, as what comes of unpacking is shown below.
    name: 'an update by a delta to a tree',
    prepare: async (root, host) => offered.publishDelta(host, await offered.layOutTree(root, host), NEXT),
    play: playByDelta,
    expect: expectUpdate,
  },
  {
    name: 'an update to a tree',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      publish(host, NEXT_TREE)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'an update over a kept copy of the version, of another build',
    prepare: async (root, host) => {
      await offered.layOutOtherBuild(root, host, {})
      publish(host, NEXT)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'an update over the previous version, of another build',
    prepare: async (root, host) => {
      await offered.layOutOtherBuild(root, host, { previous: V2 })
      publish(host, NEXT_TREE)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'an update that goes on with half a download',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      publish(host, NEXT)
      const artifact = artifactOf(NEXT)
      host.answer(`${V2}.bin`, (_request, response) => {
        response.writeHead(200, { 'content-length': artifact.length }).write(artifact.subarray(0, 9000), () => {
          response.destroy()
        })
      })
      await locked(root, host, homeIn(root).disk, (settings) =>
        update(settings, { apply: true }, DEPS).catch(() => undefined),
      )
      publish(host, NEXT)
    },
    play: playUpdate,
    expect: expectUpdate,
  },
  {
    name: 'a one-shot check that settles, installs and notes it',
    prepare: async (root, host) => {
      await offered.layOutKept(root, host, ['0.1.0'])
      publish(host, NEXT)
    },
    play: async (root, host, disk) => {
      const result = await checkOnce(settingsIn(root, host, disk), { apply: true }, DEPS)
      disk.mark(result.kind)
    },
    expect: expectUpdate,
  },
]
