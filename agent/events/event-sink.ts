import { performance } from 'node:perf_hooks'
import { stderr } from 'node:process'

import { type Flags, isMoultError } from '../../manifests/index.ts'
import { eventText } from './event-lines.ts'
import { type AgentEvent, decisionKey, isDetail } from './events.ts'

/** An edge of a cache may lag behind; one that does so for longer keeps the fleet from updating. */
const STALE_ALARM_MS = 24 * 60 * 60 * 1000

/** Hands events to the host program; what is no news is marked, so that logs can leave it out. */
export class EventSink {
  readonly #onEvent: (event: AgentEvent) => void
  readonly #onFlags: (flags: Flags) => void
  readonly #monotonic: () => number
  #lastDecision = ''
  #lastAvailable = ''
  #staleSinceMs: number | undefined
  #journal: ((event: AgentEvent) => void) | undefined

  constructor(
    onEvent: (event: AgentEvent) => void = logEvent,
    monotonic: () => number = () => performance.now(),
    onFlags: (flags: Flags) => void = () => undefined,
  ) {
    this.#onEvent = onEvent
    this.#onFlags = onFlags
    this.#monotonic = monotonic
  }

  /** From now on events are written down, too; before the listener hears them, as that may end the process. */
  keep(journal: (event: AgentEvent) => void): void {
    this.#journal = journal
  }

  readonly emit = (event: AgentEvent): void => {
    this.#journal?.(event)
    // A listener that throws is the host's own trouble, and no reason to keep anything from the other one.
    for (const tell of [() => this.#onEvent(this.#marked(event)), () => this.#tellFlags(event)]) {
      try {
        tell()
      } catch {
        continue
      }
    }
  }

  warn(message: string): void {
    this.emit({ kind: 'warning', message })
  }

  #tellFlags(event: AgentEvent): void {
    if (event.kind === 'flags-changed') this.#onFlags(event.flags)
  }

  #marked(event: AgentEvent): AgentEvent {
    if (event.kind === 'check-failed' && isMoultError(event.error) && event.error.code === 'ERR_TRUST_REPLAY') {
      this.#staleSinceMs ??= this.#monotonic()
      return { ...event, isQuiet: this.#monotonic() - this.#staleSinceMs < STALE_ALARM_MS }
    }
    if (event.kind === 'update-available') {
      const isRepeat = event.version === this.#lastAvailable
      this.#lastAvailable = event.version
      return { ...event, isRepeat }
    }
    if (event.kind !== 'checked') return event
    this.#staleSinceMs = undefined
    if (event.decision.kind !== 'install') this.#lastAvailable = ''
    const key = decisionKey(event.decision)
    const isRepeat = key === this.#lastDecision
    this.#lastDecision = key
    return { ...event, isRepeat }
  }
}

/** Where events go when the host takes none: an agent that cannot update must not be silent about it. */
function logEvent(event: AgentEvent): void {
  if (!isDetail(event)) stderr.write(`moult: ${eventText(event)}\n`)
}
