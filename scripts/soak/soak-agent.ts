// The agent of the soak: it keeps itself up to date, and notes which bytes it is made of. How it fails, if it is meant
// to, is in the build metadata of its version.

import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'

import { Updater } from '../../agent/index.ts'

declare const __MOULT_VERSION__: string

const CRASH_STATUS = 41
const LATE_MS = 150
/** The host is on this machine: a poll at every turn costs little, and a round takes seconds. */
const POLL_MS = 150

const [, kind = 'good'] = __MOULT_VERSION__.split('+')
const { MOULT_PREFLIGHT, MOULT_TRIAL = '-', SOAK_LANE = '.' } = process.env
const hash = createHash('sha256').update(readFileSync(__filename)).digest('hex')
const trial = MOULT_PREFLIGHT === undefined ? MOULT_TRIAL : 'preflight'
appendFileSync(`${SOAK_LANE}/ran`, `${__MOULT_VERSION__} ${hash} ${trial}\n`)

if (process.argv.includes('--version')) {
  console.log(__MOULT_VERSION__)
} else if (kind === 'crash') {
  process.exit(CRASH_STATUS)
} else if (kind === 'abort') {
  process.abort()
} else {
  if (kind === 'late') setTimeout(() => process.exit(CRASH_STATUS), LATE_MS)
  const updater = new Updater({
    version: __MOULT_VERSION__,
    firstPollMs: 0,
    // Nobody listens there: this version could never update again.
    ...(kind === 'mute' ? { settings: { server: 'http://127.0.0.1:1/' } } : {}),
    health: () => kind !== 'unhealthy',
  })
  updater.start()
  setInterval(() => updater.checkNow(), POLL_MS)
}
