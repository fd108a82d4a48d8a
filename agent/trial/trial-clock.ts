// How long a version on trial has run, for checks that are a process each. Between two of them only the clock on the
// wall goes on, and that may jump: NTP sets it an hour ahead, and a version that was started a second ago would have
// served its probation. What cannot jump is the time since the machine was started. So a note in home holds how far the
// two are apart, and since when they have agreed: a start is dated by the launch record only while they do.

import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

import { readIfPossible, replaceFile } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'

/** What NTP may shift without a jump. */
const DRIFT_MAX_MS = 5000

/** Time that no clock setting changes. */
export interface Monotonic {
  /** Which start of the machine `sinceBootMs` counts from. */
  readonly boot: string
  readonly sinceBootMs: number
}

export interface ClockNote {
  readonly boot: string
  /** Wall clock less the time since the boot. */
  readonly offsetMs: number
  /** Since when the two have agreed, as time since the boot. */
  readonly agreedMs: number
}

export function readMonotonic(): Monotonic {
  return { boot: bootId(), sinceBootMs: uptime() * 1000 }
}

/** Notes how the clocks stand, unless they stand as noted. On a disk that cannot be written it is noted anew each time. */
export function noteClocks(home: Home, wallMs: number, { boot, sinceBootMs }: Monotonic): ClockNote {
  const offsetMs = Math.round(wallMs - sinceBootMs)
  const noted = readNote(home)
  if (noted?.boot === boot && Math.abs(noted.offsetMs - offsetMs) <= DRIFT_MAX_MS && noted.agreedMs <= sinceBootMs)
    return noted
  const note: ClockNote = { boot, offsetMs, agreedMs: Math.round(sinceBootMs) }
  try {
    replaceFile(home.disk, home.clocks, `${JSON.stringify(note)}\n`)
  } catch {
    // No trial ends on this disk either: its verdict has to be written, too.
  }
  return note
}

/** @param startedMs what the clock on the wall said at the start: it counts from then, or from when it can be believed */
export function ranSince(startedMs: number, note: ClockNote, { sinceBootMs }: Monotonic): number {
  const started = startedMs - note.offsetMs
  const isPlausible = started >= note.agreedMs && started <= sinceBootMs + DRIFT_MAX_MS
  return sinceBootMs - (isPlausible ? started : note.agreedMs)
}

function readNote(home: Home): ClockNote | undefined {
  try {
    const noted: unknown = JSON.parse(readIfPossible(home.clocks)?.toString('utf8') ?? 'null')
    if (typeof noted !== 'object' || noted === null) return undefined
    const { boot, offsetMs, agreedMs } = noted as Record<string, unknown>
    const isNote = typeof boot === 'string' && typeof offsetMs === 'number' && typeof agreedMs === 'number'
    return isNote ? { boot, offsetMs, agreedMs } : undefined
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return 'unknown'
  }
}
