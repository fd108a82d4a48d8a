import { stderr } from 'node:process'

import { eventText } from './event-lines.ts'
import { type AgentEvent, decisionKey, isDetail } from './events.ts'

/** Hands events to the host program; a decision that is the same as at the poll before is marked as a repeat. */
export class EventSink {
  readonly #onEvent: (event: AgentEvent) => void
  #lastDecision = ''

  constructor(onEvent: (event: AgentEvent) => void = logEvent) {
    this.#onEvent = onEvent
  }

  readonly emit = (event: AgentEvent): void => {
    try {
      this.#onEvent(event.kind === 'checked' ? this.#marked(event) : event)
    } catch {
      // A listener that throws is the host's own trouble.
    }
  }

  warn(message: string): void {
    this.emit({ kind: 'warning', message })
  }

  #marked(event: AgentEvent & { kind: 'checked' }): AgentEvent {
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
