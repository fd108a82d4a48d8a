// Why an agent does or does not update now, and when it will: one poll, and everything that the decision depends on, as
// data.

import {
  type AgentFacts,
  type Decision,
  draw,
  type Flags,
  flagsFor,
  forecast,
  formatDate,
  isWindowOpen,
  type Labels,
  type MaintenanceWindow,
  nextOpening,
  parseDuration,
  type Platform,
  type Release,
  type ReleaseRef,
  type Rollout,
  type Rule,
  rulingFor,
} from '../../manifests/index.ts'
import type { Deployment } from '../settings/deployment.ts'
import { withoutRelease } from '../events/event-lines.ts'
import { prepareHome } from '../home/home.ts'
import { installedRecord } from '../home/launch-record.ts'
import { withLock } from '../home/lock.ts'
import { pollIntervalMs } from '../poll/poll-interval.ts'
import type { Settings } from '../settings/settings.ts'
import { approvedHashes, loadState, type QuarantineEntry } from '../home/state.ts'
import { update, type UpdateDeps, type UpdateResult } from '../update.ts'
import { type UpdateMode, type UpdateRole, updateRole } from '../settings/update-role.ts'

export interface Explanation {
  readonly id: string
  readonly labels: Labels
  readonly platform: Platform
  readonly running: string | undefined
  /** No update comes while a version is on probation. */
  readonly isOnTrial: boolean
  readonly mode: UpdateMode
  readonly deployment: Deployment
  readonly role: UpdateRole
  /** False where updates are left to `moult agent check --apply`. */
  readonly autoInstall: boolean
  /** Between polls, and who has laid it down. */
  readonly interval: { readonly ms: number; readonly by: 'host' | 'rollout' | 'default' }
  /** That of the manifest. */
  readonly release: Release
  readonly rollout: Rollout
  /** With the release only where that is another one than the manifest's. */
  readonly decision: Decision
  /** What it comes to if nothing is published and nobody does anything here; `at` is an RFC 3339 date. */
  readonly move?: { readonly at: string; readonly version: string; readonly reason: string }
  /** Its part of the spread: how long after the beginning of its stage it may update. */
  readonly spread?: { readonly place: number; readonly delayMs: number }
  /** The rules that this agent goes by. */
  readonly rules: readonly RuleState[]
  /** Largest percent of a rollout that this host takes part in. */
  readonly percentCap: number
  readonly pin: { readonly byHost?: string; readonly byRule?: ReleaseRef }
  /** Those of the host and those of a rule: one of each has to be open. */
  readonly windows: readonly WindowState[]
  readonly approval: { readonly isNeeded: boolean; readonly isGiven: boolean }
  readonly quarantine: readonly QuarantineEntry[]
  readonly rollbackFloor?: string
  readonly flags: Flags
}

export interface RuleState {
  /** From 0, among the rules of the rollout. */
  readonly index: number
  readonly rule: Rule
  /** What it decides here: `move` (what the agent gets), `windows`, `flag <name>`. */
  readonly decides: readonly string[]
}

export type WindowState = MaintenanceWindow & {
  readonly of: 'host' | 'rule'
  readonly isOpen: boolean
  /** RFC 3339 date; absent while it is open. */
  readonly opensAt?: string
}

type Checked = Extract<UpdateResult, { kind: 'checked' }>

/** Changes nothing that runs. @throws MoultError as a poll does */
export async function explainUpdate(settings: Settings, deps: UpdateDeps): Promise<Explanation> {
  const { home, mode, deployment, autoInstall } = settings
  prepareHome(home)
  return withLock(home, async () => {
    const result = await update(settings, { apply: false }, { ...deps, emit: () => undefined })
    if (result.kind === 'swapped') throw new Error('installed what was only to be looked at')
    const { id, labels = {}, platform, running } = result.facts
    return {
      id,
      labels,
      platform,
      running,
      isOnTrial: installedRecord(home)?.trial !== undefined,
      mode,
      deployment,
      role: updateRole(settings),
      autoInstall,
      interval: intervalOf(settings, result.manifest.rollout),
      ...rolloutOf(result),
      ...hostOf(settings, result),
    }
  })
}

function intervalOf(settings: Settings, { poll }: Rollout): Explanation['interval'] {
  const by = settings.hasOwnInterval ? 'host' : poll === undefined ? 'default' : 'rollout'
  return { ms: pollIntervalMs(settings, poll), by }
}

/** What the publisher has laid down for this agent, and what comes of it. */
function rolloutOf({ decision, manifest, facts, others, now }: Checked) {
  const { release, rollout } = manifest
  const told = forecast(manifest, facts, now, others)
  const move = 'move' in told ? told.move : undefined
  const { place } = draw(rollout.salt ?? manifest.releaseDigest, facts.id)
  const delayMs = Math.floor((parseDuration(rollout.spread ?? '') ?? 0) * place)
  const isOther = decision.kind === 'install' && decision.release !== release
  return {
    release,
    rollout,
    decision: isOther ? decision : (withoutRelease(decision) as Decision),
    ...(move === undefined
      ? {}
      : { move: { at: formatDate(move.atMs), version: move.decision.version, reason: move.decision.reason } }),
    ...(rollout.spread === undefined ? {} : { spread: { place, delayMs } }),
    rules: rulesFor(rollout, facts),
    flags: flagsFor(manifest, facts),
  }
}

/** What the owner of this machine has laid down, and what it has lived through. */
function hostOf(settings: Settings, { decision, manifest, facts, now }: Checked) {
  const { home, root, policy } = settings
  const { timezone = 'UTC' } = facts
  const { move, windows = [] } = rulingFor(manifest.rollout.rules, facts)
  const state = loadState(home, root, () => undefined)
  const binary = ('binary' in decision ? decision.binary : undefined) ?? manifest.release.binaries[facts.platform]
  const signed = windows.map((window) => ({ timezone, ...window }))
  return {
    percentCap: policy.percentCap ?? 100,
    pin: {
      ...(policy.pin === undefined ? {} : { byHost: policy.pin }),
      ...(move?.pin === undefined ? {} : { byRule: move.pin }),
    },
    windows: [
      ...policy.windows.map((window) => windowState(window, 'host', now)),
      ...signed.map((window) => windowState(window, 'rule', now)),
    ],
    approval: { isNeeded: policy.needsApproval, isGiven: approvedHashes(state).has(binary?.sha256 ?? '') },
    quarantine: state.quarantine,
    ...(state.rollbackFloor === undefined ? {} : { rollbackFloor: state.rollbackFloor }),
  }
}

/** The rules that decide something for this agent; others that match come after one that has decided already. */
function rulesFor({ rules = [] }: Rollout, facts: AgentFacts): RuleState[] {
  const { move, windows, flags } = rulingFor(rules, facts)
  return rules.flatMap((rule, index) => {
    const names = Object.keys(rule.flags ?? {}).filter((name) => rule.flags?.[name] === flags[name])
    const decides = [
      ...(rule === move ? ['move'] : []),
      ...(windows !== undefined && rule.windows === windows ? ['windows'] : []),
      ...names.map((name) => `flag ${name}`),
    ]
    return decides.length === 0 ? [] : [{ index, rule, decides }]
  })
}

function windowState(window: MaintenanceWindow, of: WindowState['of'], now: number): WindowState {
  if (isWindowOpen([window], now)) return { ...window, of, isOpen: true }
  const opensMs = nextOpening([window], now)
  return { ...window, of, isOpen: false, ...(opensMs === undefined ? {} : { opensAt: formatDate(opensMs) }) }
}
