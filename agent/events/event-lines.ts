import {
  type Decision,
  type Flags,
  formatDate,
  formatDuration,
  isMoultError,
  toMoultError,
} from '../../manifests/index.ts'
import type { AgentEvent } from './events.ts'

/** The event as a line for people. */
export function eventText(event: AgentEvent): string {
  switch (event.kind) {
    case 'started':
      return `Version ${event.version}, polling ${event.url} every ${formatDuration(event.intervalMs)}`
    case 'checked':
      return decisionText(event)
    case 'check-failed':
      return `Check failed: ${errorText(event.error)}${event.nextMs === undefined ? '' : `; next in ${formatDuration(Math.round(event.nextMs / 1000) * 1000)}`}`
    case 'update-found':
      if (event.reason === 'first') return `Installing the first version: ${event.version} (${bytesText(event.bytes)})`
      return `Update found: ${event.version}. Synchronizing from ${event.running} (${event.reason}, ${bytesText(event.bytes)})`
    case 'update-available':
      return `Update available: ${event.version} (${event.reason})${event.image === undefined ? '' : `, image ${event.image}`}`
    case 'flags-changed':
      return `Flags: ${flagsText(event.flags)}`
    case 'approved':
      return `Approved: ${event.version}`
    case 'download-progress':
      return `Downloading: ${bytesText(event.received)} of ${bytesText(event.total)}`
    case 'download-interrupted':
      return `Download interrupted (attempt ${event.attempt}): ${errorText(event.error)}`
    case 'download-failed':
      return `Download of the ${event.source} artifact failed: ${errorText(event.error)}`
    case 'downloaded':
      return `Downloaded: ${event.version} (${event.source}, ${bytesText(event.bytes)})`
    case 'staged':
      return `Verified and staged: ${event.version}`
    case 'swapped':
      // Without a version before it this is the first: nothing runs yet that could be started again.
      if (event.previous === undefined) return `In place: ${event.version}`
      return `Swapped in: ${event.version}, keeping ${event.previous}. Restarting`
    case 'trial':
      return `On probation: ${event.version}, try ${event.started} of ${event.tries}`
    case 'confirmed':
      return `Confirmed: ${event.version}`
    case 'hook-done':
      return `Hook ${event.hook} of ${event.version} ran in ${formatDuration(event.ms)}`
    case 'hook-failed':
      return `Hook ${event.hook} of ${event.version} failed: ${errorText(event.error)}`
    case 'rolled-back':
      return `Rolled back: ${event.version} (${event.reason}), running ${event.to}`
    case 'quarantined':
      return `Quarantined: ${event.version} (${event.reason}), it is not tried again`
    case 'program-started':
      return `Started ${event.version}, process ${event.pid}`
    case 'program-exited':
      return `${event.version} ended with ${event.status}`
    case 'warning':
      return `Warning: ${event.message}`
  }
}

/** The event as one line of JSON, with the time. */
export function eventJson(event: AgentEvent, nowMs: number): string {
  // Not in a replacer: that is called with what the error's own toJSON() has made of it, which is no error any more.
  const error = 'error' in event ? { error: toMoultError(event.error).toJSON() } : {}
  const decision = event.kind === 'checked' ? { decision: withoutRelease(event.decision) } : {}
  return JSON.stringify({ time: formatDate(nowMs), ...event, ...decision, ...error })
}

/** For print: the release is as large as a manifest, and is told by its version. */
export function withoutRelease(decision: Decision): object {
  if (decision.kind !== 'install') return decision
  const { release: _, ...rest } = decision
  return rest
}

/** `a=true, b=blue`, or `none`. */
export function flagsText(flags: Flags): string {
  const pairs = Object.entries(flags).map(([name, value]) => `${name}=${value}`)
  return pairs.length === 0 ? 'none' : pairs.join(', ')
}

export function errorText(error: unknown): string {
  return isMoultError(error) ? `${error.message} [${error.code}]` : String(error)
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

function decisionText({ decision, sequence }: AgentEvent & { kind: 'checked' }): string {
  switch (decision.kind) {
    case 'up-to-date':
      return `Up to date (sequence ${sequence})`
    case 'install':
      return `Ready to install ${decision.version} (${decision.reason})`
    case 'wait': {
      const until = decision.untilMs === undefined ? '' : ` until ${formatDate(decision.untilMs)}`
      const place = decision.reason === 'stage' ? `, bucket ${decision.bucket} of 10000 at ${decision.percent} %` : ''
      return `Waiting with ${decision.version}: ${decision.reason}${place}${until}`
    }
    case 'refuse':
      return `Not installing ${decision.version}: ${decision.reason}`
  }
}
