// What must hold at any moment of the soak, whatever was killed. I1 to I7 are those of docs/crash-safety.md.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Home, type LaunchRecord, readLaunchRecord } from '../../agent/index.ts'
import { programOf } from '../../agent/home/receipt.ts'
import type { Offers } from './offers.ts'

/** Versions and rests that may lie around at most: what is kept, what is tried, and what a kill left to the next start. */
const VERSIONS_MAX = 6
const STAGING_MAX = 4
const TRIES_LOOKS_MAX = 20

interface StoredState {
  readonly floors: Readonly<Record<string, { readonly sequence: number }>>
  readonly quarantine: readonly { readonly version: string }[]
}

export class Invariants {
  readonly #lane: string
  readonly #home: Home
  readonly #offers: Offers
  readonly #tries: number
  #floor = 0
  #linesSeen = { ran: 0, ended: 0 }
  #launchersMaimed = 0
  readonly #trialStarts = new Map<string, number>()
  readonly counts = { starts: 0, preflights: 0, checks: 0 }

  constructor(lane: string, home: Home, offers: Offers, tries: number) {
    this.#lane = lane
    this.#home = home
    this.#offers = offers
    this.#tries = tries
  }

  /** A part of the launcher was killed: the whole of it may give up, for the supervisor to start again. */
  excuseLauncher(): void {
    this.#launchersMaimed += 1
  }

  /** @throws AssertionError */
  check(): void {
    this.counts.checks += 1
    this.#checkWhatWouldRun()
    const floor = readState(this.#home)?.floors['stable']?.sequence ?? 0
    assert.ok(floor >= this.#floor, `I3: the sequence floor fell from ${this.#floor} to ${floor}`)
    this.#floor = floor
    for (const line of this.#newLines('ran')) this.#checkStart(line)
    for (const line of this.#newLines('ended')) this.#checkEnd(line)
    const [versions, staging] = [readdirSync(this.#home.versions), readdirSync(this.#home.staging)]
    assert.ok(versions.length <= VERSIONS_MAX, `I6: versions pile up: ${versions.join(' ')}`)
    assert.ok(staging.length <= STAGING_MAX, `I6: staging piles up: ${staging.join(' ')}`)
  }

  /** What is half-done: nothing, once the processes are left alone. */
  rests(): string[] {
    const { failed, trial } = readLaunchRecord(this.#home.current) ?? {}
    const staging = readdirSync(this.#home.staging).filter((name) => !name.endsWith('.partial'))
    return [...staging, ...(failed === undefined ? [] : ['failed']), ...(trial === undefined ? [] : ['trial'])]
  }

  #checkWhatWouldRun(): void {
    for (let look = 1; ; look += 1) {
      const record = readLaunchRecord(this.#home.current)
      assert.ok(record !== undefined, 'I2: the launch record is damaged')
      const fault = this.#faultOf(record)
      if (fault === undefined) return
      // The processes go on while we look: only a fault of a record that still stands is one.
      const isSame = JSON.stringify(readLaunchRecord(this.#home.current)) === JSON.stringify(record)
      assert.ok(!isSame && look < TRIES_LOOKS_MAX, `${fault}: ${JSON.stringify(record)}`)
    }
  }

  #faultOf(record: LaunchRecord): string | undefined {
    const { version, previous, trial } = record
    if (trial === undefined && version.includes('+')) return 'I2: a bad version passes for good'
    const isWayBack = previous !== undefined && trial !== undefined
    for (const needed of isWayBack ? [version, previous] : [version]) {
      const program = programOf(this.#home, needed)
      if (program === undefined) return `I2: ${needed} cannot be run`
      if (sha256Of(program) !== this.#offers.hashes.get(needed)) return `I1: ${needed} has other bytes than published`
    }
    return undefined
  }

  #newLines(name: 'ran' | 'ended'): string[] {
    const lines = readOrEmpty(join(this.#lane, name)).split('\n').slice(0, -1)
    const fresh = lines.slice(this.#linesSeen[name])
    this.#linesSeen[name] = lines.length
    return fresh
  }

  #checkStart(line: string): void {
    const [version = '', hash, trial = ''] = line.split(' ')
    assert.equal(hash, this.#offers.hashes.get(version), `I1: other bytes than published ran as ${version}`)
    if (trial.startsWith('preflight')) this.counts.preflights += 1
    else this.counts.starts += 1
    if (!/^[0-9]+$/.test(trial)) return
    const starts = (this.#trialStarts.get(version) ?? 0) + 1
    this.#trialStarts.set(version, starts)
    assert.ok(Math.max(starts, Number(trial)) <= this.#tries, `I6: ${version} was tried ${starts} times`)
  }

  /** Lines of `finish`: exit status or -1, signal, and the launch record at that moment. */
  #checkEnd(line: string): void {
    const [, status, signal, record = ''] = /^(\S+) (\S+) (.*)$/.exec(line) ?? []
    if (status === '-1') return assert.ok(signal === '9' || signal === '6', `I7: ended by signal ${signal}`)
    if (this.#launchersMaimed > 0 && (status === '78' || status === '137')) {
      this.#launchersMaimed -= 1
      return
    }
    assert.ok(status === '100' || status === '41', `I7: the service ended by itself: ${line}`)
    // Also a trial that has begun: its try could not be counted, or its end not written down, and the launcher is asked
    // again.
    if (status === '100')
      assert.match(record, / trial=[0-9]+ | failed=/, 'I5: exit 100 without a new version or a rollback on record')
  }
}

/** Read without the side effects of the agent's own reader, which sets damaged copies aside. */
export function readState(home: Home): StoredState | undefined {
  const text = readOrEmpty(home.state)
  return text === '' ? undefined : (JSON.parse(text) as StoredState)
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function sha256Of(path: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    return undefined
  }
}
