// Access logs in the combined format, as nginx and the local server write it, of a fleet that polls every hour.

import { type Beacon, formatBeacon } from '../../../manifests/beacon.ts'

export const HOUR_MS = 3_600_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export interface LoggedAgent extends Partial<Beacon> {
  /** Hours ago; default: half an hour. */
  readonly lastHours?: number
}

/** One line for each poll of each agent since so many hours ago, in the order of time. */
export function pollLog(name: string, agents: readonly LoggedAgent[], nowMs: number, hours: number): string {
  const lines: { readonly atMs: number; readonly text: string }[] = []
  for (const [index, { lastHours = 0.5, ...beacon }] of agents.entries()) {
    for (let ago = lastHours; ago < hours; ago++) {
      const atMs = nowMs - ago * HOUR_MS
      lines.push({ atMs, text: pollLine(name, index, atMs, beacon) })
    }
  }
  return lines
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ text }) => text)
    .join('')
}

function pollLine(name: string, index: number, atMs: number, beacon: Partial<Beacon>): string {
  const agent = formatBeacon({
    name,
    version: '1.0.0',
    platform: 'linux-amd64',
    channel: 'stable',
    id: index.toString(16).padStart(16, '0'),
    state: 'confirmed',
    events: [],
    updater: '0.1.0',
    ...beacon,
  })
  const time = new Date(atMs)
  const day = `${time.toISOString().slice(8, 10)}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
  return `192.0.2.7 - - [${day}:${time.toISOString().slice(11, 19)} +0000] "GET /version.json HTTP/1.1" 304 0 "-" "${agent}"\n`
}

/** So many agents of each kind. */
export function agentsOf(...kinds: readonly (readonly [count: number, agent: LoggedAgent])[]): LoggedAgent[] {
  return kinds.flatMap(([count, agent]) => Array.from({ length: count }, () => agent))
}

export const UPDATED: LoggedAgent = {
  version: '1.1.0',
  events: [{ n: 1, kind: 'updated', version: '1.1.0', detail: '340' }],
}
export const ROLLED_BACK: LoggedAgent = {
  state: 'rolled-back',
  events: [{ n: 1, kind: 'rolled-back', version: '1.1.0', detail: 'probe' }],
}
export const OTHER_BYTES: LoggedAgent = {
  state: 'failed',
  error: 'BYTES_HASH',
  events: [{ n: 1, kind: 'failed', version: '1.1.0', detail: 'BYTES_HASH' }],
}
/** Of the version before, and well. */
export const OLDER: LoggedAgent = { state: 'waiting' }
