// What in the figures of a fleet a person should look at.

import type { FleetFigures } from '../fleet-figures.ts'
import { visibleText } from '../visible-text.ts'
import { countOf, countText, limitText, percentText, spanText } from '../report/figure-text.ts'

export const ALERT_CODES = {
  FLEET_NO_DATA: 'the logs hold no poll, or no new one',
  FLEET_TRUST: 'agents refuse what is published, for its signatures, roots or dates',
  FLEET_HASH_MISMATCH: 'agents got bytes that are not those of the signed hash',
  FLEET_FAILURE_RATE: 'too many agents could not install a version, or rolled it back',
  FLEET_ROLLBACK: 'agents rolled a version back',
  FLEET_STUCK: 'agents are seen, and stay on an old version',
  FLEET_SILENT: 'too many agents are not seen any more',
} as const

export type AlertCode = keyof typeof ALERT_CODES

export interface AlertLimits {
  /** Share of failed and rolled back installations of a version, above which there is an alert. */
  readonly maxFailureRate: number
  /** Fewer agents than this that tried a version give no failure rate. */
  readonly minAgents: number
  readonly maxStuck: number
  /** Share of all agents. */
  readonly maxSilentShare: number
  /** How old the newest line of the logs may be. CloudFront delivers within a day at the latest, mostly in an hour. */
  readonly maxAgeMs: number
}

export const ALERT_LIMITS: AlertLimits = {
  maxFailureRate: 0.05,
  minAgents: 5,
  maxStuck: 0,
  maxSilentShare: 0.1,
  maxAgeMs: 24 * 3_600_000,
}

export interface Alert {
  readonly code: AlertCode
  /** The same for as long as the alert lasts: the code, and the version if it is about one. */
  readonly key: string
  readonly version?: string
  /** How many agents it is about. */
  readonly agents: number
  /** One sentence, with the figures. */
  readonly text: string
}

export interface AlertOptions {
  readonly limits?: AlertLimits
  /** Only told: the figures were made with it. */
  readonly stuckAfterMs?: number
  /** What the age of the logs is counted to; without it, that is nobody's concern. */
  readonly clockMs?: number
}

/** The gravest first. */
export function findAlerts(figures: FleetFigures, options: AlertOptions = {}): readonly Alert[] {
  const { limits = ALERT_LIMITS, stuckAfterMs, clockMs } = options
  const { total, polls } = figures.lines
  if (polls === 0) {
    return [alertOf('FLEET_NO_DATA', 0, `no poll among ${countOf(total, 'line')}: nothing can be said of this fleet`)]
  }
  return [
    ...ageAlert(figures, limits, clockMs),
    ...trustAlert(figures),
    ...hashAlert(figures),
    ...figures.releases.flatMap((release): Alert[] => {
      const { version, failureRate, updated, rolledBack, failed } = release
      const tried = updated + rolledBack + failed
      if (failureRate === undefined || failureRate <= limits.maxFailureRate || tried < limits.minAgents) return []
      const share = `${percentText(failureRate)} of ${countOf(tried, 'agent')}`
      const text = `${version} failed on ${share}, more than ${limitText(limits.maxFailureRate)}: ${countText(rolledBack)} rolled back, ${countText(failed)} could not install it`
      return [alertOf('FLEET_FAILURE_RATE', rolledBack + failed, text, version)]
    }),
    ...figures.releases.flatMap(({ version, rolledBack }): Alert[] =>
      rolledBack === 0
        ? []
        : [
            alertOf(
              'FLEET_ROLLBACK',
              rolledBack,
              `${version} was rolled back by ${countOf(rolledBack, 'agent')}`,
              version,
            ),
          ],
    ),
    ...stuckAlert(figures, limits, stuckAfterMs),
    ...silentAlert(figures, limits),
  ]
}

function ageAlert({ lastMs }: FleetFigures, { maxAgeMs }: AlertLimits, clockMs: number | undefined): Alert[] {
  if (clockMs === undefined || clockMs - lastMs <= maxAgeMs) return []
  const text = `the newest line of the logs is ${spanText(clockMs - lastMs)} old: what happened since is not known`
  return [alertOf('FLEET_NO_DATA', 0, text)]
}

function trustAlert({ errors }: FleetFigures): Alert[] {
  // The edge of a cache may hand out an old manifest for a while: agents meet TRUST_REPLAY without anyone's fault.
  const found = errors.filter(({ code }) => code.startsWith('TRUST_') && code !== 'TRUST_REPLAY')
  if (found.length === 0) return []
  const agents = found.reduce((sum, one) => sum + one.agents, 0)
  const codes = found.map(({ code }) => `ERR_${code}`).join(', ')
  return [alertOf('FLEET_TRUST', agents, `${countOf(agents, 'agent')} refused what is published: ${codes}`)]
}

function hashAlert({ errors, releases }: FleetFigures): Alert[] {
  const told = releases.reduce((sum, { hashMismatches }) => sum + hashMismatches, 0)
  const now = errors.find(({ code }) => code === 'BYTES_HASH')?.agents ?? 0
  // The same agents may be in both.
  const agents = Math.max(now, told)
  if (agents === 0) return []
  return [
    alertOf('FLEET_HASH_MISMATCH', agents, `${countOf(agents, 'agent')} got bytes that do not match the signed hash`),
  ]
}

function stuckAlert({ agents, offered }: FleetFigures, limits: AlertLimits, stuckAfterMs: number | undefined): Alert[] {
  if (agents.stuck <= limits.maxStuck) return []
  const after = stuckAfterMs === undefined ? '' : ` for more than ${spanText(stuckAfterMs)}`
  const text = `${countOf(agents.stuck, 'agent')} stuck on a version older than ${offered ?? 'the one that is offered'}${after}`
  return [alertOf('FLEET_STUCK', agents.stuck, text)]
}

function silentAlert({ agents }: FleetFigures, limits: AlertLimits): Alert[] {
  const share = agents.total === 0 ? 0 : agents.silent / agents.total
  if (share <= limits.maxSilentShare) return []
  const text = `${countOf(agents.silent, 'agent')} of ${countText(agents.total)} not seen any more (${percentText(share)})`
  return [alertOf('FLEET_SILENT', agents.silent, text)]
}

function alertOf(code: AlertCode, agents: number, text: string, version?: string): Alert {
  return {
    code,
    key: version === undefined ? code : `${code} ${version}`,
    agents,
    text: visibleText(text),
    ...(version === undefined ? {} : { version }),
  }
}
