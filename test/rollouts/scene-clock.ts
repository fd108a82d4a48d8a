// A clock for all processes of a scene, which goes as that of the machine and can be put on by hours.

import { renameSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

import type { Scene } from '../helpers/moult.ts'

const HOUR_MS = 3_600_000

/** Adds to the machine's clock what a file says, which may change while the process runs. */
const AHEAD = `
import { readFileSync } from 'node:fs'
const Machine = Date
const aheadMs = () => Number(readFileSync(process.env.CLOCK_AHEAD_FILE, 'utf8'))
globalThis.Date = class Date extends Machine {
  constructor(...given) {
    if (given.length === 0) super(Machine.now() + aheadMs())
    else super(...given)
  }
  static now() {
    return Machine.now() + aheadMs()
  }
}
`

export interface SceneClock {
  /** For processes that are to go by it. */
  readonly env: Readonly<Record<string, string>>
  /** Lets time go by, also for processes that run. */
  pass(hours: number): void
}

export function makeSceneClock(scene: Scene): SceneClock {
  const file = scene.write('ahead', '0')
  const preload = pathToFileURL(scene.write('ahead.mjs', AHEAD)).href
  let aheadMs = 0
  return {
    env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_AHEAD_FILE: file },
    pass: (hours) => {
      aheadMs += hours * HOUR_MS
      // Never half-written for who reads it just now.
      renameSync(scene.write('ahead.new', String(aheadMs)), file)
    },
  }
}
