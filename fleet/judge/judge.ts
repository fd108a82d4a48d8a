// Whether a rollout may go on: a pure function of what the logs tell, the live rollout, the terms and the clock. It needs
// little to halt, much to go on, and where anything is missing it holds.

import { compareVersions, formatDate, parseDate } from '../../manifests/index.ts'
import type { FleetFigures } from '../fleet-figures.ts'
import { countOf, limitText, percentText, spanText } from '../report/figure-text.ts'
import { isBeyondChance } from './binomial.ts'
import { coveredMs } from './coverage.ts'
import { type Evidence, evidenceOf, isTellable } from './evidence.ts'
import type { JudgedRollout, JudgeTerms, Reason, ReasonCode } from './terms.ts'

/** The clock of this machine and those of the servers that wrote the logs may differ by so much. */
const CLOCK_SKEW_MS = 10 * 60_000
const MAX_MALFORMED_SHARE = 0.05

export type Verdict = {
  /** Of the fleet at present. */
  readonly percent: number
  /** All that count for this verdict; at least one. */
  readonly reasons: readonly Reason[]
  /** Absent where the logs do not know the release. */
  readonly evidence?: Evidence
} & (
  | { readonly kind: 'widen'; readonly toPercent: number }
  /** @param untilMs no sooner than then can it be different; absent where that cannot be told */
  | { readonly kind: 'hold'; readonly untilMs?: number }
  | { readonly kind: 'halt' }
  | { readonly kind: 'complete' }
)

/** @param now milliseconds since 1970 */
export function judge(figures: FleetFigures, rollout: JudgedRollout, terms: JudgeTerms, now: number): Verdict {
  const stages = rollout.stages
    .map(({ at, percent }) => ({ atMs: parseDate(at) ?? Number.POSITIVE_INFINITY, percent }))
    .toSorted((a, b) => a.atMs - b.atMs)
  const present = stages.findLast(({ atMs }) => atMs <= now)
  const percent = present?.percent ?? 0
  const evidence = evidenceOf(figures, rollout.version, terms.minAgents)
  const common = { percent, ...(evidence === undefined ? {} : { evidence }) }

  const standing = standingReasons(rollout, percent)
  if (standing.length > 0) return { ...common, kind: 'hold', reasons: standing }
  const halts = figures.name === rollout.name && evidence !== undefined ? haltReasons(evidence, terms) : []
  if (halts.length > 0) return { ...common, kind: 'halt', reasons: halts }

  const sinceMs = Math.max(present?.atMs ?? Number.NaN, parseDate(rollout.issued) ?? Number.NaN)
  const soak = soakReason(figures, sinceMs, terms)
  const comingMs = stages.find(({ atMs }) => atMs > now)?.atMs
  const holds = [
    ...(comingMs === undefined ? [] : [calendarReason(comingMs)]),
    ...dataReasons(figures, rollout, terms, sinceMs, now),
    ...(soak === undefined ? [] : [soak.reason]),
    ...(evidence === undefined ? [notSeen(rollout)] : evidenceReasons(evidence, percent, terms)),
  ]
  if (holds.length > 0) {
    const untilMs = comingMs ?? soak?.untilMs
    return { ...common, kind: 'hold', reasons: holds, ...(untilMs === undefined ? {} : { untilMs }) }
  }
  const toPercent = terms.steps.find((step) => step > percent)
  if (evidence === undefined) throw new RangeError('widened without evidence')
  if (toPercent === undefined) {
    const text = `${percent} % is the last step, and ${wellText(evidence)}`
    return { ...common, kind: 'complete', reasons: [{ code: 'last-step', text }] }
  }
  return { ...common, kind: 'widen', toPercent, reasons: [{ code: 'healthy', text: wellText(evidence) }] }
}

/** What a person or the agents have decided already. */
function standingReasons(rollout: JudgedRollout, percent: number): Reason[] {
  const { version, isPaused, refused, rollback = [] } = rollout
  return [
    ...(isPaused ? [reason('paused', 'the rollout is paused: a person resumes it')] : []),
    ...(refused === undefined ? [] : [reason('refused', `agents refuse what is published: ${refused}`)]),
    // Its failures of long ago are no reason to stop what takes the fleet off something worse.
    ...(rollback.some((leaving) => compareVersions(leaving, version) > 0)
      ? [reason('way-back', 'a person has sent the fleet back to it')]
      : []),
    ...(percent === 0 ? [reason('percent-zero', 'no agent may have the release yet: a person begins it')] : []),
  ]
}

function haltReasons(evidence: Evidence, terms: JudgeTerms): Reason[] {
  const { hashMismatches, troubled, judged, reported } = evidence
  const rate = judged === 0 ? 0 : troubled / judged
  const isEnough = reported >= terms.minAgents && rate > terms.maxFailureRate
  const isFailing = isEnough || isBeyondChance(troubled, judged, terms.maxFailureRate)
  return [
    ...(hashMismatches > 0
      ? [
          reason(
            'hash-mismatch',
            `${countOf(hashMismatches, 'agent')} got bytes that are not those of the signed hash`,
            {
              agents: hashMismatches,
            },
          ),
        ]
      : []),
    ...(isFailing ? [reason('failure-rate', rateText(evidence, terms), { rate, troubled, judged })] : []),
  ]
}

function rateText(evidence: Evidence, { maxFailureRate }: JudgeTerms): string {
  const { troubled, judged, rolledBack, failed, excess } = evidence
  const parts = [
    `${rolledBack} rolled back`,
    `${failed} could not install it`,
    ...(excess.silent > 0 ? [`${excess.silent} more than usual went silent on it`] : []),
    ...(excess.erring > 0 ? [`${excess.erring} more than usual tell of errors`] : []),
  ]
  const share = `${percentText(troubled / judged)} of ${countOf(judged, 'agent')}`
  return `it failed on ${share}, more than ${limitText(maxFailureRate)}: ${parts.join(', ')}`
}

function calendarReason(comingMs: number): Reason {
  return reason('calendar', `its stages widen it by date, the next time on ${formatDate(comingMs)}`)
}

/** What is wrong with the logs themselves. */
function dataReasons(
  figures: FleetFigures,
  rollout: JudgedRollout,
  { maxLogAgeMs }: JudgeTerms,
  sinceMs: number,
  now: number,
): Reason[] {
  const { lines, firstMs, lastMs, name, agents } = figures
  const counts = [lines.polls, lines.total, lines.malformed, firstMs, lastMs, agents.active]
  if (!counts.every(Number.isFinite) || lines.polls === 0 || agents.active === 0)
    return [reason('no-data', 'the logs hold no poll of this time')]
  const malformed = lines.malformed / lines.total
  const isSkewed = lastMs > now + CLOCK_SKEW_MS || !(sinceMs <= now)
  return [
    ...(name === rollout.name ? [] : [reason('other-agent', `the logs are those of ${name}, not of ${rollout.name}`)]),
    ...(isSkewed ? [reason('clock', 'the logs or the rollout are of the future: a clock is wrong')] : []),
    ...(now - lastMs > maxLogAgeMs
      ? [reason('stale', `the newest line of the logs is ${spanText(now - lastMs)} old`)]
      : []),
    ...(malformed <= MAX_MALFORMED_SHARE
      ? []
      : [reason('malformed', `${percentText(malformed)} of the lines cannot be read`, { malformed: lines.malformed })]),
    // Few lines, it may be, and all those that speak against the release.
    ...(lines.damaged === 0
      ? []
      : [reason('incomplete', `${countOf(lines.damaged, 'log')} ended early: the gzip is cut off or damaged`)]),
    ...(lines.refused === 0
      ? []
      : [reason('incomplete', 'the logs name more different things than can be kept, so some were not counted')]),
    ...(isTellable(rollout.name, rollout.channel, rollout.version)
      ? []
      : [reason('untold', 'its version, or the names of program and channel, are too long for agents to tell of it')]),
  ]
}

function soakReason(
  figures: FleetFigures,
  sinceMs: number,
  { soakMs }: JudgeTerms,
): { readonly reason: Reason; readonly untilMs?: number } | undefined {
  const covered = coveredMs(figures, sinceMs)
  if (covered >= soakMs) return undefined
  const seen = spanText(covered)
  const text = `the logs show ${seen} of the present stage, and it takes ${spanText(soakMs)}`
  const untilMs = Math.max(figures.lastMs, sinceMs) + soakMs - covered
  return {
    reason: reason('soak', text, { coveredMs: covered, soakMs }),
    ...(Number.isFinite(untilMs) ? { untilMs } : {}),
  }
}

function notSeen({ version }: JudgedRollout): Reason {
  return reason('not-seen', `no agent has said anything about ${version}`)
}

/** Each condition is what has to hold, so that a figure that is no number is a reason, too. */
function evidenceReasons(evidence: Evidence, percent: number, terms: JudgeTerms): Reason[] {
  const { well, fleet, judged, doubtful, isCompared, running, silent, erring, rolledBack, failed } = evidence
  const known = Math.max(judged, running + silent + rolledBack + failed)
  const expected = (fleet * percent) / 100
  const { minAgents, minAdoption, maxFailureRate } = terms
  const reasons: Reason[] = []
  // Agents in trouble are none of these: more trouble must not be what makes them enough.
  if (!(well >= minAgents))
    reasons.push(reason('few-agents', `${countOf(well, 'agent')} of ${minAgents} run it without trouble`, { well }))
  if (!(well >= expected * minAdoption)) {
    const text = `${countOf(well, 'agent')} run it, where ${percent} % of those that poll are about ${Math.round(expected)}`
    reasons.push(reason('adoption', text, { well, expected }))
  }
  if (!isCompared && !(doubtful <= known * maxFailureRate)) {
    const text = `${silent} went silent on it and ${erring} tell of errors, and too few run an older version to know what is usual`
    reasons.push(reason('no-comparison', text, { silent, erring }))
  }
  if (!Number.isFinite(evidence.hashMismatches)) reasons.push(reason('no-data', 'nothing is known of hash mismatches'))
  return reasons
}

function wellText({ troubled, judged, onTrial }: Evidence): string {
  const trial = onTrial === 0 ? '' : `; ${onTrial} are on trial`
  return `${troubled} of ${countOf(judged, 'agent')} are in trouble with it${trial}`
}

function reason(code: ReasonCode, text: string, details?: Reason['details']): Reason {
  return { code, text, ...(details === undefined ? {} : { details }) }
}
