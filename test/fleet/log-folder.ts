// Folders of logs that a test writes, and what is made of them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'

import type { Poll } from '../../bench/fleet-logs/traffic.ts'
import { formatLine, HEADINGS } from '../../bench/fleet-logs/format-lines.ts'
import { type FleetFigures, fleetFigures, type LogFormat, readLogs, type ReadLogsOptions } from '../../fleet/index.ts'
import type { FigureOptions } from '../../fleet/figures.ts'
import { type Beacon, formatBeacon } from '../../manifests/beacon.ts'

export const HOUR_MS = 3_600_000
export const START_MS = Date.UTC(2026, 10, 20)

export function logFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'moult-logs-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function writeLog(folder: string, name: string, format: LogFormat, polls: readonly Poll[]): string {
  const path = join(folder, name)
  const lines = polls.map((poll, n) => `${formatLine(format, poll, n)}\n`)
  const text = Buffer.from((HEADINGS[format] ?? '') + lines.join(''), 'latin1')
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}

/** A poll in which nothing is special but what is given. */
export function pollOf(
  timeMs: number,
  beacon: Partial<Beacon> & { readonly id: string },
  more: Partial<Poll> = {},
): Poll {
  const whole: Beacon = {
    name: 'heartbeat-agent',
    version: '1.4.1',
    platform: 'linux-amd64',
    channel: 'stable',
    state: 'confirmed',
    events: [],
    updater: '0.1.0',
    ...beacon,
  }
  return {
    timeMs,
    path: '/version.json',
    status: 304,
    bytes: 300,
    remote: '192.0.2.1',
    userAgent: formatBeacon(whole),
    beacon: whole,
    ...more,
  }
}

/** 16 hexadecimal digits. */
export function idOf(n: number): string {
  return n.toString(16).padStart(16, '0')
}

export async function figuresOf(
  names: readonly string[],
  options: ReadLogsOptions & FigureOptions = {},
): Promise<FleetFigures> {
  return fleetFigures(await readLogs(names, options), options)
}
