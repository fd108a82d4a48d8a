import type { Flags } from '../../manifests/index.ts'
import type { AgentEvent } from '../events/events.ts'
import { flagsOf, type ToldFlags, toldFlags } from '../report/flags-file.ts'
import type { Settings } from '../settings/settings.ts'
import type { UpdateResult } from '../update.ts'
import { lastManifest } from './last-manifest.ts'
import { pollIntervalMs } from './poll-interval.ts'

/**
 * What the last verified manifest says to a running program beside what to install: its flags, and how often to poll. At
 * the start it is the one that an earlier run has left.
 */
export class FleetTerms {
  readonly #settings: Settings
  readonly #version: string
  readonly #emit: (event: AgentEvent) => void
  #told: ToldFlags | undefined
  #proposed: string | undefined

  /** @param version of the program that runs */
  constructor(settings: Settings, version: string, emit: (event: AgentEvent) => void) {
    this.#settings = settings
    this.#version = version
    this.#emit = emit
    const last = lastManifest(settings)
    if (last === undefined) return
    this.#proposed = last.manifest.rollout.poll
    this.#keep(flagsOf(settings, last, version))
  }

  get flags(): Flags {
    return this.#told?.flags ?? {}
  }

  get intervalMs(): number {
    return pollIntervalMs(this.#settings, this.#proposed)
  }

  /** Takes what a poll has brought. */
  take(result: UpdateResult): void {
    if (result.kind !== 'checked') return
    const { manifest, facts } = result
    this.#proposed = manifest.rollout.poll
    this.#keep(toldFlags(manifest, { ...facts, running: this.#version }))
  }

  #keep(told: ToldFlags | undefined): void {
    const before = JSON.stringify(this.flags)
    this.#told = told
    if (told === undefined || JSON.stringify(told.flags) === before) return
    this.#emit({ kind: 'flags-changed', flags: told.flags, sequence: told.sequence })
  }
}
