import { performance } from 'node:perf_hooks'
import { stderr } from 'node:process'

import { isMoultError } from '../manifests/index.ts'
import { eventText } from './event-lines.ts'
import { type AgentEvent, decisionKey, isDetail } from './events.ts'

/** An edge of a cache may lag behind; one that does so for longer keeps the fleet from updating. */
const STALE_ALARM_MS = 24 * 60 * 60 * 1000

/** Hands events to the host program; what is no news is marked, so that logs can leave it out. */
export class EventSink {
  readonly #onEvent: (event: AgentEvent) => void
  readonly #monotonic: () => number
  #lastDecision = ''
  #staleSinceMs: number | undefined

  constructor(onEvent: (event: AgentEvent) => void = logEvent, monotonic: () => number = () => performance.now()) {
    this.#onEvent = onEvent
    this.#monotonic = monotonic
  }

  readonly emit = (event: AgentEvent): void => {
    try {
      this.#onEvent(this.#marked(event))
    } catch {
      // A listener that throws is the host's own trouble.
    }
  }

  warn(message: string): void {
    this.emit({ kind: 'warning', message })
  }

  #marked(event: AgentEvent): AgentEvent {
    if (event.kind === 'check-failed' && isMoultError(event.error) && event.error.code === 'ERR_TRUST_REPLAY') {
      this.#staleSinceMs ??= this.#monotonic()
      return { ...event, isQuiet: this.#monotonic() - this.#staleSinceMs < STALE_ALARM_MS }
    }
    if (event.kind !== 'checked') return event
    this.#staleSinceMs = undefined
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
