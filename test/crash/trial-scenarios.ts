// How a trial goes on and ends, and how a home is put in order.

import { truncateSync } from 'node:fs'

import { prepareLaunch } from '../../agent/trial/launch.ts'
import { writeLaunchRecord } from '../../agent/home/launch-record.ts'
import { settle } from '../../agent/trial/settle.ts'
import { update } from '../../agent/update.ts'
import { confirmVersion, rollBackVersion } from '../../agent/trial/verdict.ts'
import { isMoultError } from '../../manifests/index.ts'
import { publish } from '../agent/field.ts'
import { makeKey, makeRootChain } from '../fixtures/signed-manifest.ts'
import * as offered from './offered.ts'
import { FIRST, NEXT, V1, V2 } from './offered.ts'
import { DEPS, homeIn } from './stage.ts'
import {
  locked,
  playShell,
  playUpdate,
  ROLLED_BACK,
  ROLLING_BACK,
  type Scenario,
  STAYS_V1,
  TAKES_V2,
} from './scenario.ts'

export const TRIAL_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a rollback by verdict',
    prepare: (root, host) => offered.layOutTrial(root, host, 1),
    play: (root, host, disk) =>
      locked(root, host, disk, (_, home) => {
        rollBackVersion(home, V2, 'health')
        disk.mark('rolled back')
      }),
    expect: (mark) => (mark === '' ? ROLLING_BACK : ROLLED_BACK),
  },
  {
    name: 'a start that is counted',
    prepare: (root, host) => offered.layOutTrial(root, host, 0),
    play: async (root, _, disk) => {
      prepareLaunch(homeIn(root, disk), () => undefined)
      disk.mark('started')
      return Promise.resolve()
    },
    expect: (mark) => ({ ...TAKES_V2, startsMin: mark === '' ? 1 : 2 }),
  },
  {
    name: 'a rollback by the launcher',
    prepare: (root, host) => offered.layOutTrial(root, host, 3),
    play: async (root, _, disk) => {
      prepareLaunch(homeIn(root, disk), () => undefined)
      disk.mark('started')
      return Promise.resolve()
    },
    expect: () => ROLLED_BACK,
  },
  {
    name: 'a start that the shell launcher counts',
    prepare: (root, host) => offered.layOutTrial(root, host, 0),
    play: playShell,
    expect: (mark) => ({ ...TAKES_V2, startsMin: mark === '' ? 1 : 2 }),
  },
  {
    name: 'a rollback by the shell launcher',
    prepare: (root, host) => offered.layOutTrial(root, host, 3),
    play: playShell,
    expect: () => ROLLED_BACK,
  },
  {
    name: 'a confirmation on the last try',
    prepare: (root, host) =>
      offered.layOutTrial(root, host, 3, { ...NEXT, manifest: { release: { rollback_floor: V2 } } }),
    play: (root, host, disk) =>
      locked(root, host, disk, (settings) => {
        confirmVersion(settings, V2)
        disk.mark('confirmed')
      }),
    // Worst of all the power is lost before the flush: then the trial was on its last try, and is over.
    expect: (mark) => (mark === '' ? ROLLING_BACK : { ...TAKES_V2, rollbackFloor: V2 }),
  },
  {
    name: 'a failed version that is put into quarantine and removed',
    prepare: async (root, host) => {
      await offered.layOutTrial(root, host, 1)
      rollBackVersion(homeIn(root), V2, 'health')
    },
    play: (root, host, disk) => locked(root, host, disk, (settings) => settle(settings, DEPS)),
    expect: () => ROLLED_BACK,
  },
  {
    name: 'a cleanup of old versions',
    prepare: (root, host) => offered.layOutKept(root, host, ['0.1.0', '0.2.0', '0.3.0']),
    play: (root, host, disk) => locked(root, host, disk, (settings) => settle(settings, DEPS)),
    expect: () => STAYS_V1,
  },
  {
    name: 'a cleanup right after a confirmation',
    prepare: (root, host) => offered.layOutTrial(root, host, 1),
    play: (root, host, disk) =>
      locked(root, host, disk, async (settings) => {
        confirmVersion(settings, V2)
        await settle(settings, DEPS)
      }),
    expect: () => TAKES_V2,
  },
  {
    name: 'a damaged state that is set aside',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      truncateSync(homeIn(root).state, 100)
    },
    play: playUpdate,
    expect: () => STAYS_V1,
  },
  {
    name: 'a damaged launch record that is repaired',
    prepare: async (root, host) => {
      await offered.layOutKept(root, host, ['0.1.0'])
      truncateSync(homeIn(root).current, 5)
    },
    play: (root, host, disk) => locked(root, host, disk, (settings) => settle(settings, DEPS)),
    expect: () => STAYS_V1,
  },
  {
    name: 'a launch record that names what is gone',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      const { disk, current } = homeIn(root)
      writeLaunchRecord(disk, current, { version: V2, previous: V1, trial: { started: 1, tries: 3 } })
    },
    play: (root, host, disk) => locked(root, host, disk, (settings) => settle(settings, DEPS)),
    expect: () => STAYS_V1,
  },
  {
    name: 'new roots in a manifest that is refused',
    prepare: async (root, host) => {
      await offered.layOutFirst(root, host)
      publish(host, { ...FIRST, manifest: { chain: makeRootChain(3), releaseSigners: [makeKey('stranger')] } })
    },
    play: (root, host, disk) =>
      locked(root, host, disk, async (settings) => {
        await update(settings, { apply: true }, DEPS).catch((error: unknown) => {
          if (!isMoultError(error) || error.code !== 'ERR_TRUST_SIGNATURE') throw error
        })
        disk.mark('refused')
      }),
    meanwhile: (host) => publish(host, FIRST),
    expect: (mark) => ({ ...STAYS_V1, ...(mark === '' ? {} : { rootVersion: 3 }) }),
  },
]
